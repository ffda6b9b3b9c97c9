"""Nodes of one pool and the jobs that run them, over an engine and a clock of the test's own."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from etude.cluster.profile import Blocks, Profile
from etude.errors import BackendError
from etude.execute.task import Outcome, Status, Task
from etude.graph.pipeline import Needs
from etude.pilots.attempt import Attempt, Cut
from etude.pilots.node_pools import pool_of
from etude.pilots.parsl_engine import BlockState, PilotMachine
from etude.pilots.pool_queue import PoolQueue, QueuedNode
from etude.pilots.retry_policy import MOST_CUTS

PROFILE = Profile(
    name="site",
    scheduler="slurm",
    cpus=2,
    blocks=Blocks(most=4, idle_s=60.0),
    walltime_s=3600.0,
    grace_s=60.0,
    poll_s=1.0,
)
DONE = Attempt(outcome=Outcome(status=Status.DONE, content="c"))


class WorkerLost(Exception):
    """Named as the engine's own."""


class ManagerLost(Exception):
    """Named as the engine's own."""


@dataclass
class FakeEngine:
    """Jobs that the test starts and ends, and calls that it answers."""

    states: dict[str, BlockState] = field(default_factory=dict)
    up: dict[str, PilotMachine] = field(default_factory=dict)
    sent: list[tuple[list[tuple[str, Task]], Future[Any]]] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    spared: set[str] = field(default_factory=set)
    away: bool = False
    gone: bool = False

    def submit(self, buffer: bytes, done: Callable[[Future[Any]], None]) -> None:
        future: Future[Any] = Future()
        future.add_done_callback(done)
        self.sent.append((pickle.loads(buffer), future))  # noqa: S301

    def ask_for(self, count: int) -> None:
        for _ in range(count):
            name = str(len(self.states))
            self.states[name] = BlockState(job=f"job{name}", state="pending", detail="PENDING Priority")

    def blocks(self) -> dict[str, BlockState]:
        if self.away:
            raise BackendError("squeue: connection refused")
        return dict(self.states)

    def machines(self) -> list[PilotMachine]:
        if self.gone:
            raise RuntimeError("broken pipe")
        return list(self.up.values())

    def hold(self, blocks: list[str]) -> None:
        self.held += blocks
        self.up |= {name: replace(self.up[name], taking=False) for name in blocks if name in self.up}

    def give_back(self, blocks: list[str]) -> None:
        self.returned += blocks

    def close(self, left: Collection[str] = ()) -> None:
        self.spared = set(left)

    def start(self, name: str, **what: Any) -> None:
        self.states[name] = BlockState(job=f"job{name}", state="running")
        self.up[name] = PilotMachine(**{"block": name, "workers": 2, "tasks": 0, "idle_s": 0.0, "taking": True, **what})

    def end(self, name: str, detail: str = "CANCELLED") -> None:
        self.states[name] = BlockState(job=f"job{name}", state="ended", detail=detail)
        self.up.pop(name, None)

    def answer(self, with_: Attempt | Exception = DONE) -> None:
        """Answer the call that was sent first."""
        calls, future = self.sent.pop(0)
        if isinstance(with_, Exception):
            future.set_exception(with_)
        else:
            future.set_result({ticket: with_ for ticket, _ in calls})


