"""What batch systems print, understood: words, times, sizes and codes."""

from __future__ import annotations

import pytest

from etude.cluster.schedulers import htcondor, pbs, scheduler_of, slurm
from etude.cluster.schedulers.commands import chunks, clock_s
from etude.cluster.schedulers.scheduler import JobAccount, Phase, task_id
from etude.errors import BackendError


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("PENDING", Phase.QUEUED),
        ("CONFIGURING", Phase.QUEUED),
        ("REQUEUE_HOLD", Phase.QUEUED),
        ("RUNNING", Phase.RUNNING),
        ("COMPLETING", Phase.RUNNING),
        ("SUSPENDED", Phase.RUNNING),
        ("COMPLETED", Phase.ENDED),
        ("CANCELLED by 1000", Phase.ENDED),
        ("NODE_FAIL", Phase.ENDED),
        ("PREEMPTED", Phase.ENDED),
        ("OUT_OF_MEMORY", Phase.ENDED),
    ],
)
def test_slurms_words(word: str, phase: Phase) -> None:
    assert slurm.phase_of(word) is phase


def test_a_job_that_was_requeued_has_cost_all_the_times_that_it_ran_and_ended_as_the_last_did() -> None:
    said = (
        "7|NODE_FAIL|60|00:50||100|1:0|node1\n"
        "7.batch|CANCELLED|60|00:50|3G|100|0:15|node1\n"
        "7|REQUEUED|0|00:00||0|0:0|None assigned\n"
        "7|COMPLETED|30|00:20||50|0:0|node2\n"
        "7.batch|COMPLETED|30|00:20|1G|50|0:0|node2\n"
    )
    account = slurm.accounts_in(said)["7"]
    assert (account.word, account.exit_code, account.nodes) == ("COMPLETED", 0, "node1,node2")
    assert (account.wall_s, account.cpu_s, account.energy_j) == (90.0, 70.0, 150.0)
    assert account.peak_rss_bytes == 3 * 2**30


def test_slurms_accounts_take_memory_from_the_steps_and_energy_where_it_was_measured() -> None:
    said = (
        "7|COMPLETED|3661|01:00:30||1500|0:0|node[1-2]\n"
        "7.batch|COMPLETED|3661|01:00:30|2048K|1500|0:0|node1\n"
        "7.0|COMPLETED|3600|00:59:00|1.5G|1400|0:0|node[1-2]\n"
        "8_3|FAILED|5|00:01.500||0|0:9|node1\n"
        "9|RUNNING|5|00:00:00||0|0:0|node1\n"
    )
    accounts = slurm.accounts_in(said)
    assert accounts["7"] == JobAccount(
        word="COMPLETED",
        exit_code=0,
        wall_s=3661.0,
        cpu_s=3630.0,
        peak_rss_bytes=round(1.5 * 2**30),
        energy_j=1500.0,
        nodes="node[1-2]",
    )
    assert accounts["8_3"].exit_code == 137
    assert accounts["8_3"].energy_j is None
    assert accounts["9"].exit_code is None, "a job that runs has none yet"


def test_pbss_facts() -> None:
    facts = {
        "job_state": "F",
        "Exit_status": 271,
        "comment": "killed",
        "exec_host": "node1/0*8+node2/0*8",
        "resources_used": {"walltime": "01:00:01", "cput": "00:30:00", "mem": "2048kb"},
    }
    assert pbs.state_of(facts).phase is Phase.ENDED
    account = pbs.account_of(facts)
    assert (account.exit_code, account.wall_s, account.cpu_s) == (271, 3601.0, 1800.0)
    assert account.peak_rss_bytes == 2048 * 1024
    assert account.nodes == "node1+node2"
    assert account.energy_j is None
    assert pbs.account_of({"job_state": "Q"}) == JobAccount(word="Q")
    assert pbs.state_of({"job_state": "B"}).phase is Phase.RUNNING
    assert pbs.account_of({"resources_used": {"mem": "3gb"}}).peak_rss_bytes == 3 * 2**30


def test_condors_holds_are_ends_unless_somebody_asked_for_them() -> None:
    late = {"JobStatus": 5, "HoldReasonCode": 47, "HoldReason": "exceeded allowed execute duration"}
    assert htcondor.state_of(late).phase is Phase.ENDED
    assert "execute duration" in htcondor.state_of(late).reason
    assert htcondor.state_of({"JobStatus": 5, "HoldReasonCode": 1}).phase is Phase.QUEUED
    assert htcondor.state_of({"JobStatus": 6}).phase is Phase.RUNNING


def test_condors_accounts() -> None:
    ad = {
        "JobStatus": 4,
        "ExitBySignal": True,
        "ExitSignal": 9,
        "RemoteWallClockTime": 12.0,
        "RemoteUserCpu": 3.0,
        "RemoteSysCpu": 1.0,
        "ResidentSetSize": 1000,
        "LastRemoteHost": "slot1@node",
    }
    account = htcondor.account_of(ad)
    assert (account.exit_code, account.wall_s, account.cpu_s) == (137, 12.0, 4.0)
    assert account.peak_rss_bytes == 1_024_000
    assert htcondor.account_of({"JobStatus": 1}) == JobAccount(word="idle")
    assert htcondor.ads_in("") == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00:01.500", 1.5), ("01:02:03", 3723.0), ("2-00:00:01", 172801.0), ("", None), ("n/a", None), ("7", None)],
)
def test_times_of_schedulers(text: str, expected: float | None) -> None:
    assert clock_s(text) == expected


def test_tasks_of_arrays_have_ids_as_each_scheduler_writes_them() -> None:
    assert task_id("slurm", "12", 3) == "12_3"
    assert task_id("pbs", "12[].server", 3) == "12[3].server"
    assert task_id("htcondor", "12.0", 3) == "12.3"


def test_many_ids_are_asked_for_in_lots() -> None:
    assert [len(some) for some in chunks([str(number) for number in range(450)])] == [200, 200, 50]


def test_a_scheduler_that_takes_no_jobs_of_ours_is_told_with_what_to_do() -> None:
    with pytest.raises(BackendError, match="pilot jobs"):
        scheduler_of("lsf", {})
