"""A study as batch jobs on each batch system: a real SLURM, and stand-ins of PBS Pro and HTCondor."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cluster.cluster_project import ClusterProject, undisturbed
from cluster.sites import Site
from cluster.slurm_bed import SlurmBed

pytestmark = pytest.mark.slow

BATCH = ("--one-job-per", "variant")


@pytest.fixture
def project(site: Site, tmp_path: Path) -> ClusterProject:
    made = ClusterProject(tmp_path / "project", site.environment)
    made.profile(scheduler=site.kind, cpus=1)
    made.study()
    return made


def rows(project: ClusterProject) -> list[dict[str, str]]:
    with (project.folder / "results" / "faults" / "jobs.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("how", [{}, {"paced": True}, {"array": True}, {"queued": 1}], ids=str)
def test_each_variant_is_a_job_however_they_are_handed_in(
    site: Site, project: ClusterProject, how: dict[str, object]
) -> None:
    project.profile(scheduler=site.kind, cpus=1, **how)
    project.finish(project.start(*BATCH))
    assert project.scores() == undisturbed(2, 5)
    assert sorted(project.calls()) == ["base", "train0-from-0", "train1-from-0"]
    assert [row["variant"] for row in rows(project)] == ["k=0", "k=1", "collect"]


def test_the_schedulers_account_stands_beside_our_own_figures(site: Site, project: ClusterProject) -> None:
    if isinstance(site.stage, SlurmBed) and not site.stage.accounting:
        pytest.skip("slurmdbd and mariadb are not installed")
    project.finish(project.start(*BATCH))
    first = rows(project)[0]
    assert first["exit_code"] == "0"
    assert float(first["job_wall_s"]) >= 0
    assert float(first["own_wall_s"]) > 0
    assert first["job_energy_j"] == "", "nothing here measures it"


def test_a_job_that_runs_out_of_time_without_heeding_it_is_told_as_lost(site: Site, project: ClusterProject) -> None:
    if site.kind == "slurm":
        pytest.skip("SLURM ends jobs by the minute; the stand-ins by the second")
    project.study(variants=1, to=5, retries=1)
    project.profile(scheduler=site.kind, cpus=1, walltime="8s", grace="1s")
    steps = (project.folder / "training.py").read_text()
    deaf = steps.replace("if ctx.stopping:", "if False:")
    (project.folder / "training.py").write_text(deaf)
    project.hold()
    process = project.start(*BATCH)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    assert "lost" in output
    assert "exceeded" in output
