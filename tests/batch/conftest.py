"""Fixtures for tests of batch jobs."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from batching import STEPS, Batch
from projects import Project


@pytest.fixture
def batch(project: Project) -> Batch:
    """A study of three variants, as batch jobs."""
    project.write(STEPS)
    return Batch(project)


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Put back what a job that runs in this process does with signals: later tests start processes that inherit it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
