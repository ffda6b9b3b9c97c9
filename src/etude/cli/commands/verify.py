"""`etude verify`: check every stored result against its checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.progress import track

from etude.cli.commands.gc import stores_of
from etude.cli.console import err, escape, out
from etude.config.document import project_around
from etude.store.store import Store

MOST_UNKNOWN = 5
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
    stores = [store] if store else stores_of(project_around(Path.cwd()))
    raise typer.Exit(max(verify_store(each, keep=keep) for each in stores))


def verify_store(folder: Path, *, keep: bool) -> int:
    """Check all results of a store. Returns the exit code: 1 where something was damaged."""
    store = Store.open(folder, create=False)
    sound, damaged, unknown = 0, [], []
    fingerprints = list(store.entries())
    for check in track(store.verify(fingerprints), "checking", total=len(fingerprints), console=err(), transient=True):
        if check.unknown is not None:
            unknown.append(check)
            continue
        if check.damage is None:
            sound += 1
            continue
        damaged.append(check)
        if not keep:
            store.quarantine(check.fingerprint, check.damage)
    out().print(f"{sound} sound, {len(damaged)} damaged" + (f", {len(unknown)} not checked" if unknown else ""))
    for check in unknown[:MOST_UNKNOWN]:
        out().print(f"  [yellow]{check.fingerprint[:16]}[/] {escape(check.unknown)}", soft_wrap=True)
    for check in damaged:
        out().print(f"  [red]{check.fingerprint[:16]}[/] {escape(check.damage)}")
    if damaged and not keep:
        out().print("set aside; they are computed anew when a study needs them")
    return 1 if damaged else 0
