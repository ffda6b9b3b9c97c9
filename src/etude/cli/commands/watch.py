"""`etude watch`: follow a run from another terminal."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

EXAMPLES = """
[bold]Examples[/]

  etude watch                 [dim](the latest run of this project)[/]

  etude watch intent-heads    [dim](the latest run of that study)[/]
"""


def watch(
    study: Annotated[Optional[str], typer.Argument(help="A study's name or file; the latest run if left out.")] = None,  # noqa: UP045
) -> None:
    """Follow a run from another terminal: what runs, what is done, how long it will take."""
    from pathlib import Path

    from etude.cli.following import follow_latest

    raise typer.Exit(follow_latest(Path.cwd(), study))


watch.__doc__ = f"{watch.__doc__}\n{EXAMPLES}"
