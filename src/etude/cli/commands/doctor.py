"""`etude doctor`: what this machine has, what is missing and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etude.cli.arguments import AsJson
from etude.environment import variables

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
    """Tell what this machine has: hardware, meters, backends, versions; what is missing and how to get it."""

    from etude.cli.health import examine, show_findings
    from etude.cli.metering import show_meters
    from etude.cli.roofing import show_roof
    from etude.errors import ConfigError, Fault

    match area:
        case None:
            show_findings(examine(variables()), as_json=as_json)
        case "energy":
            show_meters(as_json=as_json)
        case "roof":
            show_roof(roofs, device=device, dtype=dtype, refresh=refresh, as_json=as_json)
        case _:
            raise ConfigError([Fault("doctor", "expected `energy`, `roof` or nothing", area, "etude doctor roof")])


doctor.__doc__ = f"{doctor.__doc__}\n{EXAMPLES}"
