"""What a project needs of the stores that it uses: the results of its recorded runs."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from etude.execute.run_events import EventKind, has_ended, read_events
from etude.store.roots import Registration
from etude.store.store import Store
from etude.study.result_history import histories

IDENTITY = "project.id"
"""File in a project's `.etude` that tells it from another at the same path on another machine."""


@dataclass(slots=True, kw_only=True)
class NeededResults:
    """Fingerprints that the studies of one project need, by study with its form."""

    latest: dict[str, set[str]] = field(default_factory=dict)
    """Of the latest run of each, and of all runs that are under way."""
    recorded: dict[str, set[str]] = field(default_factory=dict)
    """Of every run that is recorded, the latest among them."""


def needed_results(etude: Path) -> NeededResults:
    """What the studies of a project need.

    Args:
        etude: The project's `.etude`.
    """
    needs = NeededResults()
    for history in histories(etude):
        needs.latest[history.study] = set(history.results.values())
        needs.recorded[history.study] = set(history.results.values())
    for run in sorted((etude / "runs").glob("*")):
        try:
            resolved = json.loads((run / "resolved.json").read_text(encoding="utf-8"))
            fingerprints = set(resolved["nodes"].values())
            study = f"{resolved['study']}@{form}" if (form := resolved.get("form")) else str(resolved["study"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        living = _lives(run)
        if living or resolved.get("searches", True):  # its trials stand in no plan that was made before it
            fingerprints |= _stored(run)
        needs.recorded.setdefault(study, set()).update(fingerprints)
        if living:
            needs.latest.setdefault(study, set()).update(fingerprints)
    return needs


def register(store: Store, project: Path, study: str, fingerprints: Collection[str]) -> None:
    """Say in a store what a study of this project needs of it.

    Raises:
        StoreError: It cannot be written.
        OSError: The project's `.etude` cannot be written.
    """
    store.register(project_key(project), str(project), study, fingerprints)


def project_key(project: Path) -> str:
    """What a project is registered by; its own even where another machine has one at the same path."""
    path = project / ".etude" / IDENTITY
    try:
        token = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{IDENTITY}.{os.getpid()}.{secrets.token_hex(4)}")
        fresh.write_text(secrets.token_hex(16), encoding="utf-8")
        try:
            path.hardlink_to(fresh)  # of two that begin at once, one gives the identity
        except FileExistsError:
            pass
        except OSError:
            fresh.replace(path)
        fresh.unlink(missing_ok=True)
        token = path.read_text(encoding="utf-8")
    return sha256(f"{token} {project.resolve()}".encode()).hexdigest()[:32]


def is_there(registration: Registration) -> bool | None:
    """Whether a registered project stands where it stood; None where that cannot be looked at."""
    project = Path(registration.project)
    try:
        return (project / ".etude" / IDENTITY).exists() and project_key(project) == registration.key
    except OSError:
        return None


def needed_by(registration: Registration) -> set[str]:
    """What another project needs: what is registered, and what its records say now where they can be read."""
    fingerprints = set(registration.roots)
    if is_there(registration):
        for results in needed_results(Path(registration.project) / ".etude").recorded.values():
            fingerprints |= results
    return fingerprints


def _lives(run: Path) -> bool:
    try:
        return not has_ended(run / "events.jsonl")
    except OSError:
        return False


def _stored(run: Path) -> set[str]:
    try:
        events = read_events(run / "events.jsonl")
    except (OSError, ValueError, KeyError):
        return set()
    return {event.fingerprint for event in events if event.kind in (EventKind.DONE, EventKind.REUSED)}
