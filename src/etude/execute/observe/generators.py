"""Whether a step draws from a global generator of random numbers that it never seeded: then its result is by chance.

The states of `random`, `numpy.random` and torch's generators are compared before and after the step, by the bytes that
they lie in where that is possible: well under a microsecond each.
"""

from __future__ import annotations

import random
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_LARGEST_SEED = 2**32
"""torch seeds its generators at random from 64 bits; people use smaller numbers, and helpers allow no larger ones."""
_WORDS = 624
"""Of a Mersenne Twister's state, each of four bytes; beside them stands its position."""

State = Callable[[], object]

_states: dict[str, State] = {}
"""Generator → its state, comparable."""
_seeded: set[str] = set()
"""Generators that were seeded, or given a state, since this was last emptied."""
_watching: list[GeneratorWatch] = []
_loading: list[str] = []
"""The library that is being loaded, by the outermost of its imports."""
_LIBRARIES = ("/site-packages/", "/dist-packages/", f"{sysconfig.get_path('stdlib')}/")
"""What is in the path of installed packages and of Python's own modules."""


class GeneratorWatch:
    """Compares the generators before and after one call of a step."""

    __slots__ = ("_before", "_torch")

    def remember(self, name: str) -> None:
        """A generator that came to be while the step runs."""
        if name in _states:
            self._before[name] = _states[name]()

    def start(self) -> None:
        """Remember the states."""
        attach()
        _seeded.clear()
        _watching.append(self)
        self._before = {name: state() for name, state in _states.items()}
        self._torch = _torch_states()

    def set_aside(self, before: Mapping[str, object]) -> None:
        """Take what was drawn since these states for none of the step's, unless it had drawn before."""
        for name, state in before.items():
            if self._before.get(name) == state:
                self._before[name] = _states[name]()

    def stop(self) -> tuple[str, ...]:
        """The generators that were drawn from, and not seeded."""
        _watching.remove(self)
        drawn = [
            name
            for name, state in _states.items()
            if name in self._before and name not in _seeded and state() != self._before[name]
        ]
        for generator, name in _torch_generators():
            before, seed = self._torch.get(name) or _fresh(generator)
            if generator.initial_seed() != seed:
                generator.set_state(before)  # so that the next node's seed is told from this one's
            elif generator.get_state().numpy().tobytes() != before.numpy().tobytes():
                drawn.append(name)
        return tuple(drawn)


@contextmanager
def importing_library(module: ModuleType) -> Iterator[None]:
    """Around the import of a module: what a library draws while it is loaded is not drawn by the step."""
    origin = getattr(module.__spec__, "origin", None) or ""
    if not _watching or _loading or not any(place in origin for place in _LIBRARIES):
        yield
        return
    _loading.append(module.__name__)
    before = {name: state() for name, state in _states.items()}
    try:
        yield
    finally:
        _loading.clear()
        for watch in _watching:
            watch.set_aside(before)


def attach() -> None:
    """Look after `random`, and after NumPy's generator where it is there."""
    if "random" not in _states:
        _see_seeds("random", random, ("seed", "setstate"))
        _states["random"] = _state_of_python()
    if "numpy.random" not in _states:
        module: Any = sys.modules.get("numpy.random.mtrand")
        if module is not None and hasattr(module, "seed"):
            _states["numpy.random"] = _state_of_numpy(module)
            for place in (module, sys.modules.get("numpy.random")):
                _see_seeds("numpy.random", place, ("seed", "set_state"))


def importing(name: str) -> None:
    """A module is about to be imported. Of NumPy's generator, remember the state before a step can draw from it."""
    if name == "numpy.random" and _watching and _Finder.INSTANCE not in sys.meta_path:
        sys.meta_path.insert(0, _Finder.INSTANCE)


class _Finder:
    """Finds `numpy.random` as Python does, and attaches to it when it has been loaded."""

    INSTANCE: _Finder

    def find_spec(self, name: str, path: Any = None, _target: Any = None) -> ModuleSpec | None:
        if name != "numpy.random":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        loader: Any = None if spec is None else spec.loader
        if loader is not None and hasattr(loader, "exec_module"):
            load = loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                attach()
                for watch in _watching:
                    watch.remember("numpy.random")

            loader.exec_module = exec_module
        return spec


_Finder.INSTANCE = _Finder()


def _see_seeds(name: str, module: Any, functions: tuple[str, ...]) -> None:
    for function in functions:
        original = getattr(module, function, None)
        if original is not None and not hasattr(original, "__wrapped__"):
            setattr(module, function, _told(name, original))


def _told(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def seed(*args: Any, **named: Any) -> Any:
        _seeded.add(name)
        return original(*args, **named)

    seed.__name__ = seed.__qualname__ = getattr(original, "__name__", "seed")
    seed.__doc__ = original.__doc__
    seed.__wrapped__ = original  # type: ignore[attr-defined]
    return seed


def _state_of_python() -> State:
    """The state of `random`: in CPython, the position and the words that follow the head of the object."""
    import ctypes

    generator: Any = random._inst
    size = 4 * (1 + _WORDS)
    if type(generator).__basicsize__ >= object.__basicsize__ + size:
        place = id(generator) + object.__basicsize__
        *words, position = generator.getstate()[1]
        if list((ctypes.c_uint32 * (1 + _WORDS)).from_address(place)) == [position, *words]:
            return lambda: ctypes.string_at(place, size)
    return lambda: generator.getstate()


def _state_of_numpy(module: Any) -> State:
    """The state of NumPy's global generator; another one put in its place is another state."""
    import ctypes

    generator: Any = module._rand
    known = generator._bit_generator
    place = known.ctypes.state_address
    size = 4 * (1 + _WORDS)
    if list((ctypes.c_uint32 * _WORDS).from_address(place)) != list(known.state.get("state", {}).get("key", ())):
        return lambda: repr(generator._bit_generator.state)
    return lambda: ctypes.string_at(place, size) if generator._bit_generator is known else None


def _torch_generators() -> list[tuple[Any, str]]:
    """torch's generators with their names: that of the processor, and those of devices in use."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "default_generator"):
        return []
    found = [(torch.default_generator, "torch")]
    cuda: Any = sys.modules.get("torch.cuda")
    if cuda is not None and getattr(cuda, "_initialized", False):
        found += [(generator, f"torch.cuda:{index}") for index, generator in enumerate(cuda.default_generators)]
    return found


def _torch_states() -> dict[str, tuple[Any, int]]:
    return {name: (generator.get_state(), generator.initial_seed()) for generator, name in _torch_generators()}


def _fresh(generator: Any) -> tuple[Any, int]:
    """What a generator was before the step, which has brought it to be: its seed is torch's own unless it is small."""
    fresh: Any = sys.modules["torch"].Generator(device=generator.device)
    if generator.initial_seed() < _LARGEST_SEED:
        seed = fresh.seed()
        return fresh.get_state(), seed
    fresh.manual_seed(generator.initial_seed())
    return fresh.get_state(), generator.initial_seed()
