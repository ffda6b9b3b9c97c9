from __future__ import annotations

from pathlib import Path

import pytest

from etude.meter.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(ns=1_000_000_000_000)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc that shows nothing."""
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder
