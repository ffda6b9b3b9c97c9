"""The log of a run, and following it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.execute.run_events import Event, EventKind, EventLog, first_event, follow, has_ended, read_events

texts = st.text(max_size=20)
events = st.builds(
    Event,
    kind=st.sampled_from([kind for kind in EventKind if kind is not EventKind.PROGRESS]),
    time_s=st.integers(0, 10**9).map(float),
    label=texts.filter(bool),
    name=texts,
    fingerprint=texts,
    data=st.dictionaries(st.sampled_from(["error", "attempt", "cost"]), st.integers() | texts),
)


@given(events)
def test_an_event_survives_being_written(event: Event) -> None:
    assert Event.from_json(event.as_json()) == event


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"kind": "unheard of", "time_s": 0}', "3"])
def test_what_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"no event|Expecting|not a valid"):
        Event.from_json(line)


def started(time_s: float = 0.0) -> Event:
    return Event(kind=EventKind.STARTED, time_s=time_s, label="n", name="n", fingerprint="f")


def test_a_half_written_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(started().as_json() + '\n{"kind": "do')
    assert [event.kind for event in read_events(path)] == [EventKind.STARTED]


def test_progress_is_thinned_to_a_line_a_second(tmp_path: Path) -> None:
    with EventLog(tmp_path / "e.jsonl") as log:
        for tenth in range(1000, 1030):
            log(
                Event(
                    kind=EventKind.PROGRESS,
                    time_s=tenth / 10,
                    label="n",
                    name="n",
                    fingerprint="f",
                    data={"done": tenth},
                )
            )
    assert len(read_events(tmp_path / "e.jsonl")) == 3


def test_following_gives_what_comes_later_and_ends_with_the_run(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    with EventLog(path) as log:
        log(started())
        later = iter(
            [
                Event(kind=EventKind.DONE, time_s=1.0, label="n", name="n", fingerprint="f"),
                Event(kind=EventKind.RUN_ENDED, time_s=2.0),
            ]
        )

        def idle() -> bool:
            log(next(later))
            return True

        assert [event.kind for event in follow(path, idle=idle)] == [
            EventKind.STARTED,
            EventKind.DONE,
            EventKind.RUN_ENDED,
        ]


def test_following_gives_up_when_told_to(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(started().as_json() + "\n")
    assert len(list(follow(path, idle=lambda: False))) == 1


def test_a_log_tells_which_run_it_is_and_whether_that_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.touch()
    assert (first_event(path), has_ended(path)) == (None, False)
    with EventLog(path) as log:
        log(Event(kind=EventKind.RUN_STARTED, time_s=1.0, data={"study": "s"}))
        for index in range(2000):
            log(Event(kind=EventKind.DONE, time_s=2.0, label=f"node {index}", name="node", fingerprint=str(index)))
        assert not has_ended(path)
        log(Event(kind=EventKind.RUN_ENDED, time_s=3.0, data={"succeeded": True}))
    first = first_event(path)
    assert first is not None
    assert first.data == {"study": "s"}
    assert has_ended(path)
    with path.open("a") as file:
        file.write('{"kind": "done"')
    assert has_ended(path), "a half-written line says nothing"
