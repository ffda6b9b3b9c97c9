"""What is known of runs from their folders, and how they are stopped and taken over from there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from batching import Batch, FakeScheduler
from etude.batch import run_folder
from etude.batch.cancellation import cancel
from etude.batch.job_journal import JobJournal, JournalEntry, JournalStep
from etude.batch.overview import RunOverview, RunStatus, overviews
from etude.batch.take_over import refuse_if_driven
from etude.cli.commands.status import _duration_text, show_run, show_runs
from etude.errors import BackendError
from etude.execute.run_events import Event, EventKind
from etude.store.files.owner import Owner
from etude.study.run_driver import DRIVER, drive, driver_of
from etude.units import readable_seconds


class Killed(Exception):
    """Stands for the death of a driver."""


def killed(batch: Batch, after: int = 2) -> FakeScheduler:
    """A run whose driver died with its jobs under way: nothing was written after that."""
    scheduler = FakeScheduler(lambda _: iter(()))

    def plot(_: FakeScheduler) -> Iterator[None]:
        yield from [None] * after
        raise Killed

    scheduler.plot = plot
    cancelled = scheduler.cancel
    scheduler.cancel = lambda ids: None  # type: ignore[method-assign]
    with pytest.raises(Killed):
        batch.run(plot, scheduler)
    scheduler.cancel = cancelled  # type: ignore[method-assign]
    (run,) = batch.project.folder.glob(".etude/runs/*")
    lines = (run / run_folder.EVENTS).read_text().splitlines(keepends=True)
    (run / run_folder.EVENTS).write_text("".join(line for line in lines if "run_ended" not in line))
    gone = Owner(host="elsewhere", machine="0" * 12, pid=1, started="1", token="0" * 12)
    (run / DRIVER).write_text(json.dumps({"owner": gone.name}))
    return scheduler


def long_ago(run: Path) -> None:
    """Let the driver have been silent for a day."""
    import os

    os.utime(run / DRIVER, (0, 0))


def latest(batch: Batch, now_s: float = 1e6) -> RunOverview:
    return overviews(batch.project.folder / ".etude" / "runs", now_s)[0]


def test_a_run_that_ended_well_is_done(batch: Batch) -> None:
    batch.run(lambda _: iter(()))
    found = latest(batch)
    assert found.state is RunStatus.DONE
    assert (found.done, found.todo) == (6, 6)
    assert [job.state for job in found.jobs.values()] == ["done"] * 4
    assert next(iter(found.jobs.values())).account["job_energy_j"] == 42.0
    assert found.living_jobs == ()


def test_a_run_whose_driver_is_gone_is_abandoned_with_its_jobs(batch: Batch) -> None:
    killed(batch)
    found = latest(batch)
    long_ago(found.folder)
    found = latest(batch)
    assert found.state is RunStatus.ABANDONED
    assert found.living_jobs == ("1", "2", "3", "4")


def test_the_clock_of_a_run_that_nobody_drives_stood_still_when_it_was_last_heard_of(batch: Batch) -> None:
    killed(batch)
    long_ago(latest(batch).folder)
    found = latest(batch)
    assert found.last_s >= found.started_s
    assert _duration_text(found) == readable_seconds(found.last_s - found.started_s)


@pytest.mark.parametrize("width", [80, 200])
def test_how_runs_stand_fits_the_terminal_and_leaves_no_word_out(
    batch: Batch, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(batch)
    long_ago(latest(batch).folder)
    found = latest(batch)
    job = next(iter(found.jobs.values()))
    job.reason = "the partition is down, and has been so for long: QOSMaxJobsPerUserLimit of group ml"
    console = Console(file=io.StringIO(), width=width)
    monkeypatch.setattr("etude.cli.commands.status.out", lambda: console)
    show_runs([found])
    show_run(found, as_json=False)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for word in (found.run, "abandoned", f"{found.done}/{found.todo}", job.id, job.reason):
        assert word in text
    assert "…" not in text


def test_the_next_driver_takes_over_and_submits_nothing_twice(batch: Batch) -> None:
    scheduler = killed(batch)
    long_ago(latest(batch).folder)
    scheduler.plot, scheduler._course = (lambda _: iter([None] * 3)), None
    result, _ = batch.run(scheduler.plot, scheduler)
    assert result.succeeded
    assert len(scheduler.jobs) == 4
    assert [line for line in batch.told() if "taken over" in line] == [f"{id_} taken over" for id_ in "1234"]
    older = overviews(batch.project.folder / ".etude" / "runs", 1e6)[1]
    assert older.taken_over_by == result.run


def test_a_second_driver_is_refused_while_the_first_one_lives(batch: Batch) -> None:
    killed(batch)
    run = latest(batch).folder
    seen_s = (run / DRIVER).stat().st_mtime
    with pytest.raises(BackendError, match="process 1 on elsewhere"):
        refuse_if_driven(run.parent, "test", seen_s + 10)
    refuse_if_driven(run.parent, "test", seen_s + 1000)
    refuse_if_driven(run.parent, "another", seen_s + 10)


def test_a_run_that_somebody_drives_is_asked_to_stop(batch: Batch) -> None:
    killed(batch)
    found = latest(batch, now_s=0.0)
    seen_s = found.driver.seen_s if found.driver else 0.0
    scheduler = FakeScheduler(lambda _: iter(()))
    done = cancel(found, {}, seen_s + 1, schedulers=lambda *_: scheduler)
    assert done.driven_by == "process 1 on elsewhere"
    assert scheduler.cancelled == []
    assert (found.folder / run_folder.CANCEL).exists()


def test_a_run_that_nobody_drives_is_ended_through_the_scheduler(batch: Batch) -> None:
    scheduler = killed(batch)
    long_ago(latest(batch).folder)
    done = cancel(latest(batch), {}, 1e6, schedulers=lambda *_: scheduler)
    assert done.jobs == ("1", "2", "3", "4")
    assert scheduler.cancelled == ["1", "2", "3", "4"]
    assert latest(batch).state is RunStatus.ENDED


def test_a_driver_shows_itself_and_heeds_the_mark(tmp_path: Path) -> None:
    import threading

    stopped = threading.Event()
    with drive(tmp_path, stopped.set, job="77"):
        driver = driver_of(tmp_path)
        assert driver is not None
        assert driver.job == "77"
        assert driver.lives(0.0), "it lives on this machine, whatever the clock says"
        (tmp_path / run_folder.CANCEL).touch()
        assert stopped.wait(10)


def test_the_journal_tells_the_latest_of_each_part(tmp_path: Path) -> None:
    journal = JobJournal(path=tmp_path / "jobs.jsonl")
    assert journal.latest() == {}
    journal.write(JournalEntry(part="a", step=JournalStep.INTENT, folder="f", name="a.1"))
    journal.write(JournalEntry(part="a", step=JournalStep.SUBMITTED, folder="f", name="a.1", id="7"))
    journal.write(JournalEntry(part="b", step=JournalStep.SUBMITTED, folder="g", name="b.1", id="8"))
    journal.write(JournalEntry(part="b", step=JournalStep.OVER, folder="g", name="b.1", id="8"))
    with journal.path.open("a") as file:
        file.write('{"part": "c", "st')
    assert journal.ids() == ("7",)
    assert journal.latest()["b"].step is JournalStep.OVER


def test_a_stopping_run_is_told_as_such() -> None:
    from etude.batch.overview import _take

    found = RunOverview(run="run", folder=Path())
    _take(found, Event(kind=EventKind.STOPPING, time_s=1.0), {})
    assert found.state is RunStatus.STOPPING