class Bench:
    """A pool, its engine and its clock."""

    def __init__(self, folder: Path, profile: Profile = PROFILE) -> None:
        self.at, self.engine = 0.0, FakeEngine()
        self.waits: list[QueuedNode] = []
        self.moved: list[str] = []
        self.leaving: list[str] = []
        self.pool = PoolQueue(
            pool=pool_of(profile, Needs()),
            profile=profile,
            engine=self.engine,
            journal=folder / "jobs.log",
            wait_for=self.waits.append,
            moved=lambda _entry, why: self.moved.append(why),
            ask_to_leave=self.leaving.append,
            clock=lambda: self.at,
        )
        self.folder = folder

    def put(self, count: int = 1) -> list[Future[Outcome]]:
        futures = []
        for number in range(count):
            call = Task(
                fingerprint=f"{number:064x}",
                name="it",
                label="it",
                step="m:f",
                settings={},
                inputs={},
                rows=(),
                files={},
                needs=Needs(),
                trace="",
                contents={},
                identity={},
                provenance={},
            )
            futures.append(Future())
            self.pool.put(QueuedNode(call=call, future=futures[-1]))
        return futures

    def pass_(self, seconds: float = 2.0) -> None:
        self.at += seconds
        self.pool.tick()

    def begun(self, count: int = 1, jobs: int = 1) -> list[Future[Outcome]]:
        """So many nodes, with jobs that are up."""
        futures = self.put(count)
        self.pass_()
        for name in list(self.engine.states)[:jobs]:
            self.engine.start(name)
        self.pass_()
        return futures


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_jobs_are_asked_for_with_the_queue_and_never_more_than_allowed(bench: Bench) -> None:
    bench.put(3)
    bench.pass_()
    assert len(bench.engine.states) == 2, "two nodes at a time in each"
    bench.put(100)
    bench.pass_()
    assert len(bench.engine.states) == PROFILE.blocks.most


def test_nodes_are_sent_when_workers_are_there_and_the_rest_can_still_be_called_off(bench: Bench) -> None:
    bench.put(20)
    bench.pass_()
    assert bench.engine.sent == []
    bench.engine.start("0")
    bench.pass_()
    assert len(bench.engine.sent) == 4
    assert len(bench.pool.waiting) == 16


def test_a_result_sends_the_next_node_at_once(bench: Bench) -> None:
    futures = bench.begun(20)
    bench.engine.answer()
    assert futures[0].result(0).status is Status.DONE
    assert len(bench.engine.sent) == 4


def test_a_job_that_idles_for_long_enough_is_given_back(bench: Bench) -> None:
    bench.begun(2)
    bench.engine.answer()
    bench.engine.answer()
    bench.engine.start("0", idle_s=59.0)
    bench.pass_()
    assert bench.leaving == []
    bench.engine.start("0", idle_s=61.0)
    bench.pass_()
    assert (bench.leaving, bench.engine.held) == (["0"], ["0"])


def leave(bench: Bench) -> None:
    """A job that idles is asked to end by itself."""
    bench.begun(2)
    bench.engine.answer()
    bench.engine.answer()
    bench.engine.start("0", idle_s=61.0)
    bench.pass_()


def test_a_job_that_ends_by_itself_when_asked_to_is_not_cancelled(bench: Bench) -> None:
    leave(bench)
    bench.pool.left("0")
    bench.engine.end("0", "COMPLETED")
    bench.pass_(60.0)
    assert bench.engine.returned == []
    ended = [json.loads(line) for line in (bench.folder / "jobs.log").read_text().splitlines()][-1]
    assert (ended["what"], ended["why"]) == ("ended", "given back: it had nothing to do")


def test_a_job_that_does_not_hear_that_it_should_end_is_cancelled(bench: Bench) -> None:
    leave(bench)
    bench.pass_(20.0)
    assert bench.engine.returned == []
    bench.pass_(20.0)
    assert bench.engine.returned == ["0"]


def test_a_job_that_is_asked_to_end_takes_no_node_and_another_is_asked_for(bench: Bench) -> None:
    leave(bench)
    bench.put(1)
    bench.pass_()
    assert bench.engine.sent == []
    assert len(bench.engine.states) == 2


def test_jobs_that_are_up_are_asked_to_end_when_the_run_is_over(bench: Bench) -> None:
    bench.begun(8, jobs=1)
    bench.pool.release_all()
    assert bench.leaving == ["0"]
    assert bench.pool.is_leaving
    bench.pool.left("0")
    assert not bench.pool.is_leaving


