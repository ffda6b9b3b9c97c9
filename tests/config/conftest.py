"""Studies written to a temporary folder and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.config import Reading, read_study
from etude.errors import Fault
from study_files import FaultAt, Read, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the study's folder: `write(text, "base.yaml")`."""

    def do(text: str | bytes, name: str = "study.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return do


@pytest.fixture
def read(write: Write) -> Read:
    """Write a study and read it: `read(text, overrides=["seed=1"])`."""

    def do(text: str | bytes, name: str = "study.yaml", **how: object) -> Reading:
        return read_study(write(text, name), **how)  # type: ignore[arg-type]

    return do


@pytest.fixture
def fault_at(read: Read) -> FaultAt:
    """The one fault of a study at this path."""

    def do(text: str | bytes, path: str, name: str = "study.yaml", **how: object) -> Fault:
        faults = read(text, name, **how).faults
        found = [fault for fault in faults if fault.path == path]
        assert len(found) == 1, f"{path} is not once among:\n" + "\n".join(map(str, faults))
        return found[0]

    return do
