"""Fixture's half of the stand-ins: a pool of its own for each test, and the commands on PATH."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMMANDS = Path(__file__).parent / "standins"
sys.path.append(str(COMMANDS))

from batch_pool import Pool  # noqa: E402


@dataclass
class StandinPool:
    """A batch system that stands in for PBS Pro and HTCondor. See `standins/batch_pool.py`."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with the stand-ins' commands first on PATH."""
        path = os.pathsep.join((str(COMMANDS), os.environ.get("PATH", "")))
        return {**os.environ, "PATH": path, "STANDIN_POOL": str(self.folder), "STANDIN_PYTHON": sys.executable}

    def scene(self, name: str, text: str | None) -> None:
        """Set the scene (`waiting`, `refuse`, `away`, `slots`, `gpus`), or take it away with None."""
        path = self.folder / name
        path.unlink(missing_ok=True) if text is None else path.write_text(text)

    @property
    def pool(self) -> Pool:
        return Pool(self.folder)

    def states(self) -> dict[str, str]:
        """Job → its state."""
        return {job["id"]: job["state"] for job in self.pool.jobs()}


def standin_pool(folder: Path) -> Iterator[StandinPool]:
    """A pool for the length of a fixture."""
    folder.mkdir()
    found = StandinPool(folder)
    yield found
    found.pool.end_all()
