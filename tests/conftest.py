"""Fixtures that tests of many rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from projects import Project

settings.register_profile("etude", deadline=None)
settings.load_profile("etude")
"""How long an example takes says how busy the machine is, and nothing of the code."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project of a user."""
    return Project(tmp_path)
