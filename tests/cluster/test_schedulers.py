"""What étude asks of a batch system, asked of a real SLURM and of stand-ins of PBS Pro and HTCondor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.sites import Site
from cluster.slurm_bed import SlurmBed, until
from cluster.standin_pool import StandinPool
from etude.cluster.schedulers import scheduler_of
from etude.cluster.schedulers.commands import outside_jobs
from etude.cluster.schedulers.scheduler import Phase, task_id
from etude.errors import BackendError, JobRefused, SchedulerAway

pytestmark = pytest.mark.slow


def phase(site: Site, id_: str) -> Phase | None:
    state = site.scheduler.look([id_]).get(id_)
    return state.phase if state is not None else None


def reaches(site: Site, id_: str, wanted: Phase) -> None:
    until(lambda: phase(site, id_) is wanted, f"job {id_} to be {wanted}", lambda: str(site.scheduler.look([id_])))


def test_a_job_is_queued_then_runs_then_has_ended(site: Site, tmp_path: Path) -> None:
    site.hold_back()
    gate = tmp_path / "gate"
    id_ = site.scheduler.submit(site.script(tmp_path / "a", f"while [ ! -e {gate} ]; do sleep 0.1; done; echo done"))
    reaches(site, id_, Phase.QUEUED)
    if site.kind != "htcondor":  # whose queue gives none
        until(lambda: bool(site.scheduler.look([id_])[id_].reason), "a reason for waiting")
    site.let_go()
    reaches(site, id_, Phase.RUNNING)
    gate.touch()
    reaches(site, id_, Phase.ENDED)
    assert (tmp_path / "a" / "output").read_text() == "done\n"


def test_a_job_is_found_by_its_name(site: Site, tmp_path: Path) -> None:
    first = site.scheduler.submit(site.script(tmp_path / "a", "sleep 30", name="one.ab12"))
    site.scheduler.submit(site.script(tmp_path / "b", "sleep 30", name="one.cd34"))
    assert list(site.scheduler.find("one.ab12")) == [first]
    assert list(site.scheduler.find("one")) == []


def test_a_job_is_cancelled_whether_it_waits_or_runs(site: Site, tmp_path: Path) -> None:
    running = site.scheduler.submit(site.script(tmp_path / "a", "sleep 60"))
    reaches(site, running, Phase.RUNNING)
    site.hold_back()
    waiting = site.scheduler.submit(site.script(tmp_path / "b", "sleep 60"))
    site.scheduler.cancel([running, waiting])
    for id_ in (running, waiting):
        until(lambda id_=id_: phase(site, id_) in (Phase.ENDED, None), "the end")
    site.let_go()


def test_cancelling_a_job_that_is_over_does_nothing(site: Site, tmp_path: Path) -> None:
    id_ = site.scheduler.submit(site.script(tmp_path / "a", "true"))
    reaches(site, id_, Phase.ENDED)
    site.scheduler.cancel([id_])


def test_a_job_that_is_not_known_is_left_out(site: Site, tmp_path: Path) -> None:
    known = site.scheduler.submit(site.script(tmp_path / "a", "true"))
    unknown = {"slurm": "999999", "pbs": "999999.standin", "htcondor": "999999.0"}[site.kind]
    assert site.scheduler.look([unknown, known]).keys() == {known}
    assert site.scheduler.look([unknown]) == {}
    assert site.scheduler.account([unknown]) == {}


def test_a_job_waits_for_those_that_it_comes_after(site: Site, tmp_path: Path) -> None:
    if site.kind == "htcondor":
        pytest.skip("HTCondor orders jobs in a graph of its own")
    gate = tmp_path / "gate"
    first = site.scheduler.submit(site.script(tmp_path / "a", f"while [ ! -e {gate} ]; do sleep 0.1; done; exit 3"))
    second = site.scheduler.submit(site.script(tmp_path / "b", "true", after=(first,)))
    reaches(site, first, Phase.RUNNING)
    until(lambda: bool(site.scheduler.look([second])[second].reason), "a reason for waiting")
    assert phase(site, second) is Phase.QUEUED
    gate.touch()
    reaches(site, second, Phase.ENDED)


def test_the_tasks_of_an_array_are_jobs_of_their_own(site: Site, tmp_path: Path) -> None:
    base = site.scheduler.submit(site.script(tmp_path / "a", 'echo "task $ETUDE_TASK"', array=3))
    ids = [task_id(site.kind, base, index) for index in range(3)]
    for id_ in ids:
        reaches(site, id_, Phase.ENDED)
    said = [(tmp_path / "a" / f"output.{index}").read_text() for index in range(3)]
    assert said == ["task 0\n", "task 1\n", "task 2\n"]


def test_the_account_of_a_job_tells_what_it_used(site: Site, tmp_path: Path) -> None:
    if isinstance(site.stage, SlurmBed) and not site.stage.accounting:
        pytest.skip("slurmdbd and mariadb are not installed")
    work = "x = b'x' * 60_000_000; import time\nwhile time.process_time() < 1.5: pass\ntime.sleep(1.5)"
    work = f'python3 -c "{work}"; exit 7'
    id_ = site.scheduler.submit(site.script(tmp_path / "a", work))
    reaches(site, id_, Phase.ENDED)
    until(lambda: site.scheduler.account([id_])[id_].exit_code is not None, "the account")
    account = site.scheduler.account([id_])[id_]
    assert account.exit_code == 7
    assert account.wall_s is not None
    assert 1 <= account.wall_s < 60
    assert account.cpu_s is not None
    assert account.cpu_s >= 1
    assert account.peak_rss_bytes is not None
    assert account.peak_rss_bytes > 50_000_000
    assert account.energy_j is None, "no meter here: not measured is not 0"


def test_a_job_is_stopped_at_its_walltime(standins: StandinPool, tmp_path: Path) -> None:
    for kind in ("pbs", "htcondor"):
        site = Site(kind, standins)
        id_ = site.scheduler.submit(site.script(tmp_path / kind, "sleep 60", walltime_s=1))
        reaches(site, id_, Phase.ENDED)
        assert "exceeded" in site.scheduler.look([id_])[id_].reason


def test_a_job_that_is_refused_says_why(site: Site, tmp_path: Path) -> None:
    if isinstance(site.stage, SlurmBed):
        site.profile = site.profile.__class__(name="site", scheduler="slurm", partition="nowhere")
        words = "invalid partition"
    else:
        site.stage.scene("refuse", "would exceed the limit on jobs per user")
        words = "limit on jobs per user"
    with pytest.raises(JobRefused, match=words):
        site.scheduler.submit(site.script(tmp_path / "a", "true"))


def test_a_scheduler_that_does_not_answer_may_later(standins: StandinPool, tmp_path: Path) -> None:
    standins.scene("away", "connection refused")
    for kind in ("pbs", "htcondor"):
        with pytest.raises(SchedulerAway):
            scheduler_of(kind, standins.environment).look(["1.0"])


def test_a_slurm_whose_controller_is_down_is_away(plain_bed: SlurmBed, tmp_path: Path) -> None:
    site = Site("slurm", plain_bed)
    id_ = site.scheduler.submit(site.script(tmp_path / "a", "sleep 30"))
    plain_bed.stop_controller()
    with pytest.raises(SchedulerAway):
        site.scheduler.look([id_])
    with pytest.raises(SchedulerAway):
        site.scheduler.submit(site.script(tmp_path / "b", "true"))
    plain_bed.start_controller()
    until(lambda: plain_bed.jobs() == [id_], "the controller")
    assert site.scheduler.account([id_]) == {}, "a site without accounting tells nothing"


@pytest.mark.parametrize("kind", ["slurm", "pbs", "htcondor"])
def test_a_scheduler_that_is_not_installed_is_told_with_the_mend(kind: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="login node") as told:
        scheduler_of(kind, {"PATH": str(tmp_path)}).submit(tmp_path / "job.sh")
    assert not isinstance(told.value, SchedulerAway)


def test_a_job_that_submits_another_hands_nothing_of_its_own_on(site: Site, tmp_path: Path) -> None:
    inside = {**os.environ, **site.environment, "SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "1", "PBS_JOBID": "7.x"}
    kept = outside_jobs(inside)
    assert not kept.keys() & {"SLURM_JOB_ID", "SLURM_MEM_PER_NODE", "PBS_JOBID"}
    id_ = scheduler_of(site.kind, inside).submit(site.script(tmp_path / "a", "true"))
    reaches(site, id_, Phase.ENDED)
