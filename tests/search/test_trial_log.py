"""The log: only ever added to, whole lines only, one order for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.errors import SearchError
from etude.search.trial_events import Asked, Event, Finished, Started, from_line, to_line
from etude.search.trial_log import FileLog, read_log
from etude.search.trials import TrialOutcome
from search_spaces import MIXED

POINT = {"lr": 1.2345678901234567e-05, "loss": "hinge", "deep": None, "flags": [1, True, "é"]}
ASKED = Asked(number=3, point=POINT, origin="sampler", seen=7, driver=0, suggest_s=0.25, t=1.5)
EVENTS: list[Event] = [
    ASKED,
    Started(number=3, driver=0, worker=2, attempt=1, submitted_s=1.5, stale=0, t=1.6),
    Finished(number=3, outcome=TrialOutcome.OK, values=(0.1,), constraints=(), error="", fingerprint="ab", t=2.0),
]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_comes_back_from_its_line(event: Event) -> None:
    assert from_line(to_line(event)) == event


def test_what_was_written_is_read(tmp_path: Path) -> None:
    log = FileLog(tmp_path)
    with log.exclusive():
        log.write(EVENTS)
    assert log.read() == [], "one's own events are known"
    assert read_log(tmp_path / "events.jsonl") == EVENTS


@pytest.mark.parametrize("kept", [1, 20, -2])
def test_a_torn_last_line_is_no_event_and_is_cut_off_by_the_next_writer(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "events.jsonl"
    whole = to_line(EVENTS[0]) + "\n"
    path.write_text(whole + to_line(EVENTS[1])[:kept])
    log = FileLog(tmp_path)
    assert log.read() == EVENTS[:1]
    with log.exclusive():
        log.read()
        log.write(EVENTS[2:])
    assert read_log(path) == [EVENTS[0], EVENTS[2]]


def test_a_log_that_is_torn_from_its_first_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"kind":"beg')
    log = FileLog(tmp_path)
    with log.exclusive():
        assert log.read() == []
        log.write(EVENTS[:1])
    assert read_log(log.path) == EVENTS[:1]


def test_a_faulty_line_inside_a_log_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f"{to_line(EVENTS[0])}\nnonsense\n{to_line(EVENTS[1])}\n")
    with pytest.raises(SearchError, match="line 2"):
        read_log(path)


def test_two_writers_see_one_order(tmp_path: Path) -> None:
    one, other = FileLog(tmp_path), FileLog(tmp_path)
    for index in range(10):
        writer = (one, other)[index % 2]
        with writer.exclusive():
            writer.read()
            writer.write([Asked(number=index, point={}, origin="sampler", seen=0, driver=0, suggest_s=None, t=0.0)])
    assert [event.number for event in read_log(one.path) if isinstance(event, Asked)] == list(range(10))


def test_a_driver_lives_until_it_closes(tmp_path: Path) -> None:
    one, other = FileLog(tmp_path), FileLog(tmp_path)
    one.enter(0)
    assert other.lives(0)
    one.close()
    assert not other.lives(0)
    assert not other.lives(5)


def test_points_keep_their_exact_values(tmp_path: Path) -> None:
    import numpy as np

    for number in range(50):
        point = MIXED.sample(np.random.default_rng(number))
        asked = Asked(number=number, point=point, origin="sampler", seen=0, driver=0, suggest_s=None, t=0.0)
        again = from_line(to_line(asked))
        assert isinstance(again, Asked)
        assert MIXED.canonical_point(again.point) == MIXED.canonical_point(point)
