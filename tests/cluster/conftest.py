"""Fixtures for tests on a real SLURM."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.sites import Site
from cluster.slurm_bed import SlurmBed, missing, slurm
from cluster.standin_pool import StandinPool, standin_pool


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


@pytest.fixture
def standins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinPool]:
    """A batch system that stands in for PBS Pro and HTCondor, spoken to by every command that this process starts."""
    for pool in standin_pool(tmp_path / "pool"):
        for name in ("PATH", "STANDIN_POOL", "STANDIN_PYTHON"):
            monkeypatch.setenv(name, pool.environment[name])
        yield pool


@pytest.fixture(params=["slurm", "pbs", "htcondor"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each batch system in turn."""
    stage = request.getfixturevalue("bed" if request.param == "slurm" else "standins")
    return Site(request.param, stage)
