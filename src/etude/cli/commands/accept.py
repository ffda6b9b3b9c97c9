"""`etude accept`: adopt the old result of a node whose code changed in a way that does not matter."""

from __future__ import annotations

from typing import Annotated

import typer

from etude.cli.arguments import Profile, Set, StudyFile
from etude.cli.completion import node_names
from etude.cli.console import escape, out
from etude.cli.study_file import prepare_file
from etude.study.accept import accept_node

EXAMPLES = """
[bold]Example[/]

  etude accept study.yaml model --because "renamed a variable"
"""


def accept(
    study: StudyFile,
    node: Annotated[
        str, typer.Argument(help="The node whose old results to adopt.", show_default=False, autocompletion=node_names)
    ],
    because: Annotated[str, typer.Option(help="Why the change does not matter; kept in the record.")] = "",
    overrides: Set = None,
    profile: Profile = None,
) -> None:
    adopted = accept_node(prepare_file(study, overrides, profile), node, because)
    for label, changes in adopted.items():
        out().print(f"[green]adopted[/] {escape(label)}")
        for change in changes:
            out().print(f"    [dim]{escape(change)}[/]")
