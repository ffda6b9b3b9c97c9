"""`etude top`: the best points of a study."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from etude.cli.arguments import AsJson, Profile, Set, StudyFile

EXAMPLES = """
[bold]Examples[/]

  etude top search.yaml --k 80

  etude top search.yaml --k 80 --json > top_80.json

  etude top grid.yaml --by quality.accuracy --k 3      [dim](any study, searched or laid out)[/]
"""


def top(
    study: StudyFile,
    k: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    by: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="METRIC", help="The metric to rank by; a search's objective if left out."),
    ] = None,
    direction: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="maximize or minimize; if left out, the search's own, or as the metric's step or name says."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show the best points of a study, replicates averaged. Of several objectives, the Pareto front."""
    from etude.cli.arguments import prepared
    from etude.cli.searches import show_top
    from etude.study.prepare import Options

    show_top(prepared(study, overrides, profile, Options()), k, by, direction, as_json=as_json)


top.__doc__ = f"{top.__doc__}\n{EXAMPLES}"