def test_a_pending_job_is_given_back_once_nothing_needs_it(bench: Bench) -> None:
    bench.begun(4, jobs=1)
    for _ in range(4):
        bench.engine.answer()
    bench.engine.start("0", idle_s=0.0)
    bench.pass_()
    assert bench.engine.returned == []
    bench.pass_(61.0)
    assert bench.engine.returned == ["1"]


def test_as_many_jobs_as_the_profile_keeps_are_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(PROFILE, blocks=replace(PROFILE.blocks, least=1)))
    bench.pass_()
    assert len(bench.engine.states) == 1
    bench.engine.start("0", idle_s=10_000.0)
    bench.pass_(1000.0)
    assert bench.engine.returned == []


def test_a_job_that_takes_no_more_nodes_is_replaced_though_it_still_runs(bench: Bench) -> None:
    bench.begun(2)
    bench.engine.start("0", taking=False, tasks=2)
    bench.pass_()
    bench.put(1)
    bench.pass_()
    assert len(bench.engine.states) == 2


def test_a_worker_that_dies_costs_an_attempt(bench: Bench) -> None:
    [future] = bench.begun()
    bench.engine.answer(WorkerLost("worker 1 on gpu-3"))
    outcome = future.result(0)
    assert (outcome.status, outcome.again) == (Status.LOST, True)
    assert "worker 1 on gpu-3" in outcome.error


def test_a_machine_that_goes_away_costs_no_attempt_within_bounds(bench: Bench) -> None:
    [future] = bench.begun()
    for _ in range(MOST_CUTS):
        bench.engine.answer(ManagerLost("gpu-3"))
        assert not future.done()
        bench.pass_(3.0)
    bench.engine.answer(ManagerLost("gpu-3"))
    assert future.result(0).status is Status.LOST


def test_a_step_that_left_a_checkpoint_at_its_jobs_end_goes_on_as_often_as_it_takes(bench: Bench) -> None:
    [future] = bench.begun()
    stopped = Attempt(outcome=Outcome(status=Status.STOPPED, error="after 3 epochs"), cut=Cut.BLOCK_END)
    for _ in range(50):
        bench.engine.answer(stopped)
        bench.pass_(3.0)
    assert not future.done()
    bench.engine.answer()
    assert future.result(0).status is Status.DONE
    assert bench.moved == ["after 3 epochs"] * 50


def test_a_step_that_needs_more_than_a_whole_job_and_writes_no_checkpoint_is_told_what_to_do(bench: Bench) -> None:
    [future] = bench.begun()
    cut = Attempt(outcome=Outcome(status=Status.LOST, error="time"), cut=Cut.BLOCK_END, whole_block=True)
    bench.engine.answer(cut)
    outcome = future.result(0)
    assert not outcome.again
    assert "longer walltime in the cluster's profile" in outcome.error


def test_a_node_that_is_stopped_by_the_user_is_stopped(bench: Bench) -> None:
    [future] = bench.begun()
    bench.engine.answer(Attempt(outcome=Outcome(status=Status.STOPPED, error="half")))
    assert future.result(0).status is Status.STOPPED


def test_a_node_that_another_worker_computes_is_waited_for(bench: Bench) -> None:
    [future] = bench.begun()
    bench.engine.answer(Attempt(outcome=Outcome(status=Status.LOST, error=""), cut=Cut.ELSEWHERE))
    assert not future.done()
    assert [entry.future for entry in bench.waits] == [future]


def test_three_jobs_in_a_row_that_end_before_a_worker_comes_up_end_the_pool_with_what_they_said(bench: Bench) -> None:
    [future] = bench.put()
    for number in range(3):
        bench.pass_()
        bench.engine.end(str(number), "module: command not found")
        assert not future.done()
    bench.pass_()
    assert "job2 of profile 'site' ended before a worker came up: module: command not found" in future.result(0).error
    [later] = bench.put()
    assert later.result(0).status is Status.LOST


