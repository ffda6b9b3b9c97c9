"""`etude verify`: check every stored result against its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

EXAMPLES = """
[bold]Examples[/]

  etude verify                 [dim](every result of this project's store)[/]

  etude verify --store /data/etude-store --keep
"""


def verify(
    store: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The store's folder; that of the project around the current folder if left out."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Only report; do not set damaged results aside.")] = False,
) -> None:
    """Check every stored result against its checksums; damaged ones are set aside and computed anew when needed."""
    from etude.cli.housekeeping import verify_store
    from etude.config.project import project_around

    raise typer.Exit(verify_store(store or project_around(Path.cwd()) / ".etude" / "store", keep=keep))


verify.__doc__ = f"{verify.__doc__}\n{EXAMPLES}"
