"""A runner to which plans are added while it runs."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from etude.execute.inline_backend import InlineBackend
from etude.execute.runner import Runner
from etude.execute.task import Outcome, Status, Task
from etude.graph.node import Node
from etude.graph.pipeline import Needs
from etude.graph.plan import Plan, plan
from etude.identity.files import FileDigests
from etude.store.store import Store
from etude.study.expand import VariantGrowth, no_other
from projects import CALLED, Project

STEPS = (
    CALLED
    + """
@step
def base(*, size: int = 1) -> int:
    called("base")
    return size

@step
def grow(base: int, *, by: int) -> int:
    called(f"grow{by}")
    if by < 0:
        raise ValueError("shrinks")
    return base + by

@step
def both(one: int, other: int) -> int:
    called("both")
    return one + other
"""
)


@dataclass
class Held:
    """Computes at once, but holds back the nodes of these names until they are let go."""

    real: InlineBackend
    hold: set[str] = field(default_factory=set)
    held: dict[str, Future[Outcome]] = field(default_factory=dict)
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def admits(self, needs: Needs) -> bool:
        return True

    def refuses(self, needs: Needs) -> str | None:
        return None

    def submit(self, call: Task) -> Future[Outcome]:
        if call.name not in self.hold:
            return self.real.submit(call)
        self.held[call.fingerprint] = Future()
        return self.held[call.fingerprint]

    def interrupt(self) -> None: ...

    def cancel(self, fingerprint: str, reason: str, *, now: bool = True) -> None:
        self.asked.append((fingerprint, now))
        if fingerprint in self.held:
            self.held.pop(fingerprint).set_result(Outcome(status=Status.LOST, error=reason, again=False))

    def close(self) -> None: ...


class Growing:
    """A run that grows by one point after another."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder).write(STEPS)
        pipeline = {"base": ("base",), "grow": ("grow", "base", {"by": "${by}"})}
        study = self.project.study(pipeline, params={"by": 0})
        self.store = Store.open(folder / "store", create=True)
        self.growth = VariantGrowth(study, FileDigests(folder / "digests.json"), no_other)
        self.backend = Held(InlineBackend(store=self.store, logs=folder / "logs"))
        self.ended: dict[str, list[Outcome | None]] = {}
        self.told = threading.Condition()
        self.runner = Runner(
            plan=Plan(actions=()),
            store=self.store,
            backend=self.backend,
            provenance=lambda _: {},
            growing=True,
            on_end=self._on_end,
        )
        self.thread = threading.Thread(target=self.runner.run, daemon=True)
        self.thread.start()

    def _on_end(self, fingerprint: str, outcome: Outcome | None) -> None:
        with self.told:
            self.ended.setdefault(fingerprint, []).append(outcome)
            self.told.notify_all()

    def add(self, by: int, *, again: bool = False) -> Node:
        ((_, nodes),) = self.growth.rows([{"by": by}])
        made = plan([nodes["grow"]], self.store.inspect)
        self.runner.extend(made, again={node.fingerprint for node in nodes.values()} if again else ())
        return nodes["grow"]

    def outcome(self, node: Node, times: int = 1) -> Outcome | None:
        """How a node ended, once it has so many times."""
        with self.told:
            assert self.told.wait_for(lambda: len(self.ended.get(node.fingerprint, ())) >= times, timeout=20)
        return self.ended[node.fingerprint][-1]

    def finish(self) -> None:
        self.runner.finish()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    return Growing(tmp_path)


def test_what_is_added_runs_and_what_is_shared_runs_once(growing: Growing) -> None:
    assert [growing.outcome(growing.add(by)) for by in (1, 2, 3)] == [None] * 3
    growing.finish()
    assert growing.project.calls() == ["base", "grow1", "grow2", "grow3"]


def test_a_run_that_may_grow_waits_for_more_until_it_is_finished(growing: Growing) -> None:
    growing.outcome(growing.add(1))
    assert growing.thread.is_alive()
    growing.finish()


