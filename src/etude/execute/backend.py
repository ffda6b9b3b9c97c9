"""Where nodes run, behind one small interface."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from etude.execute.task import Outcome, Task
from etude.graph.pipeline import Needs


class Progress(NamedTuple):
    """How far a running step says it is, or how it does."""

    fingerprint: str
    done: float
    total: float | None
    message: str
    value: float | None = None
    """What the step reports at `done`: a measure of how it does, by which a search may stop it early."""
    starts: bool = False
    """Whether this says that the attempt runs from now on. A backend tells it before all else, once for each start:
    what was submitted may wait for long."""


TellProgress = Callable[[Progress], None]


class Backend(Protocol):
    """Runs calls, each to an outcome. A future never raises: what goes wrong is an outcome."""

    def admits(self, needs: Needs) -> bool:
        """Whether a node with these needs would start at once."""
        ...

    def refuses(self, needs: Needs) -> str | None:
        """Why a node with these needs can never run here; None if it can."""
        ...

    def submit(self, call: Task) -> Future[Outcome]:
        """Start a call."""
        ...

    def interrupt(self) -> None:
        """Ask all running steps to stop at their next checkpoint."""
        ...

    def cancel(self, fingerprint: str, reason: str, *, now: bool = True) -> None:
        """End a running node now, as `lost` and not to be tried again; or ask it to stop at its next checkpoint."""
        ...

    def close(self) -> None:
        """Stop everything that still runs and free what is held."""
        ...
