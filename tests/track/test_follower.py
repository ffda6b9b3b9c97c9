"""Whatever a tracker does, the run goes on, and what was left untold is said once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from etude.redaction import HIDDEN, Redactor
from etude.study.execution import Execution, Result
from etude.study.prepare import Options, prepare
from etude.study.study import Study
from etude.track.delivery_queue import MOST_FAILURES, DeliveryQueue
from etude.track.follower import RunFollower, deliver_results
from etude.track.sink import TrackerRun
from projects import Project, environment


@dataclass
class ListSink:
    """Remembers what it was told."""

    runs: list[TrackerRun] = field(default_factory=list)
    name: str = "list"
    place: str = "here"

    def send(self, run: TrackerRun) -> bool:
        known = any(run.digest == other.digest for other in self.runs)
        self.runs.append(run)
        return not known

    def close(self) -> None:
        """Nothing to let go of."""


@dataclass
class RaisingSink(ListSink):
    """Fails whenever it is told anything."""

    tries: int = 0

    def send(self, run: TrackerRun) -> bool:
        self.tries += 1
        raise ConnectionError("no route to https://ann:hunter22@host.invalid\nand more")


@dataclass
class HangingSink(ListSink):
    """Never answers until the test is over."""

    over: threading.Event = field(default_factory=threading.Event)

    def send(self, run: TrackerRun) -> bool:
        self.over.wait()
        return True


@pytest.fixture
def hanging() -> Iterator[HangingSink]:
    sink = HangingSink()
    yield sink
    sink.over.set()


def run_followed(study: Study, *sinks: ListSink, live: bool = True, patience_s: float = 30.0) -> tuple[Result, list]:
    prepared = prepare(study)
    trackers = RunFollower(prepared=prepared, sinks=sinks, live=live)
    result = Execution(prepared, Options(environment=environment()), trackers).run()
    return result, trackers.finish(patience_s=patience_s)


@pytest.mark.parametrize("live", [True, False])
def test_every_variant_and_the_study_are_told_once(toy: Callable[..., Study], live: bool) -> None:
    sink = ListSink()
    result, (delivered,) = run_followed(toy(1.0, 2.0), sink, live=live)
    assert result.succeeded
    names = [run.name for run in sink.runs]
    assert sorted(names[:-1]) == [f"rate={rate} seed={seed}" for rate in (1.0, 2.0) for seed in (0, 1)]
    assert sink.runs[-1].whole
    assert all(run.curves and "quality.accuracy" in run.metrics for run in sink.runs[:-1])
    assert (delivered.sent, delivered.known, delivered.left, delivered.error) == (5, 0, 0, "")


def test_a_run_of_what_is_done_tells_nothing_new(toy: Callable[..., Study]) -> None:
    sink = ListSink()
    run_followed(toy(), sink)
    _, (delivered,) = run_followed(toy(), sink)
    assert (delivered.sent, delivered.known) == (0, 3)


def test_a_variant_is_told_when_its_last_node_has_ended_not_when_the_run_has(toy: Callable[..., Study]) -> None:
    prepared = prepare(toy(1.0, 2.0))
    told_at: list[int] = []
    told = threading.Semaphore(0)

    class Noting(ListSink):
        def send(self, run: TrackerRun) -> bool:
            told.release()
            return True

    trackers = RunFollower(prepared=prepared, sinks=[Noting()])
    ended = 0

    def hear(event: object) -> None:
        nonlocal ended
        trackers(event)  # type: ignore[arg-type]
        if getattr(event, "name", "") == "quality" and event.kind == "done":  # type: ignore[attr-defined]
            ended += 1
            assert told.acquire(timeout=30)
            told_at.append(ended)

    Execution(prepared, Options(environment=environment()), hear).run()
    trackers.finish()
    assert told_at == [1, 2, 3, 4]


def test_a_failed_variant_is_told_as_failed_and_the_others_as_they_are(toy: Callable[..., Study]) -> None:
    sink = ListSink()
    result, _ = run_followed(toy(1.0, 9.0), sink)
    assert not result.succeeded
    assert {run.name: bool(run.error) for run in sink.runs if not run.whole} == {
        "rate=1.0 seed=0": False,
        "rate=1.0 seed=1": False,
        "rate=9.0 seed=0": True,
        "rate=9.0 seed=1": True,
    }


def test_a_tracker_that_raises_stops_nothing_and_is_left_alone(toy: Callable[..., Study]) -> None:
    raising, other = RaisingSink(), ListSink()
    result, (first, second) = run_followed(toy(1.0, 2.0), raising, other)
    assert result.succeeded
    assert (first.sent, first.left) == (0, 5)
    assert first.error == f"ConnectionError: no route to https://{HIDDEN}@host.invalid"
    assert raising.tries == MOST_FAILURES
    assert second.sent == 5


def test_a_tracker_that_hangs_stops_nothing(toy: Callable[..., Study], hanging: HangingSink) -> None:
    other = ListSink()
    result, (first, second) = run_followed(toy(), other, hanging, patience_s=3.0)
    assert result.succeeded
    assert (first.sent, first.left) == (3, 0)
    assert (second.sent, second.left) == (0, 3)
    assert second.error.startswith("it did not answer within")


def test_a_queue_that_is_full_takes_no_more_and_says_so(hanging: HangingSink) -> None:
    queue = DeliveryQueue(sink=hanging, most_waiting=2)
    queue.start()
    for _ in range(9):
        queue.put(lambda: TrackerRun(key="a", name="a", study="a"))
    hanging.over.set()
    delivered = queue.close(30.0)
    assert delivered.sent + delivered.left == 9
    assert delivered.left >= 6
    assert delivered.error == "more than 2 runs were waiting"


def test_one_failure_among_successes_is_told_and_the_rest_arrives() -> None:
    class Once(ListSink):
        def send(self, run: TrackerRun) -> bool:
            if run.name == "b":
                raise ValueError
            return super().send(run)

    queue = DeliveryQueue(sink=Once(), redact=Redactor())
    for name in "abc":
        queue.put(lambda name=name: TrackerRun(key=name, name=name, study="s"))  # type: ignore[misc]
    delivered = queue.close(30.0)
    assert (delivered.sent, delivered.left, delivered.error) == (2, 1, "ValueError")


def test_what_is_stored_can_be_told_afterwards(toy: Callable[..., Study], project: Project) -> None:
    project.run(toy(1.0, 9.0))
    sink = ListSink()
    (delivered,) = deliver_results(prepare(toy(1.0, 3.0, 9.0)), [sink], Redactor())
    assert sorted(run.name for run in sink.runs if not run.whole) == [
        "rate=1.0 seed=0",
        "rate=1.0 seed=1",
        "rate=9.0 seed=0",
        "rate=9.0 seed=1",
    ]
    assert delivered.left == 0


def test_a_run_of_some_variants_does_not_speak_for_the_study(toy: Callable[..., Study]) -> None:
    sink = ListSink()
    prepared = replace(prepare(toy(), Options(only={"seed": "1"})))
    trackers = RunFollower(prepared=prepared, sinks=[sink])
    Execution(prepared, Options(environment=environment()), trackers).run()
    trackers.finish()
    assert [run.name for run in sink.runs] == ["rate=1.0 seed=1"]


def test_variants_that_came_up_during_a_run_are_told_at_its_end(toy: Callable[..., Study], project: Project) -> None:
    sink = ListSink()
    trackers = RunFollower(prepared=prepare(toy(1.0)), sinks=[sink])
    project.run(toy(1.0, 2.0))
    trackers.finish(prepare(toy(1.0, 2.0)))
    assert sorted(run.name for run in sink.runs if not run.whole) == [
        f"rate={rate} seed={seed}" for rate in (1.0, 2.0) for seed in (0, 1)
    ]
