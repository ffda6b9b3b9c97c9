"""`etude show`: look at a result, a node or the records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.cli.arguments import AsJson, Profile, Set, StudyFile

EXAMPLES = """
[bold]Examples[/]

  etude show study.yaml                      [dim](the table of records)[/]

  etude show study.yaml quality              [dim](that node in every variant: result, cost, where it came from)[/]

  etude show study.yaml model --only-variant pooling=max --json

  etude show study.yaml scored --csv predictions.csv --parquet predictions.parquet
"""


def show(
    study: StudyFile,
    node: Annotated[Optional[str], typer.Argument(help="A node; the records if left out.")] = None,  # noqa: UP045
    only: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--only-variant", metavar="PARAM=VALUE", help="Only the variants with this value. Repeatable."),
    ] = None,
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write the rows of all variants into a CSV file."),
    ] = None,
    parquet: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write the rows of all variants into a Parquet file."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Look at the records of a study, or at the results of one node."""
    from etude.cli.arguments import assignments, prepared
    from etude.cli.showing import show_node, show_records, write_shown
    from etude.study.prepare import Options

    ready = prepared(study, overrides, profile, Options(only=assignments(only, "--only-variant"), until=node))
    files = [file for file in (csv, parquet and parquet.with_suffix(".parquet")) if file is not None]
    if files:
        raise typer.Exit(write_shown(ready, node, files))
    code = show_records(ready, as_json=as_json) if node is None else show_node(ready, node, as_json=as_json)
    raise typer.Exit(code)


show.__doc__ = f"{show.__doc__}\n{EXAMPLES}"
