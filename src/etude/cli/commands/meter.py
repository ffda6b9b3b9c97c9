"""`etude meter`: what any command costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from etude.cli.console import err
from etude.digits import between_text, half_width, number_text
from etude.errors import MeterError
from etude.execute.node_metering import MeterSettings, footprint_of
from etude.interchange import json_text
from etude.meter import discover
from etude.meter.accounting.cost import Cost
from etude.meter.command import command_tree, measure_command
from etude.meter.sources.quantity import Quantity
from etude.units import readable_bytes, readable_seconds

EXAMPLES = """
[bold]Examples[/]

  etude meter -- python train.py --epochs 3

  etude meter --country DEU --pue 1.2 -- ./benchmark

  etude meter --output cost.json -- make      [dim](the record goes to a file of its own)[/]
"""
INTERRUPTED = 128


def meter(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after `--`.")],
    country: Annotated[str | None, typer.Option(help="Where the energy comes from (ISO, three letters).")] = None,
    g_per_kwh: Annotated[float | None, typer.Option(help="Carbon per energy, where you know it.")] = None,
    pue: Annotated[float, typer.Option(help="Power usage effectiveness of the building.")] = 1.0,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE", help="Read this as well, for comparison: codecarbon, zeus, cpu-time. Repeatable."
        ),
    ] = None,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="Wait for the ticks of slow counters: exact for short commands.")
    ] = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the record to this file, as JSON.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on standard error, among what the command prints there.")
    ] = False,
) -> None:
    settings = MeterSettings(country=country, g_per_kwh=g_per_kwh, pue=pue, beside=tuple(beside or ()))
    raise typer.Exit(measure(command, settings, aligned=aligned, as_json=as_json, output=output))


def measure(
    command: Sequence[str], settings: MeterSettings, *, aligned: bool, as_json: bool, output: Path | None = None
) -> int:
    """Run a command, show what it cost on standard error or write it to a file as JSON, and give its exit code."""
    if output is not None:
        # Before the command runs: its cost must not be lost for the sake of a folder.
        _write(output, "")
    meters = discover(beside=settings.beside, country=settings.country, tree=command_tree())
    measured = measure_command(command, discovery=meters, footprint=footprint_of(settings), aligned=aligned)
    if output is not None:
        _write(output, json_text(measured.cost.as_json(), indent=2) + "\n")
    elif as_json:
        err().print_json(json_text(measured.cost.as_json()))
    if not as_json:
        show_cost(measured.cost)
    return measured.returncode if measured.returncode >= 0 else INTERRUPTED - measured.returncode


def _write(path: Path, text: str) -> None:
    """Write a text to a file; an empty one only sees whether that can be, and leaves what is there."""
    try:
        with path.open("w" if text else "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise MeterError(f"--output {path}: cannot be written ({error.strerror or error})") from error


def show_cost(cost: Cost) -> None:
    """Print a cost: each number with its method, each missing one with its reason."""
    table = Table.grid(padding=(0, 2))
    time = "not measured" if cost.wall_s is None else readable_seconds(cost.wall_s)
    table.add_row("wall", time, "")
    table.add_row("CPU", "not measured" if cost.cpu_s is None else readable_seconds(cost.cpu_s), "all processes")
    peak = cost.peak_rss_bytes
    table.add_row("memory", "not measured" if peak is None else readable_bytes(peak), cost.memory.method)
    for component, energy in cost.energy.items():
        table.add_row(f"{component} energy", *_quantity_text(energy.joules, "J"))
    for other in cost.beside:
        table.add_row(f"{other.component} energy, beside", *_quantity_text(other.joules, "J"))
    for component, reason in cost.absent.items():
        table.add_row(f"{component} energy", Text("not measured", style="dim"), Text(reason, style="dim"))
    table.add_row("carbon", *_quantity_text(cost.carbon, "g CO₂eq"))
    err().print(table)
    for warning in cost.warnings:
        err().print(Text(f"note: {warning}", style="yellow"))


def _quantity_text(quantity: Quantity, unit: str) -> tuple[str, str]:
    if quantity.value is None:
        return "not measured", quantity.reason
    text = f"{number_text(quantity.value, half_width(quantity.lo, quantity.hi))} {unit}"
    if quantity.lo != quantity.hi:
        text += f"  ({between_text(quantity.lo, quantity.hi)})"
    return text, f"{quantity.quality}: {quantity.method}"
