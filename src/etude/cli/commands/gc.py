"""`etude gc`: free what no study needs any more."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.cli.console import err, escape, out
from etude.config.document import project_around
from etude.errors import ConfigError, Fault, nearest
from etude.store.roots import Registration
from etude.store.store import Store
from etude.study.needed_results import is_there, needed_by, needed_results, project_key
from etude.study.result_history import histories
from etude.units import readable_bytes, seconds

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
    project = project or project_around(Path.cwd())
    stores = [store] if store else stores_of(project)
    code = collect_garbage(project, stores, only or (), older_than, latest=latest, forget=forget, dry_run=dry_run)
    raise typer.Exit(code)


def stores_of(project: Path) -> list[Path]:
    """The stores that a project's studies have used, its own first; its own alone where none has run."""
    own = project / ".etude" / "store"
    used = {Path(history.store) if history.store else own for history in histories(project / ".etude")}
    others = sorted(used - {own, own.absolute(), own.resolve()})
    return [own, *others] if own.exists() or not others else others


def collect_garbage(
    project: Path,
    stores: Sequence[Path],
    studies: Sequence[str],
    older_than: str,
    *,
    latest: bool,
    forget: str | None,
    dry_run: bool,
) -> int:
    """Delete what no recorded run needs: none of this project, and none of the others that use the same store.

    Args:
        project: Whose runs are asked what they need.
        stores: Which stores to sweep.
        studies: Keep of this project only what these need, by name (with all its forms) or by name and form.
        older_than: What is younger stays.
        latest: Keep of this project only what the latest run of each study and form needs.
        forget: A project that is gone: what was kept for it need not be kept any more.
        dry_run: Only tell.

    Raises:
        ConfigError: No study has been run here, or one named is not among them.
    """
    roots = needed_results(project / ".etude")
    recorded = roots.latest if latest else roots.recorded
    names = {*roots.recorded, *(study.partition("@")[0] for study in roots.recorded)}
    for name in studies:
        if name not in names:
            raise ConfigError([Fault("--only", "no such study was run here", name, nearest(name, names))])
    if not names:
        reason = f"no study was run in {project.resolve()}, so nothing says what to keep"
        raise ConfigError([Fault("", reason, mend="name the folder: etude gc --project FOLDER")])
    chosen = {
        study: fingerprints
        for study, fingerprints in recorded.items()
        if not studies or study in studies or study.partition("@")[0] in studies
    }
    spared = set().union(*chosen.values()) - set().union(*(roots.latest.get(study, set()) for study in chosen))
    for folder in stores:
        _sweep(
            Store.open(folder, create=False),
            project.absolute(),
            chosen,
            set() if latest else spared,
            forget,
            older_than_s=_age(older_than),
            dry_run=dry_run,
        )
    out().print(f"[dim]only what is older than {escape(older_than)} goes: --older-than 0s takes all[/]")
    return 0


def _sweep(
    store: Store,
    project: Path,
    chosen: Mapping[str, set[str]],
    earlier: set[str],
    forget: str | None,
    *,
    older_than_s: float,
    dry_run: bool,
) -> None:
    """Sweep one store, and tell what came of it."""
    own = project_key(project)
    keep = set().union(*chosen.values())
    others: set[str] = set()
    for registration in _others(store, own, forget, dry_run=dry_run):
        others |= needed_by(registration)
    removed = store.gc(keep | others, dry_run=dry_run, older_than_s=older_than_s)
    if not dry_run:
        store.settle(own, chosen)
    left = set(store.entries()) - set(removed.artifacts)
    word = "would free" if dry_run else "freed"
    out().print(
        f"{word} {readable_bytes(removed.bytes)}: {len(removed.artifacts)} results; kept {len(left)}"
        f" [dim]in {escape(store.root)}[/]",
        soft_wrap=True,
    )
    if for_others := len(left & (others - keep)):
        out().print(f"  {for_others} of them for other projects that use this store")
    if for_earlier := len(left & (earlier - others)):
        out().print(f"  {for_earlier} of them for earlier runs alone: --latest lets them go")


def _others(store: Store, own: str, forget: str | None, *, dry_run: bool) -> list[Registration]:
    """The other projects for which the store is kept; one that is gone is told of, and let go where that is asked.

    Raises:
        ConfigError: The one to be forgotten is not gone, or never was there.
    """
    registrations = [registration for registration in store.registrations() if registration.key != own]
    gone = [registration for registration in registrations if is_there(registration) is False]
    if forget is not None:
        wanted = os.path.abspath(forget)  # noqa: PTH100  (a folder that is gone, without `..`)
        let_go = [registration for registration in gone if registration.project in (forget, wanted)]
        if not let_go:
            there = any(registration.project in (forget, wanted) for registration in registrations)
            reason = "that project is there" if there else "nothing is kept for a project there"
            names = [registration.project for registration in gone]
            mend = "sweep there with --only or --latest" if there else nearest(forget, names)
            raise ConfigError([Fault("--forget", f"{store.root}: {reason}", forget, mend)])
        for registration in let_go:
            if not dry_run:
                store.forget(registration.key)
            gone.remove(registration)
            registrations.remove(registration)
    for registration in gone:
        shown = escape(registration.project or registration.key)
        err().print(
            f"[yellow]note[/] project {shown} is not there any more; {len(registration.roots)} results are kept for it"
            f" [dim](etude gc --forget {shown} lets them go)[/]",
            soft_wrap=True,
        )
    return registrations


def _age(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise ConfigError([Fault("--older-than", str(error), text)]) from error
