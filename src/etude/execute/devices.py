"""What this machine has to share out: cores, memory and accelerators."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is to share out."""

    workers: int
    cpus: int
    memory_bytes: int
    devices: tuple[str, ...] = ()
    """Identifiers of the GPUs, as CUDA_VISIBLE_DEVICES takes them."""


def visible_gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Identifiers of the GPUs this process may use, found without loading torch.

    CUDA_VISIBLE_DEVICES is obeyed where it is set, for it is what a scheduler granted; otherwise the driver is asked.
    """
    granted = environment.get("CUDA_VISIBLE_DEVICES")
    if granted is not None:
        return tuple(part.strip() for part in granted.split(",") if part.strip() and part.strip() != "-1")
    with contextlib.suppress(OSError):
        return tuple(str(index) for index, _ in enumerate(sorted(Path("/proc/driver/nvidia/gpus").iterdir())))
    return ()


def usable_cpus() -> int:
    """Cores that this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine(
    environment: Mapping[str, str],
    *,
    workers: int | None = None,
    gpus: int | None = None,
    memory_bytes: int | None = None,
) -> Machine:
    """What there is to share out, as found or as the study says."""
    import psutil

    cpus = usable_cpus()
    devices = visible_gpus(environment)
    return Machine(
        workers=workers or cpus,
        cpus=cpus,
        memory_bytes=memory_bytes or psutil.virtual_memory().total,
        devices=devices if gpus is None else devices[:gpus],
    )
