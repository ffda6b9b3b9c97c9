"""What this machine can do at most, measured: a matrix product and a copy. Utilisation is a share of that."""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from etude.errors import ConfigError, Fault, MeterError, require
from etude.flops.cost import Convention, Cost
from etude.flops.traffic import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """The fastest matrix product and copy seen on one device, and how they were seen."""

    gemm_flops_per_s: float
    """Best of the repeats of a square product; 2 n³ FLOPs each."""
    gemm_median_flops_per_s: float
    copy_bytes_per_s: float
    """Best of the repeats of a copy within the device's memory, bytes read and written together."""
    copy_median_bytes_per_s: float
    device: str
    device_name: str
    dtype: str
    threads: int
    """Threads that torch computed with; 0 on an accelerator."""
    host: str
    torch: str
    measured_utc: str
    """ISO 8601."""
    gemm_size: int
    """n of the n×n matrices."""
    copy_bytes: int
    """Size of what was copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilisation:
    """The share of a measured roof that some work reached."""

    fraction: float
    achieved_per_s: float
    """FLOPs or bytes for each second."""
    roof_per_s: float
    roof_measured_utc: str
    convention: Convention | None = None
    """Of the FLOPs; None for bytes."""


def mfu(cost: Cost, duration_s: float, roof: Roof) -> Utilisation:
    """Useful FLOPs for each second, as a share of what a plain matrix product reaches here (model FLOPs utilisation).

    Padding and masked pairs are no useful work: the figure is that of the `causal_exact` convention, and of `torch`
    where the architecture was counted. ConfigError for a duration that is not above 0.
    """
    require(duration_s > 0, "duration_s", duration_s, "seconds above 0")
    exact = cost.useful.causal_exact_flops
    rate = (cost.useful.torch_flops if exact is None else exact) / duration_s
    return Utilisation(
        fraction=rate / roof.gemm_flops_per_s,
        achieved_per_s=rate,
        roof_per_s=roof.gemm_flops_per_s,
        roof_measured_utc=roof.measured_utc,
        convention="torch" if exact is None else "causal_exact",
    )


def mbu(traffic: Traffic, duration_s: float, roof: Roof) -> Utilisation:
    """Bytes moved for each second, as a share of what a plain copy reaches here (memory bandwidth utilisation).

    ConfigError for a duration that is not above 0.
    """
    require(duration_s > 0, "duration_s", duration_s, "seconds above 0")
    rate = traffic.total_bytes / duration_s
    return Utilisation(
        fraction=rate / roof.copy_bytes_per_s,
        achieved_per_s=rate,
        roof_per_s=roof.copy_bytes_per_s,
        roof_measured_utc=roof.measured_utc,
    )


def machine_roof(path: Path | str, *, device: str = "cpu", dtype: str = "float32", refresh: bool = False) -> Roof:
    """The roof of this machine from a file, measured now and added to the file where it is not in it.

    Args:
        path: A JSON file with the roofs of any number of machines; made where it is missing.
        device: As torch names it.
        dtype: Type of the matrices, as torch names it.
        refresh: Measure anew, in place of what the file has.

    Raises:
        ConfigError: The file holds no roofs.
        MeterError: torch, the device or the type is not there.
    """
    file = Path(path)
    known = read_roofs(file)
    here = _place(device, dtype)
    if not refresh:
        for found in known:
            if _same(found, here):
                return found
    fresh = measure_roof(device=device, dtype=dtype)
    _write(file, [*(other for other in known if not _same(other, here)), fresh])
    return fresh


def read_roofs(path: Path) -> list[Roof]:
    """The roofs in a file; none where it is missing. ConfigError where it holds something else."""
    if not path.exists():
        return []
    try:
        return [Roof(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as problem:
        mend = "delete the file, or name another; it is measured anew"
        fault = Fault(path="roof", file=str(path), reason=f"no roofs in it: {problem}", mend=mend)
        raise ConfigError([fault]) from problem


def measure_roof(*, device: str = "cpu", dtype: str = "float32", seconds: float = 1.0) -> Roof:
    """Measure the fastest matrix product and copy, each repeated for about so many seconds after a warm-up.

    Raises:
        MeterError: torch, the device or the type is not there.
    """
    torch = _torch()
    place, kind = _device(torch, device), _dtype(torch, dtype)
    host = place.type == "cpu"
    size, copied = (2048, 2**28) if host else (8192, 2**31)
    left = torch.rand((size, size), device=place).to(kind)
    right = torch.rand((size, size), device=place).to(kind)
    product = _durations_s(lambda: left @ right, torch, place, seconds)
    source = torch.zeros(copied, dtype=torch.uint8, device=place)
    target = torch.empty_like(source)
    copy = _durations_s(lambda: target.copy_(source), torch, place, seconds)
    work = 2 * size**3
    return Roof(
        gemm_flops_per_s=work / min(product),
        gemm_median_flops_per_s=work / median(product),
        copy_bytes_per_s=2 * copied / min(copy),
        copy_median_bytes_per_s=2 * copied / median(copy),
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        gemm_size=size,
        copy_bytes=copied,
        **_place(device, dtype),
    )


def _durations_s(run: Callable[[], object], torch: Any, device: Any, seconds: float) -> list[float]:
    """Durations of the repeats after two warm-ups: at least five, and more until the time is up."""

    def timed() -> float:
        began = time.perf_counter()
        run()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        return time.perf_counter() - began

    timed(), timed()
    found: list[float] = []
    while len(found) < 5 or sum(found) < seconds:
        found.append(timed())
    return found


def _place(device: str, dtype: str) -> dict[str, Any]:
    """What a roof holds for: this host, device, type and number of threads."""
    torch = _torch()
    place = _device(torch, device)
    on_host = place.type == "cpu"
    name = _processor() if on_host else torch.cuda.get_device_name(place) if place.type == "cuda" else place.type
    return {
        "device": device,
        "device_name": name,
        "dtype": dtype,
        "threads": torch.get_num_threads() if on_host else 0,
        "host": platform.node(),
        "torch": torch.__version__,
    }


def _same(found: Roof, here: dict[str, Any]) -> bool:
    return all(getattr(found, name) == value for name, value in here.items())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _torch() -> Any:
    try:
        import torch
    except ImportError as problem:
        raise MeterError("roof: torch is not installed. Mend: install it, or give the roof by hand.") from problem
    return torch


def _device(torch: Any, device: str) -> Any:
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError) as problem:
        raise MeterError(f"roof: device {device!r} cannot be used: {problem}") from problem
    return found


def _dtype(torch: Any, dtype: str) -> Any:
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype):
        raise MeterError(f"roof: torch has no type {dtype!r}. Mend: write float32, bfloat16 or float16.")
    return found


def _write(path: Path, roofs: list[Roof]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(roof) for roof in roofs], indent=2) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)
