"""What one batch job does on its machine, and when it refuses to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batching import Batch, FakeScheduler
from etude.batch import run_folder
from etude.batch.batch_job import BatchJob, End, main
from etude.redaction import Redactor
from projects import environment


class Stage(Exception):
    """Leaves a run as soon as its jobs are laid out."""


@pytest.fixture
def job(batch: Batch) -> BatchJob:
    """The first job of a study, not run yet."""

    def plot(_: FakeScheduler) -> Iterator[None]:
        raise Stage
        yield

    with pytest.raises(Stage):
        batch.run(plot)
    (folder,) = batch.project.folder.glob(".etude/runs/*/jobs/test-k_1")
    return BatchJob(folder=folder, environment=environment())


def change(job: BatchJob, **fields: object) -> None:
    path = job.folder / run_folder.JOB
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def said(job: BatchJob) -> str:
    return str(json.loads((job.folder / run_folder.ENDED).read_text())["reason"])


def test_it_computes_its_part_and_says_that_it_is_done(job: BatchJob, batch: Batch) -> None:
    assert job.run() is End.DONE
    assert batch.project.calls() == ["base", "fit1"]
    assert json.loads((job.folder / run_folder.ENDED).read_text())["end"] == "done"


def test_it_does_nothing_twice(job: BatchJob, batch: Batch) -> None:
    job.run()
    assert BatchJob(folder=job.folder, environment=environment()).run() is End.DONE
    assert batch.project.calls() == ["base", "fit1"]


def test_it_runs_what_was_planned_whatever_was_edited_since(job: BatchJob, batch: Batch) -> None:
    source = batch.project.folder / f"{batch.project.module}.py"
    source.write_text("raise RuntimeError('edited')")
    assert job.run() is End.DONE


def test_it_refuses_another_version_of_etude(job: BatchJob) -> None:
    change(job, etude="0.0.1")
    assert job.run() is End.UNFIT
    assert "étude 0.0.1" in said(job)
    assert "Mend: " in said(job)


def test_it_refuses_other_code_of_etude_under_the_same_version(job: BatchJob) -> None:
    own = run_folder.run_of(job.folder) / run_folder.OWN
    own.write_text(json.dumps({"analysis/steps.py": "0" * 64}))
    assert job.run() is End.UNFIT
    assert "analysis/steps.py is not what the study was planned with" in said(job)


def test_it_refuses_a_store_that_it_does_not_see(job: BatchJob, tmp_path: Path) -> None:
    change(job, store=str(tmp_path / "nowhere"))
    assert job.run() is End.UNFIT
    assert "does not see the store" in said(job)


def test_it_refuses_another_store_at_the_same_path(job: BatchJob) -> None:
    change(job, beacon="0" * 64)
    assert job.run() is End.UNFIT
    assert "is not the store that the driver has made" in said(job)


def test_it_refuses_a_source_that_is_not_what_was_planned(job: BatchJob) -> None:
    (copy,) = (run_folder.run_of(job.folder) / "sources").glob("steps_*.py")
    copy.write_text("raise RuntimeError('tampered')")
    assert job.run() is End.UNFIT
    assert "is not what was planned" in said(job)


def test_it_says_in_its_log_that_the_machine_does_not_see_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere"), "--part", "one"], environment()) == 78
    assert "this machine cannot read" in capsys.readouterr().err


def test_it_starts_nothing_where_its_time_is_nearly_up(job: BatchJob, batch: Batch) -> None:
    job.end_s = time.time() - 1
    job.ask_to_stop(End.STOPPED)
    assert job.run() is End.STOPPED
    assert batch.project.calls() == []


def test_what_the_study_marks_as_secret_is_in_nothing_that_a_job_writes(job: BatchJob) -> None:
    change(job, secrets=["CORP_LOGIN"])
    job.environment = {**job.environment, "CORP_LOGIN": "fit k=1"}
    assert job.run() is End.DONE
    assert "(redacted)" not in (job.folder / run_folder.EVENTS).read_text().partition("\n")[0]
    assert Redactor.of(job.environment)("fit k=1") == "(redacted)"


def test_a_step_that_fails_is_the_jobs_failure(job: BatchJob, batch: Batch) -> None:
    change(job, targets=json.loads((job.folder / run_folder.JOB).read_text())["targets"])
    failing = batch.project
    failing.write(
        "@step\ndef base(*, value: int) -> int:\n    raise ValueError('no')\n\n"
        "@step\ndef fit(base: int, *, k: int) -> dict[str, float]:\n    return {}\n"
    )

    def plot(scheduler: FakeScheduler) -> Iterator[None]:
        yield

    result, scheduler = batch.run(plot)
    assert not result.succeeded
    ends = [json.loads((one.folder / run_folder.ENDED).read_text())["end"] for one in scheduler.jobs.values()]
    assert ends == ["failed"] * 4
