"""What this machine has, what is missing and how to get it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from etude.cli.tell import out
from etude.interchange import json_text
from etude.units import readable_bytes


@dataclass(frozen=True, slots=True)
class Finding:
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


def examine(environment: Mapping[str, str]) -> list[Finding]:
    """Look at hardware, meters, backends and packages. Loads none of the heavy packages."""
    return [*_hardware(environment), *_meters(), *_backends(), *_packages(), *_store()]


def _hardware(environment: Mapping[str, str]) -> list[Finding]:
    import psutil

    from etude.execute.devices import usable_cpus, visible_gpus

    gpus = visible_gpus(environment)
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(Path.cwd())
    gpu_mend = "" if gpus else "none is needed; with one, check its driver and CUDA_VISIBLE_DEVICES"
    return [
        Finding("hardware", "cores", True, f"{usable_cpus()} usable of {psutil.cpu_count()}"),
        Finding(
            "hardware", "memory", True, f"{readable_bytes(memory.available)} free of {readable_bytes(memory.total)}"
        ),
        Finding("hardware", "disk here", disk.free > 10**9, f"{readable_bytes(disk.free)} free", "free some space"),
        Finding("hardware", "GPUs", bool(gpus), ", ".join(gpus) or "none seen", gpu_mend),
    ]


def _meters() -> list[Finding]:
    """A line for each component; `etude doctor energy` tells more."""
    from etude.meter import discover

    found = discover()
    for meter in (*found.meters, *found.beside):
        meter.close()
    lines = {}
    for finding in found.findings:
        serves = finding.state == "serving"
        if serves or finding.component not in lines:
            detail = f"{finding.source}: {finding.detail if serves else finding.state}"
            lines[finding.component] = Finding(
                "meters", f"{finding.component} energy", serves, detail, "etude doctor energy"
            )
    return [Finding("meters", "time, CPU time, memory", True, "always"), *lines.values()]


def _backends() -> list[Finding]:
    found = [
        Finding("backends", "inline", True, "this process: --on inline"),
        Finding("backends", "processes", sys.platform != "win32", "worker processes of this machine"),
    ]
    for scheduler, program in {"SLURM": "sbatch", "PBS": "qsub", "HTCondor": "condor_submit"}.items():
        path = shutil.which(program)
        found.append(Finding("schedulers", scheduler, path is not None, path or f"no {program} on the path"))
    return found


def _packages() -> list[Finding]:
    from etude import __version__
    from etude.graph.versions import version_of

    found = [
        Finding("versions", "étude", True, __version__),
        Finding(
            "versions", "Python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or later"
        ),
    ]
    for package, mend in PACKAGES.items():
        version = version_of(package) if package != "pynvml" else version_of("nvidia-ml-py")
        there = version != "absent"
        found.append(Finding("versions", package, there, version, "" if there else mend))
    return found


def _store() -> list[Finding]:
    from etude.errors import StoreError
    from etude.store.store import Store

    folder = Path(".etude/store")
    if not folder.exists():
        return [Finding("store", str(folder), True, "none here yet; the first run makes it")]
    try:
        count = sum(1 for _ in Store.open(folder, create=False).entries())
    except StoreError as error:
        return [Finding("store", str(folder), False, str(error))]
    return [Finding("store", str(folder), True, f"{count} results")]


def show_findings(findings: list[Finding], *, as_json: bool) -> None:
    """Print what was found."""
    if as_json:
        out().print_json(json_text([asdict(finding) for finding in findings]))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    area = ""
    for finding in findings:
        if finding.area != area:
            area = finding.area
            table.add_row(Text(area, style="bold"), "", "", "")
        mark = Text("✓", style="green") if finding.there else Text("–", style="yellow")
        table.add_row(
            "  " + finding.name,
            mark,
            Text(finding.detail),
            Text(f"→ {finding.mend}" if finding.mend and not finding.there else "", style="green"),
        )
    out().print(table)
