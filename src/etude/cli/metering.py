"""Shows what things cost, and which meters this machine has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from etude.cli.tell import err, out
from etude.digits import between_text, half_width, number_text
from etude.errors import MeterError
from etude.interchange import json_text
from etude.units import readable_bytes, readable_seconds

if TYPE_CHECKING:
    from etude.execute.cost import MeterSettings
    from etude.meter.accounting.cost import Cost
    from etude.meter.sources.quantity import Quantity

INTERRUPTED = 128


def measure_shown(
    command: Sequence[str], settings: MeterSettings, *, aligned: bool, as_json: bool, output: Path | None = None
) -> int:
    """Run a command, show what it cost on standard error or write it to a file as JSON, and give its exit code."""
    from etude.execute.cost import footprint_of
    from etude.meter import discover
    from etude.meter.command import command_tree, measure_command

    if output is not None:
        # Before the command runs: its cost must not be lost for the sake of a folder.
        _write(output, "")
    found = discover(beside=settings.beside, country=settings.country, tree=command_tree())
    told = measure_command(command, found=found, footprint=footprint_of(settings), aligned=aligned)
    if output is not None:
        _write(output, json_text(told.cost.as_json(), indent=2) + "\n")
    elif as_json:
        err().print_json(json_text(told.cost.as_json()))
    if not as_json:
        show_cost(told.cost)
    return told.returncode if told.returncode >= 0 else INTERRUPTED - told.returncode


def _write(path: Path, text: str) -> None:
    """Write a text to a file; an empty one only sees whether that can be, and leaves what is there."""
    try:
        with path.open("w" if text else "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise MeterError(f"--output {path}: cannot be written ({error.strerror or error})") from error


def show_cost(cost: Cost) -> None:
    """Print a cost: each number with its method, each missing one with its reason."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    time = "not measured" if cost.wall_s is None else readable_seconds(cost.wall_s)
    table.add_row("wall", time, "")
    table.add_row("CPU", "not measured" if cost.cpu_s is None else readable_seconds(cost.cpu_s), "all processes")
    peak = cost.peak_rss_bytes
    table.add_row("memory", "not measured" if peak is None else readable_bytes(peak), cost.memory.method)
    for component, energy in cost.energy.items():
        table.add_row(f"{component} energy", *_told(energy.joules, "J"))
    for other in cost.beside:
        table.add_row(f"{other.component} energy, beside", *_told(other.joules, "J"))
    for component, reason in cost.absent.items():
        table.add_row(f"{component} energy", Text("not measured", style="dim"), Text(reason, style="dim"))
    table.add_row("carbon", *_told(cost.carbon, "g CO₂eq"))
    err().print(table)
    for warning in cost.warnings:
        err().print(Text(f"note: {warning}", style="yellow"))


def _told(quantity: Quantity, unit: str) -> tuple[str, str]:
    if quantity.value is None:
        return "not measured", quantity.reason
    text = f"{number_text(quantity.value, half_width(quantity.lo, quantity.hi))} {unit}"
    if quantity.lo != quantity.hi:
        text += f"  ({between_text(quantity.lo, quantity.hi)})"
    return text, f"{quantity.quality}: {quantity.method}"


def show_meters(*, as_json: bool) -> None:
    """Print which meter serves each component, why others do not, and the mend."""
    from rich.markup import escape

    from etude.meter import doctor

    found = doctor()
    if as_json:
        out().print_json(json_text([asdict(finding) for finding in found.findings]))
        return
    out().print(f"processor: {found.processor or 'not named by the system'}")
    for finding in found.findings:
        serves = finding.state in ("serving", "beside")
        mark = "[green]✓[/]" if serves else "[yellow]–[/]"
        out().print(f"{mark} [bold]{finding.component}[/] {finding.source}: {finding.state}", highlight=False)
        out().print(f"    {escape(finding.detail)}", soft_wrap=True)
        if finding.mend:
            out().print(f"    [green]→ {escape(finding.mend)}[/]", soft_wrap=True)
