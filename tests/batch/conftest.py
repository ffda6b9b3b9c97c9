"""Fixtures for tests of batch jobs."""

from __future__ import annotations

import pytest

from batching import STEPS, Batch
from projects import Project


@pytest.fixture
def batch(project: Project) -> Batch:
    """A study of three variants, as batch jobs."""
    project.write(STEPS)
    return Batch(project)
