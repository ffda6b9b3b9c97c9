"""A step: a plain typed function. Positional parameters are inputs, keyword-only parameters are settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeVar, overload

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__etude_step__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Marks a setting that cannot change the result: `workers: Annotated[int, placement] = 1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInput:
    """Marks a setting that names a file or folder whose content, not whose path, is identity."""

    folder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """Marks a setting that is a command line: the project's files that it names are identity, `{name}` is an input."""


OUT = "out"
"""`{out}` in a command line is the folder that the command writes to."""
placement = Placement()
InputFile = Annotated[Path, FileInput()]
"""A setting's type: a file that the step reads. Its content (and its suffix) is identity, its place is not."""
InputFolder = Annotated[Path, FileInput(folder=True)]
"""A setting's type: a folder that the step reads. Its files' contents and relative names are identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """What `@step(...)` says of a function."""

    deterministic: bool = True


class Context(Protocol):
    """What a running step may know of its run. Ask for it with a keyword parameter `ctx: Context`; never identity."""

    @property
    def scratch(self) -> Path:
        """A folder of this node's own, kept between attempts and dropped once the result is stored."""
        ...

    @property
    def project(self) -> Path:
        """The folder of the project whose study runs: what a study names by a path starts from here."""
        ...

    @property
    def devices(self) -> tuple[str, ...]:
        """Accelerators given to this node, as torch names them (`cuda:0`); empty on the CPU."""
        ...

    @property
    def cpus(self) -> int:
        """Cores given to this node."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop: write a checkpoint to `scratch`, then raise `Stopped`."""
        ...

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell how far the step is; cheap enough to call in every iteration."""
        ...

    def report(self, step: float, value: float) -> None:
        """Tell how the step does so far: the study's objective after so many epochs, steps or examples.

        A search may then ask the trial to stop early: `stopping` becomes true, as when a run is stopped.
        """
        ...

    def window(self, name: str) -> AbstractContextManager[object]:
        """Mark an interval of the step whose cost is wanted of its own: `with ctx.window("prefill"):`."""
        ...


@dataclass(frozen=True, slots=True)  # positional: it is public, and users may build it so
class Across(Generic[T]):
    """The results of one node across all variants (`node[*]`), read one at a time."""

    variants: tuple[Mapping[str, object], ...]
    """The params of each variant, in the order of the study."""
    readers: tuple[Callable[[], T], ...]

    def __len__(self) -> int:
        return len(self.variants)

    def __iter__(self) -> Iterator[tuple[Mapping[str, object], T]]:
        for params, read in zip(self.variants, self.readers, strict=True):
            yield params, read()

    def values(self) -> Iterator[T]:
        """The results alone, in the order of the variants."""
        return (read() for read in self.readers)

    @staticmethod
    def of(variants: Sequence[Mapping[str, object]], values: Sequence[T]) -> Across[T]:
        """The same from values at hand, for tests and scripts."""
        return Across(variants=tuple(variants), readers=tuple(partial(_same, value) for value in values))


def _same(value: T) -> T:
    return value


@overload
def step(function: F, /) -> F: ...
@overload
def step(*, deterministic: bool = True) -> Callable[[F], F]: ...
def step(function: F | None = None, /, *, deterministic: bool = True) -> F | Callable[[F], F]:
    """Make a function usable as a step. The function itself stays as it is and can be called as ever.

    Args:
        function: Positional parameters are inputs, keyword-only parameters are settings, and a keyword parameter
            `ctx` receives the `Context`. All must be annotated.
        deterministic: False where equal inputs and settings may give unequal results; the manifest says so.
    """

    def mark(marked: F) -> F:
        setattr(marked, _MARK, StepOptions(deterministic=deterministic))
        return marked

    return mark if function is None else mark(function)


def options_of(function: Callable[..., Any]) -> StepOptions | None:
    """What `@step` said of this function; None where it is not marked."""
    found = getattr(function, _MARK, None)
    return found if isinstance(found, StepOptions) else None
