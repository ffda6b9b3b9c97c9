"""A context to call steps with, outside of any run."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class StepContext:
    """Remembers what it was told, and asks to stop once that much is done."""

    scratch: Path
    project: Path = field(default_factory=Path.cwd)
    stop_after: float = float("inf")
    devices: tuple[str, ...] = ()
    cpus: int = 1
    told: list[float] = field(default_factory=list)
    reports: list[tuple[float, float]] = field(default_factory=list)

    @property
    def stopping(self) -> bool:
        return bool(self.told) and self.told[-1] >= self.stop_after

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        self.told.append(done)

    def report(self, step: float, value: float) -> None:
        self.reports.append((step, value))

    def window(self, name: str) -> AbstractContextManager[None]:
        return nullcontext()
