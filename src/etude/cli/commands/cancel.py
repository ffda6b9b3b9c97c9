"""`etude cancel`: stop a run, from any machine that sees the project."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

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
    """Stop a run: what waits is taken back, what runs goes on to its next checkpoint. The same command runs it on."""
    import time
    from pathlib import Path

    from etude.batch.cancelling import cancel as stop
    from etude.cli.runs import living_run, show_cancelled

    found = living_run(Path.cwd(), study)
    show_cancelled(stop(found, variables(), time.time(), at_once=at_once))


cancel.__doc__ = f"{cancel.__doc__}\n{EXAMPLES}"
