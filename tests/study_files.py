"""Types of the fixtures that write and read study files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from etude.config import Reading
from etude.errors import Fault


class Write(Protocol):
    """Write a file of the study's folder: `write(text, "base.yaml")`."""

    def __call__(self, text: str | bytes, name: str = ...) -> Path: ...


class Read(Protocol):
    """Write a study and read it: `read(text, overrides=["seed=1"])`."""

    def __call__(self, text: str | bytes, name: str = ..., **how: object) -> Reading: ...


class FaultAt(Protocol):
    """The one fault of a study at a path: `fault_at(text, "place.workers")`."""

    def __call__(self, text: str | bytes, path: str, name: str = ..., **how: object) -> Fault: ...
