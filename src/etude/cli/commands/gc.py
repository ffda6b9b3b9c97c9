"""`etude gc`: free what no study needs any more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

EXAMPLES = """
[bold]Examples[/]

  etude gc --dry-run           [dim](what would go, and how much that is)[/]

  etude gc                     [dim](keeps what any recorded run needs, also of other projects)[/]

  etude gc --latest            [dim](of this project, what the latest run of each study needs, no more)[/]

  etude gc --latest --only intent-heads --only ablation@tiny
"""


def gc(
    project: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The project's folder; the one around the current folder if left out."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="STUDY", help="Keep what these studies need, no more. Repeatable."),
    ] = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="Keep only what each study's latest run needs, and that of each form.")
    ] = False,
    store: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Only this store; all that the project's studies have used if left out."),
    ] = None,
    forget: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="PROJECT", help="Keep nothing any more for a project that is gone."),
    ] = None,
    older_than: Annotated[str, typer.Option(metavar="DURATION", help="Keep what is younger: 2h, 1d, 0s.")] = "1d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
) -> None:
    """Delete stored results that no recorded run needs."""
    from etude.cli.housekeeping import collect_garbage, stores_of
    from etude.config.project import project_around

    project = project or project_around(Path.cwd())
    stores = [store] if store else stores_of(project)
    code = collect_garbage(project, stores, only or (), older_than, latest=latest, forget=forget, dry_run=dry_run)
    raise typer.Exit(code)


gc.__doc__ = f"{gc.__doc__}\n{EXAMPLES}"
