"""`etude status`: how the runs of a project stand."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from etude.cli.arguments import AsJson

EXAMPLES = """
[bold]Examples[/]

  etude status                    [dim](the latest runs of this project)[/]

  etude status intent-heads       [dim](the latest run of that study, with its batch jobs)[/]
"""


def status(
    study: Annotated[Optional[str], typer.Argument(help="A study's name or file; all runs if left out.")] = None,  # noqa: UP045
    as_json: AsJson = False,
) -> None:
    """How runs stand, from any machine that sees the project: what is done, what runs, which jobs wait and why."""
    from pathlib import Path

    from etude.cli.runs import known_runs, show_run, show_runs

    found = known_runs(Path.cwd(), study)
    if study is None and not as_json:
        show_runs(found)
    else:
        show_run(found[0], as_json=as_json)


status.__doc__ = f"{status.__doc__}\n{EXAMPLES}"
