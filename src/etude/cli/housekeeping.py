"""Checks a store and frees what nobody needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etude.cli.tell import err, escaped, out
from etude.units import readable_bytes


def verify_store(folder: Path, *, keep: bool) -> int:
    """Check all results of a store. Returns the exit code: 1 where something was damaged."""
    from rich.progress import track

    from etude.store.store import Store

    store = Store.open(folder, create=False)
    sound, damaged = 0, []
    fingerprints = list(store.entries())
    for verdict in track(
        store.verify(fingerprints), "checking", total=len(fingerprints), console=err(), transient=True
    ):
        if verdict.damage is None:
            sound += 1
            continue
        damaged.append(verdict)
        if not keep:
            store.quarantine(verdict.fingerprint, verdict.damage)
    out().print(f"{sound} sound, {len(damaged)} damaged")
    for verdict in damaged:
        out().print(f"  [red]{verdict.fingerprint[:16]}[/] {escaped(str(verdict.damage))}")
    if damaged and not keep:
        out().print("set aside; they are computed anew when a study needs them")
    return 1 if damaged else 0


def collect_garbage(project: Path, studies: Sequence[str], older_than: str, *, dry_run: bool) -> int:
    """Delete what no study's latest run reaches, and no run that is still under way.

    Raises:
        ConfigError: No study has been run here, or one named is not among them.
    """
    from etude.errors import ConfigError, Fault, nearest
    from etude.store.store import Store
    from etude.study.history import histories, planned_by_living_runs

    known = {history.study: history for history in histories(project / ".etude")}
    for name in studies:
        if name not in known:
            raise ConfigError([Fault("--only", "no such study was run here", name, nearest(name, known))])
    if not known:
        reason = f"no study was run in {project.resolve()}, so nothing says what to keep"
        raise ConfigError([Fault("", reason, mend="name the folder: etude gc --project FOLDER")])
    chosen = [known[name] for name in studies] or list(known.values())
    roots = {fingerprint for history in chosen for fingerprint in history.results.values()}
    roots |= set(planned_by_living_runs(project / ".etude"))
    store = Store.open(project / ".etude" / "store", create=False)
    removed = store.gc(roots, dry_run=dry_run, older_than_s=_age(older_than))
    word = "would free" if dry_run else "freed"
    out().print(f"{word} {readable_bytes(removed.bytes)}: {len(removed.artifacts)} results; kept {len(roots)}")
    out().print(f"[dim]only what is older than {escaped(older_than)} goes: --older-than 0s takes all[/]")
    return 0


def _age(text: str) -> float:
    from etude.errors import ConfigError, Fault
    from etude.units import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise ConfigError([Fault("--older-than", str(error), text)]) from error
