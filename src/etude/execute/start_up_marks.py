"""What a step spends on starting up: imports, CUDA's context, the first use of libraries, compilation.

That is paid by whichever node comes first in its process, and says nothing of the node. It is marked while the step
runs, as windows of a name of their own, and taken out of the node's cost into an account beside it.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

from etude.execute.observe.generators import importing_library
from etude.execute.threads import limit_torch

Mark = Callable[[], AbstractContextManager[object]]
"""Opens a window of start-up."""


class StartUp(importlib.abc.MetaPathFinder):
    """Marks start-up while a step runs, in the thread where it happens."""

    def __init__(self, mark: Mark, cpus: int) -> None:
        self._mark = mark
        self._cpus = cpus
        self._depth = threading.local()
        self._compiling: list[AbstractContextManager[object]] = []

    @contextlib.contextmanager
    def marked(self) -> Iterator[None]:
        """Mark what starts up in a block."""
        sys.meta_path.insert(0, self)
        try:
            with contextlib.ExitStack() as hooks:
                self._hooks = hooks
                for name in _AFTER:
                    if (module := sys.modules.get(name)) is not None:
                        self._after(name, module)
                yield
        finally:
            with contextlib.suppress(ValueError):
                sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec that another finder has, with a loader that tells how long it takes."""
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                self._watch(fullname, spec.loader)
                return spec
        return None

    def _watch(self, name: str, loader: Any) -> None:
        execute = getattr(loader, "exec_module", None)
        if execute is None or isinstance(loader, type):  # of built-in modules, which cost nothing
            return

        def exec_module(module: ModuleType) -> None:
            with contextlib.suppress(AttributeError):
                del loader.exec_module
            with self._outermost(), importing_library(module):
                execute(module)
                self._after(name, module)

        with contextlib.suppress(AttributeError):
            loader.exec_module = exec_module

    @contextlib.contextmanager
    def _outermost(self) -> Iterator[None]:
        """Mark a window, but none within another, and none for what étude's own threads load."""
        depth = getattr(self._depth, "value", 0)
        ours = threading.current_thread().name.startswith("etude-")
        self._depth.value = depth + 1
        try:
            with self._mark() if depth == 0 and not ours else contextlib.nullcontext():
                yield
        finally:
            self._depth.value = depth

    def _after(self, name: str, module: ModuleType) -> None:
        """Hook into a library that has just been loaded, or that was loaded before the step began."""
        hook = _AFTER.get(name)
        if hook is not None:
            with contextlib.suppress(Exception):  # a library that has changed: its start-up is then the step's own
                hook(self, module)

    def _after_numpy(self, numpy: Any) -> None:
        if "numpy" not in _warm:
            _warm.add("numpy")
            numpy.ones((2, 2)) @ numpy.ones((2, 2))  # the first product looks for the processor's instructions

    def _after_torch(self, torch: Any) -> None:
        limit_torch(self._cpus)
        if "torch" not in _warm:
            _warm.add("torch")
            torch.ones(2, 2) @ torch.ones(2, 2)

    def _after_cuda(self, cuda: Any) -> None:
        """CUDA begins when it is first used, wherever that is."""
        begin = cuda._lazy_init
        if cuda.is_initialized():
            return

        def lazy_init() -> None:
            with self._outermost():
                begin()
            cuda._lazy_init = begin

        cuda._lazy_init = lazy_init
        self._hooks.callback(setattr, cuda, "_lazy_init", begin)

    def _after_compiler(self, callback: Any) -> None:
        handler = callback.callback_handler
        handler.register_start_callback(self._compilation_begins)
        self._hooks.callback(handler.remove_start_callback, self._compilation_begins)
        handler.register_end_callback(self._compilation_ends)
        self._hooks.callback(handler.remove_end_callback, self._compilation_ends)

    def _compilation_begins(self, _arguments: object) -> None:
        block = self._outermost()
        block.__enter__()
        self._compiling.append(block)

    def _compilation_ends(self, _arguments: object) -> None:
        if self._compiling:
            self._compiling.pop().__exit__(None, None, None)


_warm: set[str] = set()
"""Libraries that this process has used."""

_AFTER: dict[str, Callable[[StartUp, ModuleType], None]] = {
    "numpy": StartUp._after_numpy,
    "torch": StartUp._after_torch,
    "torch.cuda": StartUp._after_cuda,
    "torch._dynamo.callback": StartUp._after_compiler,
}
