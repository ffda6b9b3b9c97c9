"""The context that a running step is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True, kw_only=True)
class RunContext:
    """What a running step may know of its run. See `etude.Context`."""

    make_scratch: Callable[[], Path]
    project: Path = field(default_factory=Path.cwd)
    devices: tuple[str, ...] = ()
    cpus: int = 1
    asked_to_stop: Callable[[], bool] = field(default=lambda: False)
    tell: Callable[[float, float | None, str], None] = field(default=lambda _done, _total, _message: None)
    tell_value: Callable[[float, float], None] = field(default=lambda _step, _value: None)
    mark: Callable[[str], AbstractContextManager[object]] = field(default=lambda _name: nullcontext())
    """Marks a window of the measurement under way."""
    clock: Callable[[], float] = time.perf_counter
    _scratch: Path | None = None
    _told: float = float("-inf")

    @property
    def scratch(self) -> Path:
        if self._scratch is None:
            self._scratch = self.make_scratch()
        return self._scratch

    @property
    def made_scratch(self) -> Path | None:
        """The scratch folder, if the step asked for it."""
        return self._scratch

    @property
    def stopping(self) -> bool:
        return self.asked_to_stop()

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        now = self.clock()
        if now - self._told >= 0.1 or (total is not None and done >= total):
            self._told = now
            self.tell(float(done), None if total is None else float(total), message)

    def report(self, step: float, value: float) -> None:
        self.tell_value(float(step), float(value))

    def window(self, name: str) -> AbstractContextManager[object]:
        return self.mark(name)
