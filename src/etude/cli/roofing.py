"""Shows what this machine can do at most, measured now or read from the file where that was kept."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from etude.cli.tell import err, out
from etude.interchange import json_text


def show_roof(file: Path, *, device: str, dtype: str, refresh: bool, as_json: bool) -> None:
    """Print the roof of one device and type; measured, which takes seconds, where the file does not have it.

    Raises:
        ConfigError: The file holds no roofs.
        MeterError: torch, the device or the type is not there.
    """
    from etude.flops import machine_roof
    from etude.flops.roof import read_roofs

    before = read_roofs(file)
    if not as_json and (refresh or not before):
        err().print("measuring a matrix product and a copy, a few seconds each …")
    found = machine_roof(file, device=device, dtype=dtype, refresh=refresh)
    if as_json:
        out().print_json(json_text(asdict(found)))
        return
    from rich.table import Table

    threads = f", {found.threads} threads" if found.threads else ""
    out().print(f"{found.device}: {found.device_name}{threads}, {found.dtype}, torch {found.torch}", markup=False)
    table = Table.grid(padding=(0, 2))
    product = f"2·{found.gemm_size}³ FLOPs each"
    table.add_row("matrix product", *_rates(found.gemm_flops_per_s, found.gemm_median_flops_per_s, "FLOP/s"), product)
    copied = f"{found.copy_bytes / 2**20:.0f} MiB, read and written"
    table.add_row("copy", *_rates(found.copy_bytes_per_s, found.copy_median_bytes_per_s, "B/s"), copied)
    table.add_row("balance", f"{found.gemm_flops_per_s / found.copy_bytes_per_s:.3g} FLOP/B", "", "")
    out().print(table)
    when = "kept in" if found in before else "measured now and kept in"
    out().print(f"{when} {file}, {found.measured_utc}", soft_wrap=True, markup=False, highlight=False)


def _rates(best: float, middle: float, unit: str) -> tuple[str, str]:
    return f"{_scaled(best)}{unit}", f"median {_scaled(middle)}{unit}"


def _scaled(rate: float) -> str:
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if rate >= factor:
            return f"{rate / factor:.4g} {prefix}"
    return f"{rate:.4g} "
