"""`etude verify`: check every stored result against its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
[bold]Examples[/]

  etude verify                 [dim](every result of this project's store)[/]

  etude verify --store /data/etude-store --keep
"""


def verify(
    store: Annotated[Path, typer.Option(help="The store's folder.")] = Path(".etude/store"),
    keep: Annotated[bool, typer.Option("--keep", help="Only report; do not set damaged results aside.")] = False,
) -> None:
    """Check every stored result against its checksums; damaged ones are set aside and computed anew when needed."""
    from etude.cli.housekeeping import verify_store

    raise typer.Exit(verify_store(store, keep=keep))


verify.__doc__ = f"{verify.__doc__}\n{EXAMPLES}"