def test_jobs_whose_set_up_leaves_no_time_for_a_node_do_not_go_on_for_ever(bench: Bench) -> None:
    [future] = bench.put()
    for number in range(3):
        bench.pass_()
        bench.engine.start(str(number), taking=False)
        bench.pass_()
        bench.engine.end(str(number), "COMPLETED")
    bench.pass_()
    assert "ended without taking a node" in future.result(0).error


def test_a_job_that_says_that_it_cannot_run_the_study_is_believed_at_once(bench: Bench) -> None:
    [future] = bench.put()
    bench.pass_()
    bench.engine.end("0", "étude: here is étude 0.0.9, and the study was planned with 0.1.0: install the same")
    bench.pass_()
    assert "here is étude 0.0.9" in future.result(0).error
    assert not future.result(0).again


def test_a_job_that_the_scheduler_refuses_ends_the_pool_in_plain_words(bench: Bench) -> None:
    [future] = bench.put()
    bench.engine.states["0"] = BlockState(job="", state="ended", detail="sbatch: invalid partition specified: gpuu")
    bench.pass_()
    assert "there is no partition gpuu. Mend: set partition" in future.result(0).error


def test_a_job_that_never_starts_is_given_up_with_the_reason_of_its_queue(tmp_path: Path) -> None:
    bench = Bench(tmp_path, replace(PROFILE, start_timeout_s=600.0))
    [future] = bench.put()
    bench.pass_()
    bench.pass_(599.0)
    assert not future.done()
    bench.pass_(10.0)
    assert "has not started within 600 s: its queue says PENDING Priority" in future.result(0).error


def test_a_scheduler_that_does_not_answer_for_a_while_is_no_fault(bench: Bench) -> None:
    [future] = bench.begun()
    bench.engine.away = True
    for _ in range(100):
        bench.pass_()
    assert not future.done()
    bench.engine.answer()
    assert future.result(0).status is Status.DONE


def test_a_job_whose_workers_are_gone_is_replaced_whatever_the_scheduler_says(bench: Bench) -> None:
    bench.begun()
    bench.engine.up.clear()
    bench.pass_()
    bench.pass_(30.0)
    bench.pass_()
    assert len(bench.engine.states) == 2


def test_an_engine_that_is_gone_ends_the_pool(bench: Bench) -> None:
    [future] = bench.begun()
    bench.engine.gone = True
    bench.pass_()
    assert "the cluster engine is gone" in future.result(0).error


def test_an_engine_that_takes_no_node_ends_the_pool(bench: Bench) -> None:
    bench.begun()

    def broken(_buffer: bytes, _done: object) -> None:
        raise OSError("no buffer space")

    bench.engine.submit = broken  # type: ignore[method-assign]
    [future] = bench.put()
    assert "takes no node: OSError: no buffer space" in future.result(0).error


def test_what_is_told_of_a_node_first_counts(bench: Bench) -> None:
    [future] = bench.begun()
    outcome = Outcome(status=Status.STOPPED, error="it had not begun")
    bench.pool.drop_unbegun(outcome)
    bench.engine.answer()
    assert future.result(0) is outcome


def test_a_waiting_node_is_called_off_without_an_order(bench: Bench) -> None:
    [future] = bench.put()
    outcome = Outcome(status=Status.LOST, error="too slow", again=False)
    assert bench.pool.call_off(f"{0:064x}", outcome) is None
    assert future.result(0) is outcome


def test_jobs_are_noted_where_others_find_them(bench: Bench) -> None:
    bench.begun()
    bench.engine.end("0", "CANCELLED by 1000")
    bench.pass_()
    lines = [json.loads(line) for line in (bench.folder / "jobs.log").read_text().splitlines()]
    assert [line["what"] for line in lines][:1] == ["asked for"]
    assert lines[-1]["what"] in ("ended", "asked for")
    assert {line["job"] for line in lines} >= {"job0"}
    assert any(line.get("why") == "CANCELLED by 1000" for line in lines)


