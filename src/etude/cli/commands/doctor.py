"""`etude doctor`: what this machine has, what is missing and how to get it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from etude import __version__
from etude.cli.arguments import AsJson
from etude.cli.console import err, escape, out
from etude.environment import variables
from etude.errors import ConfigError, Fault, StoreError
from etude.execute.devices import usable_cpus, visible_gpus
from etude.flops import machine_roof
from etude.flops.roof import read_roofs
from etude.graph.versions import version_of
from etude.interchange import json_text
from etude.meter import discover
from etude.meter import doctor as examine_meters
from etude.store.store import Store
from etude.units import readable_bytes

EXAMPLES = """
[bold]Examples[/]

  etude doctor

  etude doctor energy      [dim](which meter serves each component, why others do not, and what to do about it)[/]

  etude doctor roof --device cuda --dtype bfloat16      [dim](the fastest matrix product and copy here)[/]
"""
ROOFS = Path(".etude/roofs.json")


def doctor(
    area: Annotated[str | None, typer.Argument(help="`energy` for the meters, `roof` for what it can do.")] = None,
    device: Annotated[str, typer.Option(help="With `roof`: the device, as torch names it.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="With `roof`: type of the matrices, as torch names it.")] = "float32",
    roofs: Annotated[Path, typer.Option(metavar="FILE", help="With `roof`: the file in which they are kept.")] = ROOFS,
    refresh: Annotated[bool, typer.Option("--refresh", help="With `roof`: measure anew.")] = False,
    as_json: AsJson = False,
) -> None:
    match area:
        case None:
            show_checks(examine(variables()), as_json=as_json)
        case "energy":
            show_meters(as_json=as_json)
        case "roof":
            show_roof(roofs, device=device, dtype=dtype, refresh=refresh, as_json=as_json)
        case _:
            raise ConfigError([Fault("doctor", "expected `energy`, `roof` or nothing", area, "etude doctor roof")])


class HealthCheck(NamedTuple):
    """One thing that was looked at."""

    area: str
    name: str
    there: bool
    detail: str
    mend: str = ""


PACKAGES = {
    "torch": "pip install 'etude[ml]'",
    "transformers": "pip install 'etude[ml]'",
    "tokenizers": "pip install 'etude[ml]'",
    "lightning": "pip install 'etude[ml]'",
    "peft": "pip install 'etude[ml]'",
    "datasets": "pip install 'etude[ml]'",
    "safetensors": "pip install etude",
    "pyarrow": "pip install etude",
    "sklearn": "pip install etude",
    "rjsonnet": "pip install etude",
    "pynvml": "pip install 'etude[nvml]'",
}


def examine(environment: Mapping[str, str]) -> list[HealthCheck]:
    """Look at hardware, meters, backends and packages. Loads none of the heavy packages."""
    return [*_hardware(environment), *_meters(), *_backends(), *_packages(), *_store()]


def _hardware(environment: Mapping[str, str]) -> list[HealthCheck]:
    import psutil

    gpus = visible_gpus(environment)
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(Path.cwd())
    gpu_mend = "" if gpus else "none is needed; with one, check its driver and CUDA_VISIBLE_DEVICES"
    return [
        HealthCheck("hardware", "cores", True, f"{usable_cpus()} usable of {psutil.cpu_count()}"),
        HealthCheck(
            "hardware", "memory", True, f"{readable_bytes(memory.available)} free of {readable_bytes(memory.total)}"
        ),
        HealthCheck("hardware", "disk here", disk.free > 10**9, f"{readable_bytes(disk.free)} free", "free some space"),
        HealthCheck("hardware", "GPUs", bool(gpus), ", ".join(gpus) or "none seen", gpu_mend),
    ]


def _meters() -> list[HealthCheck]:
    """A line for each component; `etude doctor energy` tells more."""
    meters = discover()
    for meter in (*meters.meters, *meters.beside):
        meter.close()
    lines = {}
    for finding in meters.findings:
        serves = finding.state == "serving"
        if serves or finding.component not in lines:
            detail = f"{finding.source}: {finding.detail if serves else finding.state}"
            lines[finding.component] = HealthCheck(
                "meters", f"{finding.component} energy", serves, detail, "etude doctor energy"
            )
    return [HealthCheck("meters", "time, CPU time, memory", True, "always"), *lines.values()]


def _backends() -> list[HealthCheck]:
    checks = [
        HealthCheck("backends", "inline", True, "this process: --on inline"),
        HealthCheck("backends", "processes", sys.platform != "win32", "worker processes of this machine"),
    ]
    for scheduler, program in {"SLURM": "sbatch", "PBS": "qsub", "HTCondor": "condor_submit"}.items():
        path = shutil.which(program)
        checks.append(HealthCheck("schedulers", scheduler, path is not None, path or f"no {program} on the path"))
    return checks


def _packages() -> list[HealthCheck]:
    checks = [
        HealthCheck("versions", "étude", True, __version__),
        HealthCheck(
            "versions", "Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or later"
        ),
    ]
    for package, mend in PACKAGES.items():
        version = version_of(package) if package != "pynvml" else version_of("nvidia-ml-py")
        there = version != "absent"
        checks.append(HealthCheck("versions", package, there, version, "" if there else mend))
    return checks


def _store() -> list[HealthCheck]:
    folder = Path(".etude/store")
    if not folder.exists():
        return [HealthCheck("store", str(folder), True, "none here yet; the first run makes it")]
    try:
        count = sum(1 for _ in Store.open(folder, create=False).entries())
    except StoreError as error:
        return [HealthCheck("store", str(folder), False, str(error))]
    return [HealthCheck("store", str(folder), True, f"{count} results")]


def show_checks(checks: list[HealthCheck], *, as_json: bool) -> None:
    """Print a line for each thing that was looked at, by area."""
    if as_json:
        out().print_json(json_text([check._asdict() for check in checks]))
        return
    table = Table.grid(padding=(0, 2))
    area = ""
    for check in checks:
        if check.area != area:
            area = check.area
            table.add_row(Text(area, style="bold"), "", "", "")
        mark = Text("✓", style="green") if check.there else Text("–", style="yellow")
        table.add_row(
            "  " + check.name,
            mark,
            Text(check.detail),
            Text(f"→ {check.mend}" if check.mend and not check.there else "", style="green"),
        )
    out().print(table)


def show_meters(*, as_json: bool) -> None:
    """Print which meter serves each component, why others do not, and the mend."""
    survey = examine_meters()
    if as_json:
        out().print_json(json_text([asdict(finding) for finding in survey.findings]))
        return
    out().print(f"processor: {survey.processor or 'not named by the system'}")
    for finding in survey.findings:
        serves = finding.state in ("serving", "beside")
        mark = "[green]✓[/]" if serves else "[yellow]–[/]"
        out().print(f"{mark} [bold]{finding.component}[/] {finding.source}: {finding.state}", highlight=False)
        out().print(f"    {escape(finding.detail)}", soft_wrap=True)
        if finding.mend:
            out().print(f"    [green]→ {escape(finding.mend)}[/]", soft_wrap=True)


def show_roof(file: Path, *, device: str, dtype: str, refresh: bool, as_json: bool) -> None:
    """Print the roof of one device and type; measured, which takes seconds, where the file does not have it.

    Raises:
        ConfigError: The file holds no roofs.
        MeterError: torch, the device or the type is not there.
    """
    before = read_roofs(file)
    if not as_json and (refresh or not before):
        err().print("measuring a matrix product and a copy, a few seconds each …")
    roof = machine_roof(file, device=device, dtype=dtype, refresh=refresh)
    if as_json:
        out().print_json(json_text(asdict(roof)))
        return
    threads = f", {roof.threads} threads" if roof.threads else ""
    out().print(f"{roof.device}: {roof.device_name}{threads}, {roof.dtype}, torch {roof.torch}", markup=False)
    table = Table.grid(padding=(0, 2))
    product = f"2·{roof.gemm_size}³ FLOPs each"
    table.add_row("matrix product", *_rates(roof.gemm_flops_per_s, roof.gemm_median_flops_per_s, "FLOP/s"), product)
    copied = f"{roof.copy_bytes / 2**20:.0f} MiB, read and written"
    table.add_row("copy", *_rates(roof.copy_bytes_per_s, roof.copy_median_bytes_per_s, "B/s"), copied)
    table.add_row("balance", f"{roof.gemm_flops_per_s / roof.copy_bytes_per_s:.3g} FLOP/B", "", "")
    out().print(table)
    when = "kept in" if roof in before else "measured now and kept in"
    out().print(f"{when} {file}, {roof.measured_utc}", soft_wrap=True, markup=False, highlight=False)


def _rates(best: float, middle: float, unit: str) -> tuple[str, str]:
    return f"{_scaled(best)}{unit}", f"median {_scaled(middle)}{unit}"


def _scaled(rate: float) -> str:
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if rate >= factor:
            return f"{rate / factor:.4g} {prefix}"
    return f"{rate:.4g} "
