"""`etude watch`: follow a run from another terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.cli.console import err
from etude.cli.run_progress import LiveProgress
from etude.errors import ConfigError, Fault
from etude.execute.run_events import EventKind, first_event, follow
from etude.study.run_driver import driver_of

EXAMPLES = """
[bold]Examples[/]

  etude watch                 [dim](the latest run of this project)[/]

  etude watch intent-heads    [dim](the latest run of that study)[/]
"""


def watch(
    study: Annotated[Optional[str], typer.Argument(help="A study's name or file; the latest run if left out.")] = None,  # noqa: UP045
) -> None:
    raise typer.Exit(follow_latest(Path.cwd(), study))


def follow_latest(start: Path, study: str | None) -> int:
    """Show the latest run of a project, or of one study, until it ends. Exit code 1 where it did not succeed.

    Raises:
        ConfigError: There is no such run.
    """
    path = _latest(start, study)
    if path is None:
        place = f"of {study!r} " if study else ""
        raise ConfigError(
            [Fault("", f"there is no run {place}to watch under {start}", mend="start one: etude run STUDY")]
        )
    succeeded = True
    with LiveProgress(err()) as progress:
        for event in follow(path, idle=lambda: _wait(path)):
            progress(event)
            if event.kind is EventKind.RUN_ENDED:
                succeeded = bool((event.data or {}).get("succeeded"))
        if not progress.view.ended:
            err().print("[yellow]nobody drives the run any more: it was killed, or its machine is gone[/]")
            succeeded = False
    return 0 if succeeded else 1


def _wait(path: Path, give_up_s: float = 600.0) -> bool:
    """Wait a moment; False where nobody drives the run any more. Jobs may stand in a queue for days without a word."""
    time.sleep(0.2)
    now_s = time.time()
    driver = driver_of(path.parent)
    return driver.lives(now_s) if driver is not None else now_s - path.stat().st_mtime < give_up_s


def _latest(start: Path, study: str | None) -> Path | None:
    """The event log of the latest run in this folder's project."""
    name = Path(study).stem if study else None
    for folder in (start, *start.parents):
        logs = sorted(folder.glob(".etude/runs/*/events.jsonl"), reverse=True)
        for log in logs:
            first = first_event(log)
            if first is not None and name in (None, (first.data or {}).get("study")):
                return log
        if logs:
            return None
    return None
