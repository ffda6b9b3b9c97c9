"""A trial's clock starts when its first node runs, not when one is submitted, waits in a queue or is found done."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from etude.execute.run_events import Event, EventKind
from etude.search.evaluation import Underway
from etude.search.trials import Trial
from etude.study.evaluator import StudyEvaluator, _Underway


@pytest.fixture
def evaluator() -> StudyEvaluator:
    nothing: Any = None
    return StudyEvaluator(study=nothing, growth=nothing, store=nothing, goal=nothing)


def with_trial(evaluator: StudyEvaluator, number: int, *nodes: str) -> list[object]:
    """What a trial of these nodes hears."""
    heard: list[object] = []
    trial = Trial(number=number, point={}, origin="sampler", seen=0)
    evaluator._underway[number] = _Underway(
        trial=trial, future=Future(), listen=heard.append, rows=[], targets=set(nodes), nodes=set(nodes)
    )
    for node in nodes:
        evaluator._wanted.setdefault(node, set()).add(number)
    return heard


def event(kind: EventKind, fingerprint: str) -> Event:
    return Event(kind=kind, time_s=0.0, label=fingerprint, name=fingerprint, fingerprint=fingerprint)


@pytest.mark.parametrize(
    "kind", [EventKind.QUEUED, EventKind.WAITING, EventKind.REUSED, EventKind.PROGRESS, EventKind.RETRY]
)
def test_a_trial_that_waits_has_not_started(evaluator: StudyEvaluator, kind: EventKind) -> None:
    heard = with_trial(evaluator, 0, "a", "b")
    evaluator.take_event(event(kind, "a"))
    assert heard == []


def test_a_trial_starts_with_its_first_node_that_runs(evaluator: StudyEvaluator) -> None:
    heard = with_trial(evaluator, 0, "a", "b")
    evaluator.take_event(event(EventKind.QUEUED, "a"))
    evaluator.take_event(event(EventKind.STARTED, "a"))
    assert heard == [Underway(0)]


def test_what_runs_is_known_until_it_ends(evaluator: StudyEvaluator) -> None:
    evaluator.take_event(event(EventKind.STARTED, "a"))
    assert evaluator._running == {"a"}
    evaluator.take_event(event(EventKind.PROGRESS, "a"))
    assert evaluator._running == {"a"}
    evaluator.take_event(event(EventKind.DONE, "a"))
    assert evaluator._running == set()
