"""`etude doctor`: what this machine has, what is missing and how to get it."""

from __future__ import annotations

from typing import Annotated

import typer

from etude.cli.arguments import AsJson

EXAMPLES = """
[bold]Examples[/]

  etude doctor

  etude doctor energy      [dim](which meter serves each component, why others do not, and what to do about it)[/]
"""


def doctor(
    area: Annotated[str | None, typer.Argument(help="`energy` for the meters in detail.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what this machine has: hardware, meters, backends, versions; what is missing and how to get it."""
    import os

    from etude.cli.health import examine, show_findings
    from etude.cli.metering import show_meters
    from etude.errors import ConfigError, Fault

    if area == "energy":
        show_meters(as_json=as_json)
        return
    if area is not None:
        raise ConfigError([Fault("doctor", "expected `energy` or nothing", area, "etude doctor energy")])

    show_findings(examine(os.environ), as_json=as_json)


doctor.__doc__ = f"{doctor.__doc__}\n{EXAMPLES}"
