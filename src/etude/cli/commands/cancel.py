"""`etude cancel`: stop a run, from any machine that sees the project."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.batch.cancellation import Cancellation
from etude.batch.cancellation import cancel as stop
from etude.cli.commands.status import MOST_RUNS, living_run
from etude.cli.console import err, escape
from etude.environment import variables

EXAMPLES = """
[bold]Examples[/]

  etude cancel                    [dim](the run that is under way)[/]

  etude cancel intent-heads --now
"""


def cancel(
    study: Annotated[Optional[str], typer.Argument(help="A study's name or file; the latest run if left out.")] = None,  # noqa: UP045
    at_once: Annotated[bool, typer.Option("--now", help="End its batch jobs at once, not at a checkpoint.")] = False,
) -> None:
    show_cancellation(stop(living_run(Path.cwd(), study), variables(), time.time(), at_once=at_once))


def show_cancellation(done: Cancellation) -> None:
    """What was done to stop a run."""
    if done.jobs:
        err().print(f"the scheduler ends {len(done.jobs)} job(s): {', '.join(done.jobs[:MOST_RUNS])}")
    if done.left:
        err().print(f"jobs that end by themselves now, or by hand: {', '.join(done.left[:MOST_RUNS])}")
    if done.driven_by:
        err().print(f"run {done.run} is asked to stop; {escape(done.driven_by)} drives it: follow with `etude watch`")
    else:
        err().print(f"run {done.run} is stopped; nobody drove it any more")
    err().print("what was done is kept: the same `etude run` command goes on from there")
