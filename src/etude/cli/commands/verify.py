"""`etude verify`: check every stored result against its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

EXAMPLES = """
[bold]Examples[/]

  etude verify                 [dim](every result of the stores that this project's studies have used)[/]

  etude verify --store /data/etude-store --keep
"""


def verify(
    store: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="A store's folder; those of the project around the current folder if left out."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Only report; do not set damaged results aside.")] = False,
) -> None:
    """Check every stored result against its checksums; damaged ones are set aside and computed anew when needed."""
    from etude.cli.housekeeping import stores_of, verify_store
    from etude.config.project import project_around

    stores = [store] if store else stores_of(project_around(Path.cwd()))
    raise typer.Exit(max(verify_store(each, keep=keep) for each in stores))


verify.__doc__ = f"{verify.__doc__}\n{EXAMPLES}"
