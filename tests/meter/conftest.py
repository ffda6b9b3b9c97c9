from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from etude.meter.sources.clock import ManualClock

# Time is never a test: a busy machine must not fail a property.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(ns=1_000_000_000_000)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc that shows nothing."""
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder
