"""Checks a store and frees what nobody needs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etude.cli.tell import err, escaped, out
from etude.units import readable_bytes

if TYPE_CHECKING:
    from etude.store.roots import Registration
    from etude.store.store import Store


MOST_UNKNOWN = 5


def verify_store(folder: Path, *, keep: bool) -> int:
    """Check all results of a store. Returns the exit code: 1 where something was damaged."""
    from rich.progress import track

    from etude.store.store import Store

    store = Store.open(folder, create=False)
    sound, damaged, unknown = 0, [], []
    fingerprints = list(store.entries())
    for verdict in track(
        store.verify(fingerprints), "checking", total=len(fingerprints), console=err(), transient=True
    ):
        if verdict.unknown is not None:
            unknown.append(verdict)
            continue
        if verdict.damage is None:
            sound += 1
            continue
        damaged.append(verdict)
        if not keep:
            store.quarantine(verdict.fingerprint, verdict.damage)
    out().print(f"{sound} sound, {len(damaged)} damaged" + (f", {len(unknown)} not checked" if unknown else ""))
    for verdict in unknown[:MOST_UNKNOWN]:
        out().print(f"  [yellow]{verdict.fingerprint[:16]}[/] {escaped(str(verdict.unknown))}", soft_wrap=True)
    for verdict in damaged:
        out().print(f"  [red]{verdict.fingerprint[:16]}[/] {escaped(str(verdict.damage))}")
    if damaged and not keep:
        out().print("set aside; they are computed anew when a study needs them")
    return 1 if damaged else 0


def stores_of(project: Path) -> list[Path]:
    """The stores that a project's studies have used, its own first; its own alone where none has run."""
    from etude.study.history import histories

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
    from etude.errors import ConfigError, Fault, nearest
    from etude.store.store import Store
    from etude.study.roots import needed

    found = needed(project / ".etude")
    recorded = found.latest if latest else found.recorded
    known = {*found.recorded, *(study.partition("@")[0] for study in found.recorded)}
    for name in studies:
        if name not in known:
            raise ConfigError([Fault("--only", "no such study was run here", name, nearest(name, known))])
    if not known:
        reason = f"no study was run in {project.resolve()}, so nothing says what to keep"
        raise ConfigError([Fault("", reason, mend="name the folder: etude gc --project FOLDER")])
    chosen = {
        study: fingerprints
        for study, fingerprints in recorded.items()
        if not studies or study in studies or study.partition("@")[0] in studies
    }
    spared = set().union(*chosen.values()) - set().union(*(found.latest.get(study, set()) for study in chosen))
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
    out().print(f"[dim]only what is older than {escaped(older_than)} goes: --older-than 0s takes all[/]")
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
    from etude.study.roots import needed_by, project_key

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
        f" [dim]in {escaped(str(store.root))}[/]",
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
    from etude.errors import ConfigError, Fault, nearest
    from etude.study.roots import is_there

    found = [registration for registration in store.registrations() if registration.key != own]
    gone = [registration for registration in found if is_there(registration) is False]
    if forget is not None:
        wanted = os.path.abspath(forget)  # noqa: PTH100  (a folder that is gone, without `..`)
        let_go = [registration for registration in gone if registration.project in (forget, wanted)]
        if not let_go:
            there = any(registration.project in (forget, wanted) for registration in found)
            reason = "that project is there" if there else "nothing is kept for a project there"
            names = [registration.project for registration in gone]
            mend = "sweep there with --only or --latest" if there else nearest(forget, names)
            raise ConfigError([Fault("--forget", f"{store.root}: {reason}", forget, mend)])
        for registration in let_go:
            if not dry_run:
                store.forget(registration.key)
            gone.remove(registration)
            found.remove(registration)
    for registration in gone:
        shown = escaped(registration.project or registration.key)
        err().print(
            f"[yellow]note[/] project {shown} is not there any more; {len(registration.roots)} results are kept for it"
            f" [dim](etude gc --forget {shown} lets them go)[/]",
            soft_wrap=True,
        )
    return found


def _age(text: str) -> float:
    from etude.errors import ConfigError, Fault
    from etude.units import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise ConfigError([Fault("--older-than", str(error), text)]) from error
