"""What a search looks like while it goes on."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from etude.cli.search_progress import SearchView, picture
from etude.search.trial_events import Asked, Closed, Event, Finished, Opened, Retried, Started
from etude.search.trial_history import TrialHistory
from etude.search.trials import Goal, TrialOutcome

GOAL = Goal(metrics=("quality.auc",), directions=("maximize",))
PROCESS = 42


def opened(driver: int = 0, pid: int = PROCESS, t: float = 0.0) -> Opened:
    return Opened(driver=driver, lane=driver, workers=2, host="here", pid=pid, at_s=0.0, t=t)


def trial(number: int, value: float | None, t: float, outcome: TrialOutcome = TrialOutcome.OK) -> list[Event]:
    values = None if value is None else (value,)
    return [
        Asked(number=number, point={"lr": 0.1}, origin="sampler", seen=0, driver=0, suggest_s=None, t=t),
        Started(number=number, driver=0, worker=0, attempt=1, submitted_s=t, stale=0, t=t),
        Finished(
            number=number, outcome=outcome, values=values, constraints=(), error="boom", fingerprint="", t=t + 10.0
        ),
    ]


def seen(events: list[Event], goal: Goal = GOAL, trials: int = 10) -> tuple[SearchView, list[str]]:
    view, history, lines = SearchView(goal=goal, trials=trials, timeout_s=None, process=PROCESS), TrialHistory(), []
    for event in events:
        history.take(event)
        line = view.take(event, history)
        if line:
            lines.append(line)
    return view, lines


def text(view: SearchView) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(picture(view))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_better_trial_is_worth_a_line_and_a_worse_one_is_not() -> None:
    view, lines = seen([opened(), *trial(0, 0.5, 0), *trial(1, 0.4, 10), *trial(2, 0.6, 20)])
    assert ["trial 0" in lines[0], "trial 2" in lines[1], len(lines)] == [True, True, 2]
    assert "quality.auc 0.6" in text(view)


def test_failures_are_told_by_cause() -> None:
    view, lines = seen(
        [
            opened(),
            *trial(0, None, 0, TrialOutcome.CRASH),
            *trial(1, None, 1, TrialOutcome.TIMEOUT),
            *trial(2, None, 2, TrialOutcome.CRASH),
        ]
    )
    assert "failed: 2 crash, 1 timeout" in text(view)
    assert "crash: boom" in lines[0]


def test_utilisation_is_the_busy_share_of_the_workers_time() -> None:
    view, _ = seen([opened(), *trial(0, 0.5, 0), *trial(1, 0.4, 10)])
    assert view.utilisation == pytest.approx(0.5), "one of two workers, all the time"
    assert "utilisation 50%" in text(view)


def test_the_time_left_follows_from_the_pace_so_far() -> None:
    view, _ = seen([opened(), *trial(0, 0.5, 0), *trial(1, 0.4, 10)])
    assert view.left_s() == pytest.approx(8 * 10.0)


def test_what_was_logged_before_is_counted_and_no_news() -> None:
    view, lines = seen([opened(pid=7), *trial(0, 0.5, 0), Closed(driver=0, why="complete", t=10.0), opened(1, t=10.0)])
    assert lines == []
    assert (view.done, view.done_here, view.closed) == (1, 0, "")
    assert view.best[0].number == 0


def test_a_retry_frees_the_worker_and_is_told() -> None:
    again = Retried(number=0, outcome=TrialOutcome.PREEMPTED, error="taken away", t=5.0)
    view, lines = seen([opened(), *trial(0, 0.5, 0)[:2], again])
    assert view.running == {}
    assert "preempted: taken away" in lines[0]


def test_of_several_goals_the_front_is_kept() -> None:
    goal = Goal(metrics=("a.x", "b.y"), directions=("maximize", "minimize"))

    def both(number: int, values: tuple[float, float]) -> list[Any]:
        *begun, ended = trial(number, 0.0, float(number))
        assert isinstance(ended, Finished)
        return [*begun, Finished(**{**_fields(ended), "values": values})]

    view, _ = seen([opened(), *both(0, (1, 1)), *both(1, (2, 2)), *both(2, (0, 3)), *both(3, (3, 0.5))], goal)
    assert [best.number for best in view.best] == [3]


def _fields(event: Finished) -> dict[str, Any]:
    import dataclasses

    return {one.name: getattr(event, one.name) for one in dataclasses.fields(event)}
