"""`etude gc`: free what no study needs any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

EXAMPLES = """
[bold]Examples[/]

  etude gc --dry-run           [dim](what would go, and how much that is)[/]

  etude gc                     [dim](keeps what the latest run of every study of this project reaches)[/]

  etude gc --only intent-heads --only ablation
"""


def gc(
    project: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The project's folder; the one around the current folder if left out."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="STUDY", help="Keep what these studies reach. Repeatable.")
    ] = None,
    older_than: Annotated[str, typer.Option(metavar="DURATION", help="Keep what is younger: 2h, 1d, 0s.")] = "1d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
) -> None:
    """Delete stored results that no study's latest run reaches."""
    from etude.cli.housekeeping import collect_garbage
    from etude.config.project import project_around

    raise typer.Exit(collect_garbage(project or project_around(Path.cwd()), only or (), older_than, dry_run=dry_run))


gc.__doc__ = f"{gc.__doc__}\n{EXAMPLES}"
