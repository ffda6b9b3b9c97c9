"""What the workers of a cluster job must know before the first node: written once by the driver, read in every job."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from etude.execute.node_metering import MeterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotSpec:
    """One pool's jobs."""

    version: str
    """étude's, where the study was planned."""
    pool: str
    store: str
    logs: str
    mailbox: str
    """Folder through which the driver gives orders and hears news."""
    import_path: tuple[str, ...]
    snapshot: str
    """File with the project's sources as they were when the study was planned."""
    meter: MeterSettings
    digests: str | None
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables for the workers, besides those of the job."""
    gpus: int = 0
    cpus: int = 1
    nodes: int = 1
    processes: int = 1
    workers: int = 1
    launch: str = "srun"
    walltime_s: float = 3600.0
    grace_s: float = 120.0
    time_s: float = 0.0
    """A job takes no further node of this pool once less than this is left of it."""
    addresses: tuple[str, ...] = ()
    port: int = 0
    certificates: str | None = None
    manager_logs: str = ""
    heartbeat_s: int = 5


def write_spec(path: Path, spec: PilotSpec) -> None:
    """Keep a spec where only its owner can read or change it: what is in it will be run."""
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        pickle.dump(spec, file)
    fresh.replace(path)


def read_spec(path: Path) -> PilotSpec:
    """The spec in a file that a driver of the same user has written."""
    with path.open("rb") as file:
        spec = pickle.load(file)  # noqa: S301
    assert isinstance(spec, PilotSpec), path
    return spec


def write_snapshot(path: Path, sources: Mapping[str, bytes]) -> None:
    """Keep the project's sources, by absolute path, readable by their owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        pickle.dump(dict(sources), file)


def read_snapshot(path: Path) -> dict[str, bytes]:
    """The project's sources as they were when the study was planned."""
    with path.open("rb") as file:
        sources: dict[str, bytes] = pickle.load(file)  # noqa: S301
    return sources
