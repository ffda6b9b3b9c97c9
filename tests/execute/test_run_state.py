"""How the nodes of a run pass from laid out to ended, with no store, no clock and no backend."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.execute.run_state import LaidOut, ReadyNodes, RunState
from etude.execute.task import Outcome, Status
from etude.graph.node import Feed, Made, Node
from etude.graph.pipeline import Needs
from etude.graph.plan import Action, State
from etude.store.lease import Lease

GPU, CPU = Needs(gpus=1), Needs()
LEASE = cast(Lease, object())
FAILED = Outcome(status=Status.FAILED, error="oops")


def test_the_first_in_the_order_of_the_plan_comes_first_whatever_its_needs() -> None:
    ready = ReadyNodes()
    for position, needs in ((3, CPU), (1, GPU), (2, CPU)):
        ready.push(needs, position, str(position))
    assert [ready.pop(lambda _: True) for _ in range(4)] == ["1", "2", "3", None]
    assert not ready


def test_a_thousand_nodes_that_find_no_room_do_not_hide_the_one_that_would() -> None:
    ready = ReadyNodes()
    for position in range(1000):
        ready.push(GPU, position, str(position))
    ready.push(CPU, 1000, "small")
    assert ready.pop(lambda needs: not needs.gpus) == "small"
    assert not ready.any(lambda needs: not needs.gpus)
    assert ready.any(lambda needs: bool(needs.gpus))


def node(name: str, *reads: Node) -> Node:
    return Node(
        name=name,
        step="steps:step",
        use=None,
        settings={},
        settings_text=name,
        code="code",
        pins=(),
        inputs={each.name: Feed(each) for each in reads},
        needs=CPU,
        params={},
    )


def made(name: str) -> Made:
    return Made(f"content of {name}", {})


class Chain:
    """`first` is read by `second`, that by `third`, and `beside` by nobody."""

    def __init__(self) -> None:
        self.first = node("first")
        self.second = node("second", self.first)
        self.third = node("third", self.second)
        self.beside = node("beside")
        self.state = RunState()
        self.laid_out = self.lay_out(self.first, self.second, self.third, self.beside)

    def lay_out(self, *nodes: Node, again: tuple[str, ...] = (), to: State = State.RUN) -> list[LaidOut]:
        turn = len(self.state.positions)
        return [
            self.state.lay_out(Action(node=each, state=to), turn + place, again) for place, each in enumerate(nodes)
        ]

    def next(self) -> str | None:
        fingerprint = self.state.next_ready(lambda _: True)
        return None if fingerprint is None else self.state.node(fingerprint).name

    def start(self, which: Node) -> int:
        self.state.enter(which.fingerprint)
        return self.state.start(which.fingerprint, LEASE, None)

    def names(self, fingerprints: Any) -> list[str]:
        return [self.state.node(fingerprint).name for fingerprint in fingerprints]


@pytest.fixture
def chain() -> Chain:
    return Chain()


def test_only_what_waits_for_nothing_may_start(chain: Chain) -> None:
    assert chain.laid_out == [LaidOut.PENDING] * 4
    assert [chain.next(), chain.next(), chain.next()] == ["first", "beside", None]


def test_a_finished_node_makes_its_reader_ready_and_no_other(chain: Chain) -> None:
    chain.state.finish(chain.first.fingerprint, made("first"))
    assert [chain.next() for _ in range(3)] == ["second", "beside", None]
    assert chain.state.enter(chain.second.fingerprint) == {"first": "content of first"}


def test_a_node_that_runs_is_not_started_once_more(chain: Chain) -> None:
    chain.start(chain.first)
    assert chain.next() == "beside"
    assert chain.state.in_hand


def test_a_bad_end_blocks_all_below_and_nothing_beside(chain: Chain) -> None:
    assert chain.names(chain.state.end_badly(chain.first.fingerprint, FAILED)) == ["second", "third"]
    assert chain.state.ended_badly[chain.third.fingerprint] == (chain.first, FAILED)
    assert chain.names(chain.state.pending) == ["beside"]
    assert chain.state.end_badly(chain.beside.fingerprint, FAILED) == []


def test_what_is_laid_out_below_a_bad_end_is_blocked_at_once(chain: Chain) -> None:
    chain.state.end_badly(chain.first.fingerprint, FAILED)
    assert chain.lay_out(node("late", chain.third)) == [LaidOut.BLOCKED]


def test_what_is_laid_out_below_a_running_node_waits_for_it(chain: Chain) -> None:
    chain.start(chain.first)
    late = node("late", chain.first)
    assert chain.lay_out(late, to=State.CACHED) == [LaidOut.PENDING]
    chain.state.finish(chain.first.fingerprint, made("first"))
    assert "late" in [chain.next() for _ in range(4)]


def test_a_node_is_laid_out_again_only_where_it_has_ended_and_that_is_asked_for(chain: Chain) -> None:
    assert chain.lay_out(chain.first, again=(chain.first.fingerprint,)) == [LaidOut.KNOWN], "it is still to come"
    chain.start(chain.first)
    chain.state.end_attempt(chain.first.fingerprint)
    chain.state.end_badly(chain.first.fingerprint, FAILED)
    assert chain.lay_out(chain.first) == [LaidOut.KNOWN]
    assert chain.lay_out(chain.first, again=(chain.first.fingerprint,)) == [LaidOut.PENDING]
    assert chain.start(chain.first) == 1, "its attempts are counted anew"


def test_attempts_are_counted_and_each_begins_once(chain: Chain) -> None:
    assert chain.start(chain.first) == 1
    assert [chain.state.begin(chain.first.fingerprint) for _ in range(2)] == [True, False]
    assert chain.state.end_attempt(chain.first.fingerprint) is LEASE
    assert chain.start(chain.first) == 2
    assert chain.state.begin(chain.first.fingerprint)


def test_a_node_to_be_tried_again_is_ready_when_it_is_due(chain: Chain) -> None:
    assert [chain.next(), chain.next()] == ["first", "beside"]
    chain.state.try_again(chain.first.fingerprint, due_s=5.0)
    chain.state.make_due_ready(4.9)
    assert chain.next() is None
    chain.state.make_due_ready(5.0)
    assert (chain.next(), chain.state.in_hand) == ("first", False)


def test_a_node_is_overdue_once(chain: Chain) -> None:
    chain.state.start(chain.first.fingerprint, LEASE, 10.0)
    assert chain.state.pop_overdue(9.9) == []
    assert chain.state.pop_overdue(10.0) == [chain.first.fingerprint]
    assert chain.state.pop_overdue(11.0) == []


def test_a_node_that_another_run_computes_is_news_once(chain: Chain) -> None:
    assert [chain.state.wait_elsewhere(chain.first.fingerprint, "host") for _ in range(2)] == [True, False]
    assert chain.state.in_hand


def test_nodes_are_withdrawn_wherever_they_wait_unless_they_run(chain: Chain) -> None:
    chain.start(chain.first)
    chain.state.try_again(chain.beside.fingerprint, due_s=5.0)
    chain.state.wait_elsewhere(chain.third.fingerprint, "host")
    every = [each.fingerprint for each in (chain.first, chain.third, chain.beside)]
    assert sorted(chain.names(chain.state.withdraw(every))) == ["beside", "third"]
    assert (chain.state.retries, chain.state.elsewhere) == ([], {})


def test_barred_nodes_are_not_started_and_block_what_reads_them(chain: Chain) -> None:
    assert chain.names(chain.state.bar({chain.first.fingerprint, "another"}, FAILED)) == ["second", "third"]
    assert [chain.next(), chain.next()] == ["beside", None]


def test_giving_up_starts_nothing_more(chain: Chain) -> None:
    chain.start(chain.first)
    chain.state.try_again(chain.beside.fingerprint, due_s=0.0)
    chain.state.give_up()
    chain.state.finish(chain.first.fingerprint, made("first"))
    chain.state.make_due_ready(1.0)
    assert chain.next() is None


@given(st.lists(st.lists(st.integers(0, 8), max_size=3), min_size=1, max_size=9), st.sets(st.integers(0, 8)))
def test_every_node_ends_once_and_after_what_it_reads(reads: list[list[int]], bad: set[int]) -> None:
    nodes: list[Node] = []
    for place, above in enumerate(reads):
        nodes.append(node(f"n{place}", *dict.fromkeys(nodes[each] for each in above if each < place)))
    state = RunState()
    for place, each in enumerate(nodes):
        state.lay_out(Action(node=each, state=State.RUN), place)
    ended: list[str] = []
    while (fingerprint := state.next_ready(lambda _: True)) is not None:
        state.enter(fingerprint)
        state.start(fingerprint, LEASE, None)
        state.end_attempt(fingerprint)
        if nodes.index(state.node(fingerprint)) in bad:
            ended += [fingerprint, *state.end_badly(fingerprint, FAILED)]
        else:
            state.finish(fingerprint, made(fingerprint))
            ended.append(fingerprint)
    assert sorted(ended) == sorted(each.fingerprint for each in nodes)
    assert not state.pending
    for each in nodes:
        fine = nodes.index(each) not in bad and all(other.fingerprint in state.made for other in each.upstream())
        assert (each.fingerprint in state.made) is fine
