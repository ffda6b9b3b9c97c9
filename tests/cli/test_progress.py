"""What a run looks like while it runs, from its events alone."""

from __future__ import annotations

import io

from rich.console import Console

from etude.cli.run_progress import LiveProgress, RunView, picture
from etude.execute.run_events import Event, EventKind


def event(kind: EventKind, name: str = "", time_s: float = 0.0, **data: object) -> Event:
    return Event(kind=kind, time_s=time_s, label=name, name=name.split(" ")[0], fingerprint=name, data=data)


def view_of(*events: Event) -> RunView:
    view = RunView()
    for each in events:
        view.take(each)
    return view


STARTED = event(
    EventKind.RUN_STARTED, study="s", variants=2, cached=1, todo={"model": 3, "score": 1}, expected_s={"score": 2.0}
)


def test_done_nodes_are_counted_off() -> None:
    view = view_of(STARTED, event(EventKind.STARTED, "model a"), event(EventKind.DONE, "model a", cost={"wall_s": 4.0}))
    assert (view.computed, view.todo, view.left) == (1, 3, {"model": 2, "score": 1})


def test_time_left_is_told_from_what_like_nodes_took() -> None:
    view = view_of(STARTED, event(EventKind.STARTED, "model a"), event(EventKind.DONE, "model a", cost={"wall_s": 4.0}))
    assert view.left_s(0.0) == (2 * 4.0 + 2.0, False)


def test_time_left_says_when_some_nodes_are_of_unknown_length() -> None:
    assert view_of(STARTED).left_s(0.0) == (2.0, True)


def test_time_left_is_shared_among_nodes_that_run_at_once() -> None:
    view = view_of(
        STARTED,
        event(EventKind.STARTED, "model a"),
        event(EventKind.STARTED, "model b"),
        event(EventKind.DONE, "model a", cost={"wall_s": 4.0}),
    )
    assert view.left_s(1.0)[0] == (2 * 4.0 + 2.0 - 1.0) / 2


def test_failures_and_what_they_block_are_counted() -> None:
    view = view_of(
        STARTED, event(EventKind.FAILED, "model a", error="x"), event(EventKind.BLOCKED, "score", because="model a")
    )
    assert (view.failed, view.blocked, view.todo) == (1, 1, 2)


def rendered(view: RunView) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(picture(view, 5.0))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_picture_tells_what_runs_how_far_it_is_and_how_long_it_will_take() -> None:
    view = view_of(
        STARTED,
        event(EventKind.STARTED, "model a"),
        event(EventKind.PROGRESS, "model a", done=3, total=10, message="epoch 1"),
    )
    text = rendered(view)
    for part in ("0/4 nodes", "1 cached", "model a", "3/10", "epoch 1", "left"):
        assert part in text


def test_without_a_terminal_each_thing_that_happens_is_a_line() -> None:
    console = Console(file=io.StringIO(), width=120)
    with LiveProgress(console) as progress:
        for each in (
            STARTED,
            event(EventKind.STARTED, "model a"),
            event(EventKind.FAILED, "model a", error="[bold]oops"),
        ):
            progress(each)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert "[bold]oops" in lines[1]


def lines_of(*events: Event, terminal: bool = False, verbose: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=120, force_terminal=terminal)
    progress = LiveProgress(console, verbose=verbose)
    for each in events:
        progress(each)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


LONG = event(EventKind.RUN_STARTED, study="s", variants=200, cached=0, todo={"model": 200, "score": 5})
MODELS = [event(EventKind.DONE, f"model {number}", cost={"wall_s": 2.0}) for number in range(200)]


def test_a_long_run_without_a_terminal_has_a_line_for_each_tenth_of_a_step() -> None:
    _, *lines = lines_of(LONG, *MODELS)
    assert [line.split()[1:5] for line in lines] == [["model", f"{20 * tenth}", "of", "200"] for tenth in range(1, 11)]


def test_its_nodes_that_fail_have_a_line_each_and_those_that_they_block_have_none() -> None:
    failed = event(EventKind.FAILED, "model 0", error="too hot")
    blocked = [event(EventKind.BLOCKED, f"score {number}", because="model 0") for number in range(5)]
    _, *lines = lines_of(LONG, failed, *blocked)
    assert [line.strip() for line in lines] == ["✗ model 0  too hot"]


def test_a_step_of_few_nodes_has_a_line_for_each_in_a_long_run_too() -> None:
    scores = [event(EventKind.DONE, f"score {number}") for number in range(5)]
    assert len(lines_of(LONG, *scores)) == 1 + 5


def test_a_verbose_run_has_a_line_for_each_node_however_many() -> None:
    assert len(lines_of(LONG, *MODELS, verbose=True)) == 1 + 200
