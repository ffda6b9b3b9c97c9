"""`etude cluster check`: a tiny job on a real SLURM and on stand-ins, and every step that can fail."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cluster.sites import Site
from etude.cluster.profile import Profile
from etude.pilots.cluster_check import Check, CheckFinding
from etude.pilots.probe import ahead_s

pytest.importorskip("parsl")
pytestmark = pytest.mark.slow


def findings(profile: Profile, site: Site, tmp_path: Path, **how: Any) -> dict[str, CheckFinding]:
    check = Check(
        profile=profile, folder=tmp_path / "check", store=tmp_path / "store", environment=dict(site.environment), **how
    )
    return {finding.step: finding for finding in check.findings()}


def test_a_profile_that_works_is_found_to_work_in_every_step(site: Site, tmp_path: Path) -> None:
    found = findings(replace(site.profile, gpus=1), site, tmp_path)
    assert all(finding.works for finding in found.values()), found
    steps = ["commands", "submission", "start", "étude", "engine", "store", "network", "gpu", "clock"]
    assert list(found) == steps
    assert not list((tmp_path / "store").glob("check-*")), "it leaves nothing in the store's folder"


def test_a_job_that_does_not_start_is_told_with_the_reason_of_its_queue_and_cancelled(
    site: Site, tmp_path: Path
) -> None:
    site.hold_back()
    told: list[str] = []
    found = findings(site.profile, site, tmp_path, timeout_s=3.0, tell=told.append)
    assert not found["start"].works
    assert "its queue says: " in found["start"].detail
    assert told
    site.let_go()


def test_an_environment_without_etude_is_told(site: Site, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/bash\nexec {sys.executable} -S -I -c 'import etude'\n")
    python.chmod(0o755)
    found = findings(replace(site.profile, python=str(python)), site, tmp_path)
    assert not found["étude"].works
    assert "No module named 'etude'" in found["étude"].detail
    assert "setup:" in found["étude"].mend


def test_a_store_that_the_machines_do_not_see_is_told(site: Site, tmp_path: Path) -> None:
    """As if the store's folder were on this machine alone: the job empties it before it looks."""
    hide = f"mv {tmp_path}/store {tmp_path}/hidden; mkdir {tmp_path}/store"
    found = findings(replace(site.profile, setup=(hide,)), site, tmp_path)
    assert not found["store"].works
    assert "No such file" in found["store"].detail
    assert "share" in found["store"].mend


def test_an_address_that_is_not_reached_from_the_cluster_is_told(site: Site, tmp_path: Path) -> None:
    found = findings(replace(site.profile, address="192.0.2.1"), site, tmp_path)
    assert not found["network"].works
    assert "address:" in found["network"].mend


def test_commands_that_are_not_installed_are_told_before_anything_is_submitted(tmp_path: Path) -> None:
    check = Check(
        profile=Profile(name="x", scheduler="lsf"),
        folder=tmp_path / "check",
        store=tmp_path / "store",
        environment={"PATH": str(tmp_path)},
    )
    [finding] = list(check.findings())
    assert (finding.step, finding.works) == ("commands", False)
    assert finding.detail == "not on PATH: bsub, bjobs, bkill"
    assert not (tmp_path / "check").exists()


def test_a_partition_that_does_not_exist_is_told_in_the_schedulers_words(bed: Any, tmp_path: Path) -> None:
    site = Site("slurm", bed)
    found = findings(replace(site.profile, partition="none"), site, tmp_path)
    assert not found["submission"].works
    assert "invalid partition" in found["submission"].detail.lower()


def test_two_machines_with_one_clock_are_not_apart(tmp_path: Path) -> None:
    assert abs(ahead_s(tmp_path / "one") - ahead_s(tmp_path / "two")) < 1.0
