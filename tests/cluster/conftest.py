"""Fixtures for tests on a real SLURM."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.slurm_bed import SlurmBed, missing, slurm


@pytest.fixture(scope="session")
def shared_bed() -> Iterator[SlurmBed]:
    """One cluster for all tests of a process, with accounting where that is installed."""
    with tempfile.TemporaryDirectory(prefix="bed") as folder:
        yield from slurm(Path(folder), accounting=not missing(accounting=True))


@pytest.fixture
def bed(shared_bed: SlurmBed, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmBed]:
    """The cluster with nothing on it, spoken to by every command that this process starts."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, shared_bed.environment[name])
    yield shared_bed
    shared_bed.clear()


@pytest.fixture
def plain_bed() -> Iterator[SlurmBed]:
    """A cluster of its own, without accounting."""
    with tempfile.TemporaryDirectory(prefix="bed") as folder:
        yield from slurm(Path(folder))
