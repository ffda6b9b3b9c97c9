"""`etude meter`: what any command costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
[bold]Examples[/]

  etude meter -- python train.py --epochs 3

  etude meter --country DEU --pue 1.2 -- ./benchmark

  etude meter --output cost.json -- make      [dim](the record goes to a file of its own)[/]
"""


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
    """Run any command and tell what it cost: time, memory, energy, carbon. Its exit code is kept."""
    from etude.cli.metering import measure_shown
    from etude.execute.cost import MeterSettings

    settings = MeterSettings(country=country, g_per_kwh=g_per_kwh, pue=pue, beside=tuple(beside or ()))
    raise typer.Exit(measure_shown(command, settings, aligned=aligned, as_json=as_json, output=output))


meter.__doc__ = f"{meter.__doc__}\n{EXAMPLES}"
