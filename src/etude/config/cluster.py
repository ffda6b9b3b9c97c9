"""Cluster profiles: files that say how one cluster is used. Every fault is told at once, as for studies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from etude.cluster.profile import Profile
from etude.config.document import SUFFIXES, file_text
from etude.config.yaml12 import parse_yaml
from etude.errors import ConfigError, Fault, nearest
from etude.keys import JsonSchema, section_of, spec_of
from etude.study.fault_places import in_order

_ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "partition": ("slurm",),
    "qos": ("slurm",),
    "constraint": ("slurm",),
    "reservation": ("slurm",),
    "queue": ("pbs", "lsf", "sge"),
    "select": ("pbs",),
    "requirements": ("htcondor",),
    "namespace": ("kubernetes",),
    "image": ("kubernetes",),
    "volumes": ("kubernetes",),
}
"""Key → the schedulers that know it."""
_INSTEAD: Final = {"partition": "queue", "queue": "partition", "constraint": "select", "requirements": "constraint"}
_ONE_MACHINE: Final = ("htcondor", "sge", "kubernetes", "local")


def read_profile(where: str, folder: Path) -> Profile:
    """The profile of a file, or one of those that come with étude.

    Args:
        where: A path, or a name: of a file in `cluster/` of the folder, or of a ready profile (`slurm`, `narval`, …).
        folder: The project's folder.

    Raises:
        ConfigError: There is none, or it is faulty.
    """
    path = profile_path(where, folder)
    document = parse_yaml(file_text(path), str(path))
    faults = list(document.faults)
    read: Any = section_of(Profile).read(document.tree, "", faults)
    written = document.tree if isinstance(document.tree, dict) else {}
    faults += contradictions(written, read if isinstance(read, dict) else {})
    if faults:
        lines = document.lines
        placed = [_placed(fault, path, lines[fault.path].line if fault.path in lines else None) for fault in faults]
        raise ConfigError(in_order(placed, (path,)))
    grace = {} if "grace" in read else {"grace_s": min(120.0, read.get("walltime", 3600.0) / 4)}
    return spec_of(Profile, read, name=re.sub(r"[^A-Za-z0-9_-]", "_", path.stem), **grace)


def profile_path(where: str, folder: Path) -> Path:
    """The file that a name or path of a profile means.

    Raises:
        ConfigError: There is none.
    """
    direct = Path(where)
    if direct.suffix in SUFFIXES or len(direct.parts) > 1:
        for path in (direct, folder / direct):
            if path.is_file():
                return path
        raise ConfigError([Fault("", f"there is no cluster profile {where}", mend=_known(folder))])
    own = folder / "cluster" / f"{where}.yaml"
    ready = ready_profiles()
    if own.is_file():
        return own
    if where in ready:
        return ready[where]
    close = nearest(where, ready)
    mend = close if close.startswith("did") else _known(folder)
    raise ConfigError([Fault("", f"there is no cluster profile called {where!r}", mend=mend)])


def ready_profiles() -> dict[str, Path]:
    """The profiles that come with étude, by name."""
    ready = Path(str(files("etude.cluster") / "ready"))
    return {path.stem: path for path in sorted(ready.glob("*.yaml"))}


def contradictions(written: Mapping[str, object], read: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with a profile although each of its values is right."""
    scheduler = read.get("scheduler")
    if scheduler is None:
        return
    parts = [("", written)] + ([("gpu.", written["gpu"])] if isinstance(written.get("gpu"), dict) else [])
    for prefix, part in parts:
        for key, schedulers in _ONLY.items():
            if part.get(key) is not None and scheduler not in schedulers:  # type: ignore[attr-defined]
                other = _INSTEAD.get(key, "")
                mend = f"write {other}" if other and scheduler in _ONLY[other] else "remove it"
                yield Fault(
                    f"{prefix}{key}", f"{scheduler} has no {key}: it belongs to {', '.join(schedulers)}", mend=mend
                )
    if read.get("nodes", 1) > 1 and scheduler in _ONE_MACHINE:
        yield Fault("nodes", f"a job of {scheduler} has one machine", read["nodes"], "write nodes: 1 and more blocks")
    if scheduler == "kubernetes" and "image" not in read:
        yield Fault("image", "kubernetes needs the image of a container", mend="add image: with étude installed in it")
    if read.get("launch") == "srun" and scheduler != "slurm":
        yield Fault("launch", f"srun belongs to slurm, not to {scheduler}", "srun", "write mpiexec")
    blocks = read.get("blocks", {})
    if blocks.get("min", 0) > blocks.get("max", 1):
        yield Fault("blocks.min", f"is above blocks.max ({blocks.get('max', 1)})", blocks["min"], "raise blocks.max")
    yield from _amounts(read)


def _amounts(read: Mapping[str, Any]) -> Iterator[Fault]:
    gpus = max(read.get("gpus", 0), read.get("gpu", {}).get("gpus", 0))
    if "gpus_as" in read and not gpus:
        yield Fault("gpus_as", "says how GPUs are asked for, and none are", read["gpus_as"], "add gpus: N")
    if "gpu" in read and not gpus:
        yield Fault("gpu", "speaks of jobs with GPUs, and there are none", mend="add gpus: N")
    if read.get("workers", 1) > read.get("cpus", read.get("workers", 1)):
        yield Fault("workers", f"there are {read['cpus']} cores for them", read["workers"], "lower it, or raise cpus")
    walltime, grace = read.get("walltime", 3600.0), read.get("grace")
    if grace is not None and 2 * grace > walltime:
        yield Fault("grace", f"takes more than half of the walltime of {walltime:g} s", grace, "lower it")
    ports = read.get("ports")
    if ports and (len(ports) != 2 or ports[0] >= ports[1] or ports[1] > 65535):
        yield Fault("ports", "expected the first and the last port, such as [54000, 55000]", ports)


def profile_schema() -> JsonSchema:
    """JSON Schema of a cluster profile, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "étude cluster profile",
        **section_of(Profile).schema(),
    }


def _placed(fault: Fault, path: Path, line: int | None) -> Fault:
    return Fault(fault.path, fault.reason, fault.value, fault.mend, str(path), line)


def _known(folder: Path) -> str:
    own = sorted(str(path.relative_to(folder)) for path in (folder / "cluster").glob("*.yaml"))
    return "known: " + ", ".join([*own, *ready_profiles()])