def test_a_node_that_is_done_is_told_at_once_and_not_run_again(growing: Growing) -> None:
    node = growing.add(1)
    growing.outcome(node)
    growing.add(1)
    assert growing.outcome(node, times=2) is None
    growing.finish()
    assert growing.project.calls() == ["base", "grow1"]


def test_a_failed_node_is_run_again_only_where_that_is_asked_for(growing: Growing) -> None:
    node = growing.add(-1)
    failed = growing.outcome(node)
    assert failed is not None
    assert "shrinks" in failed.error
    growing.add(-1)
    assert growing.outcome(node, times=2) == failed
    growing.add(-1, again=True)
    growing.outcome(node, times=3)
    growing.finish()
    assert growing.project.calls() == ["base", "grow-1", "grow-1"]


def test_a_node_that_is_dropped_ends_and_others_go_on(growing: Growing) -> None:
    growing.backend.hold.add("grow")
    node = growing.add(1)
    while node.fingerprint not in growing.backend.held:
        growing.thread.join(0.01)
    growing.runner.drop([node.fingerprint], "nobody wants it", now=True)
    dropped = growing.outcome(node)
    assert dropped is not None
    assert growing.backend.asked == [(node.fingerprint, True)]
    growing.backend.hold.clear()
    assert growing.outcome(growing.add(2)) is None
    growing.finish()


def test_a_node_that_waits_is_dropped_without_having_run(growing: Growing) -> None:
    growing.backend.hold.add("base")
    node = growing.add(1)
    while not growing.backend.held:
        growing.thread.join(0.01)
    growing.runner.drop([node.fingerprint], "nobody wants it", now=False)
    dropped = growing.outcome(node)
    assert dropped is not None
    assert dropped.status is Status.STOPPED
    growing.backend.hold.clear()
    (base,) = node.upstream()
    growing.backend.cancel(base.fingerprint, "let go")
    lost = growing.outcome(base)
    assert lost is not None
    growing.add(1, again=True)
    assert growing.outcome(node, times=2) is None, "dropped before, wanted again"
    growing.finish()


def test_what_reads_a_failed_node_is_told_with_its_outcome(tmp_path: Path) -> None:
    growing = Growing(tmp_path)
    growing.backend.hold.add("base")
    first = growing.add(1)
    while not growing.backend.held:
        growing.thread.join(0.01)
    (base,) = first.upstream()
    growing.backend.cancel(base.fingerprint, "the machine is gone")
    blocked = growing.outcome(first)
    assert blocked is not None
    assert "the machine is gone" in blocked.error
    second = growing.add(2)
    later = growing.outcome(second)
    assert later is not None
    assert "the machine is gone" in later.error, "what comes later and reads it is told too"
    growing.finish()


@pytest.mark.parametrize("order", [("fine", "bad"), ("bad", "fine")])
def test_a_node_that_comes_later_is_blocked_by_whichever_of_its_inputs_has_failed(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    growing = Growing(tmp_path)
    pipeline = {
        "base": ("base",),
        "fine": ("grow", "base", {"by": 1}),
        "bad": ("grow", "base", {"by": -1}),
        "both": ("both", {"one": order[0], "other": order[1]}),
    }
    growth = VariantGrowth(growing.project.study(pipeline), FileDigests(tmp_path / "more.json"), no_other)
    ((_, nodes),) = growth.rows([{}])
    growing.runner.extend(plan([nodes["fine"], nodes["bad"]], growing.store.inspect))
    assert growing.outcome(nodes["fine"]) is None
    assert growing.outcome(nodes["bad"]) is not None
    growing.runner.extend(plan([nodes["both"]], growing.store.inspect))
    blocked = growing.outcome(nodes["both"])
    assert blocked is not None
    assert "shrinks" in blocked.error
    growing.finish()
    assert "both" not in growing.project.calls()
