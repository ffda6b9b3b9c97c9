"""`etude show`: look at a result, a node or the records."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from etude.cli.arguments import AsJson, Profile, Set, StudyFile

EXAMPLES = """
[bold]Examples[/]

  etude show study.yaml                      [dim](the table of records)[/]

  etude show study.yaml quality              [dim](that node in every variant: result, cost, where it came from)[/]

  etude show study.yaml model --only-variant pooling=max --json
"""


def show(
    study: StudyFile,
    node: Annotated[Optional[str], typer.Argument(help="A node; the records if left out.")] = None,  # noqa: UP045
    only: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--only-variant", metavar="PARAM=VALUE", help="Only the variants with this value. Repeatable."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Look at the records of a study, or at the results of one node."""
    from etude.cli.arguments import assignments, prepared
    from etude.cli.showing import show_node, show_records
    from etude.study.prepare import Options

    ready = prepared(study, overrides, profile, Options(only=assignments(only, "--only-variant"), until=node))
    code = show_records(ready, as_json=as_json) if node is None else show_node(ready, node, as_json=as_json)
    raise typer.Exit(code)


show.__doc__ = f"{show.__doc__}\n{EXAMPLES}"
