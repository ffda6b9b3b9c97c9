"""What the command line does when a try of a profile is ended, and when a pool of jobs can run no node at all."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from etude.cli.commands.cluster import _ended_by_signals
from etude.cli.run_summary import _by_cause
from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.schedulers.scheduler import JobState, Phase
from etude.execute.runner import Failure
from etude.execute.task import Outcome, Status
from etude.graph.node import Node
from etude.pilots.cluster_check import Check
from projects import CALLED, Project


class Queue:
    """A scheduler in whose queue a job waits for ever."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def submit(self, job: Job, folder: Path) -> str:
        return "7"

    def look(self, job: str) -> JobState:
        return JobState(phase=Phase.QUEUED, word="PENDING", reason="Resources")

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("waits", [False, True])
def test_a_try_that_a_signal_ends_leaves_no_job_in_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, waits: bool
) -> None:
    queue = Queue()
    monkeypatch.setattr("etude.pilots.cluster_check._submits", lambda *_: queue)
    ends = lambda *_: os.kill(os.getpid(), number)  # noqa: E731
    tell = ends if waits else lambda _why: None
    check = Check(
        profile=Profile(name="site", scheduler="local"),
        folder=tmp_path / "check",
        store=tmp_path / "store",
        environment=os.environ,
        tell=tell,
    )

    def watch() -> None:
        with _ended_by_signals(), closing(check.findings()) as findings:
            for finding in findings:
                if finding.step == "submission" and not waits:
                    ends()

    with pytest.raises(SystemExit) as ended:
        watch()
    assert ended.value.code == 128 + number
    assert queue.cancelled == ["7"]
    assert signal.getsignal(number) is not ends


def test_nodes_that_one_cause_has_cost_are_told_together(tmp_path: Path) -> None:
    project = Project(tmp_path).write(CALLED + "\n@step\ndef f(*, k: int) -> int:\n    return k\n")
    study = project.study({f"n{k}": ("f", None, {"k": k}) for k in range(4)})
    nodes = [node for node in project.prepare(study).plan.todo if node.name.startswith("n")]
    broken = Outcome(status=Status.LOST, error="no job can start", again=False)
    own = Outcome(status=Status.FAILED, error="ValueError: no")

    def failures(*outcomes: Outcome) -> list[Failure]:
        return [Failure(node=node, outcome=outcome, attempts=1) for node, outcome in zip(nodes, outcomes, strict=True)]

    def labels(groups: list[list[Failure]]) -> list[list[str]]:
        return [[failure.node.name for failure in group] for group in groups]

    assert isinstance(nodes[0], Node)
    assert labels(_by_cause(failures(broken, own, broken, own))) == [["n0", "n2"], ["n1"], ["n3"]]