def test_the_end_of_a_run_is_the_end_of_its_jobs_in_the_journal(bench: Bench) -> None:
    bench.begun()
    bench.pool.close(Outcome(status=Status.LOST, error="the run was stopped"))
    lines = [json.loads(line) for line in (bench.folder / "jobs.log").read_text().splitlines()]
    last = {line["block"]: line for line in lines}
    assert last
    assert {line["what"] for line in last.values()} == {"ended"}
    assert {line["why"] for line in last.values()} == {"given back: the run is over"}


def test_a_job_that_is_ending_by_itself_is_left_alone_at_the_end_of_the_run(bench: Bench) -> None:
    bench.begun(8, jobs=1)
    bench.pool.release_all()
    bench.pool.left("0")
    bench.pool.close(Outcome(status=Status.LOST, error="the run was stopped"))
    assert bench.engine.spared == {"0"}


def took(wall_s: float) -> Attempt:
    return Attempt(outcome=Outcome(status=Status.DONE, content="c", cost={"wall_s": wall_s}))


def sizes(bench: Bench) -> list[int]:
    """How many nodes are in each message that was not answered yet."""
    return [len(calls) for calls, _ in bench.engine.sent]


def test_nodes_of_which_nothing_is_known_go_one_by_one(bench: Bench) -> None:
    bench.begun(20)
    assert sizes(bench) == [1, 1, 1, 1]


def test_nodes_that_are_known_to_be_small_go_to_a_worker_together(bench: Bench) -> None:
    futures = bench.begun(20)
    bench.engine.answer(took(0.01))
    assert sizes(bench) == [1, 1, 1, 16]
    for _ in range(4):
        bench.engine.answer(took(0.01))
    assert all(future.result(0).status is Status.DONE for future in futures)


def test_small_nodes_are_shared_out_evenly_among_the_workers(bench: Bench) -> None:
    bench.begun(4)
    for _ in range(4):
        bench.engine.answer(took(0.01))
    bench.pool._slots = 0
    bench.put(40)
    bench.pass_()
    assert sizes(bench) == [10, 10, 10, 10]


def test_nodes_that_take_long_go_one_by_one(bench: Bench) -> None:
    bench.begun(20)
    bench.engine.answer(took(1.0))
    assert sizes(bench) == [1, 1, 1, 1]


def test_nodes_that_were_lost_together_are_tried_one_by_one(bench: Bench) -> None:
    futures = bench.begun(20)
    bench.engine.answer(took(0.01))
    for _ in range(3):
        bench.engine.answer(took(0.01))
    bench.engine.answer(WorkerLost("gone"))
    assert not any(future.done() for future in futures[4:]), "one of them is at fault, and it costs the others nothing"
    bench.pass_(10.0)
    assert sizes(bench) == [1, 1, 1, 1]


def test_nodes_that_were_not_begun_go_to_another_worker_at_once(bench: Bench) -> None:
    futures = bench.begun(20)
    bench.engine.answer(took(0.01))
    for _ in range(3):
        bench.engine.answer(took(0.01))
    bench.engine.answer(Attempt(outcome=Outcome(status=Status.LOST, error="it was not begun"), cut=Cut.NOT_BEGUN))
    assert sum(sizes(bench)) == 16
    assert not any(future.done() for future in futures[4:])


def test_what_is_told_early_of_a_node_counts_and_its_answer_is_passed_over(bench: Bench) -> None:
    futures = bench.begun(1)
    [ticket] = bench.pool.sent
    bench.pool.take_attempts({ticket: took(0.01)})
    assert futures[0].result(0).status is Status.DONE
    bench.engine.answer(took(0.01))
    assert bench.pool.load == 0
