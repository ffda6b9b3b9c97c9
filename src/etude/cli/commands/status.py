"""`etude status`: how the runs of a project stand."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.table import Table

from etude.batch.overview import JobView, RunOverview, overviews
from etude.cli.arguments import AsJson
from etude.cli.console import escape, out
from etude.config.document import project_around
from etude.digits import number_text
from etude.errors import ConfigError, Fault, nearest
from etude.interchange import json_text
from etude.units import readable_bytes, readable_seconds

EXAMPLES = """
[bold]Examples[/]

  etude status                    [dim](the latest runs of this project)[/]

  etude status intent-heads       [dim](the latest run of that study, with its batch jobs)[/]
"""
MOST_RUNS = 12
_COLOURS = {"running": "green", "done": "green", "stopping": "yellow", "abandoned": "yellow", "ended": "red"}


def status(
    study: Annotated[Optional[str], typer.Argument(help="A study's name or file; all runs if left out.")] = None,  # noqa: UP045
    as_json: AsJson = False,
) -> None:
    runs = runs_of(Path.cwd(), study)
    if study is None and not as_json:
        show_runs(runs)
    else:
        show_run(runs[0], as_json=as_json)


def runs_of(start: Path, study: str | None) -> list[RunOverview]:
    """The runs of the project around a folder, or of one study, the latest first; at least one.

    Raises:
        ConfigError: There is none.
    """
    project = project_around(start)
    name = Path(study).stem if study else None
    everything = overviews(project / ".etude" / "runs", time.time())
    runs = [run for run in everything if name in (None, run.study)]
    if not runs:
        names = {run.study for run in everything}
        mend = nearest(name, names) if name and names else "start one: etude run STUDY"
        raise ConfigError([Fault("", f"there is no run {f'of {name!r} ' if name else ''}under {project}", mend=mend)])
    return runs


def living_run(start: Path, study: str | None) -> RunOverview:
    """The latest run that is not over.

    Raises:
        ConfigError: There is none.
    """
    for run in runs_of(start, study):
        if run.ended_s is None or run.living_jobs:
            return run
    raise ConfigError([Fault("", "no run is under way", study, mend="see what there is with etude status")])


def show_runs(runs: Sequence[RunOverview]) -> None:
    """A row for each run."""
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ("run", "study", "state", "nodes", "jobs", "took"):
        table.add_column(column, no_wrap=column not in ("study", "jobs"), overflow="fold")
    for run in runs[:MOST_RUNS]:
        nodes = f"{run.done}/{run.todo}" + (f", {run.failed} failed" if run.failed else "")
        colour = _COLOURS[run.state]
        table.add_row(
            run.run, escape(run.study), f"[{colour}]{run.state}[/]", nodes, _job_counts(run), _duration_text(run)
        )
    out().print(table)
    if len(runs) > MOST_RUNS:
        out().print(f"[dim]and {len(runs) - MOST_RUNS} earlier ones[/]")


def show_run(run: RunOverview, *, as_json: bool) -> None:
    """One run with its jobs."""
    if as_json:
        out().print_json(json_text(_fields(run)))
        return
    colour = _COLOURS[run.state]
    out().print(f"[bold]{escape(run.study)}[/]  {run.run}  [{colour}]{run.state}[/]  {_duration_text(run)}")
    out().print(f"  nodes    {run.done} of {run.todo} done" + (f", {run.failed} failed" if run.failed else ""))
    if run.driver is not None and run.ended_s is None:
        alive = "" if run.state != "abandoned" else " [yellow](gone)[/]"
        batch_job = f", batch job {run.driver.job}" if run.driver.job else ""
        out().print(f"  driver   {escape(run.driver)}{batch_job}{alive}")
    for label in run.running[:MOST_RUNS]:
        out().print(f"  runs     {escape(label)}")
    if run.jobs:
        out().print(_job_table(run))
        for job in run.jobs.values():
            if job.reason:
                out().print(f"  job {job.id}: {escape(job.reason)}", soft_wrap=True)
    if run.state == "abandoned":
        out().print("[yellow]its driver is gone: the same `etude run` command takes over what it left[/]")
    if run.taken_over_by:
        out().print(f"[dim]taken over by run {run.taken_over_by}[/]")


def _job_table(run: RunOverview) -> object:
    table = Table(header_style="bold", box=None, padding=(0, 1, 0, 0))
    for column in ("job", "variant", "attempt", "state", "elapsed", "memory", "energy"):
        table.add_column(column, no_wrap=column != "variant", overflow="fold")
    for job in run.jobs.values():
        account = job.account
        table.add_row(
            job.id,
            escape(job.variant),
            str(job.attempt),
            job.state,
            _account_text(account, "job_wall_s", readable_seconds),
            _account_text(account, "job_peak_rss_bytes", readable_bytes),
            _account_text(account, "job_energy_j", lambda joules: f"{number_text(joules, digits=2)} J"),
        )
    return table


def _account_text(account: Mapping[str, object], name: str, text: object) -> str:
    value = account.get(name)
    return str(text(value)) if isinstance(value, (int, float)) and callable(text) else "-"


def _fields(run: RunOverview) -> dict[str, object]:
    return {
        "run": run.run,
        "study": run.study,
        "state": run.state,
        "todo": run.todo,
        "done": run.done,
        "failed": run.failed,
        "running": run.running,
        "driver": str(run.driver) if run.driver is not None else None,
        "started_s": run.started_s,
        "ended_s": run.ended_s,
        "jobs": [_job_fields(job) for job in run.jobs.values()],
    }


def _job_fields(job: JobView) -> dict[str, object]:
    return {
        "id": job.id,
        "variant": job.variant,
        "state": job.state,
        "reason": job.reason,
        "attempt": job.attempt,
        "account": dict(job.account),
    }


def _job_counts(run: RunOverview) -> str:
    counts: dict[str, int] = {}
    for job in run.jobs.values():
        counts[job.state] = counts.get(job.state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "-"


def _duration_text(run: RunOverview) -> str:
    """How long it took; of one that nobody drives any more, until it was last heard of."""
    now_s = run.last_s if run.state == "abandoned" else time.time()
    return readable_seconds((run.ended_s or now_s) - run.started_s)
