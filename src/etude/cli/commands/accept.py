"""`etude accept`: adopt the old result of a node whose code changed in a way that does not matter."""

from __future__ import annotations

from typing import Annotated

import typer

from etude.cli.arguments import Profile, Set, StudyFile

EXAMPLES = """
[bold]Example[/]

  etude accept study.yaml model --because "renamed a variable"
"""


def accept(
    study: StudyFile,
    node: Annotated[str, typer.Argument(help="The node whose old results to adopt.", show_default=False)],
    because: Annotated[str, typer.Option(help="Why the change does not matter; kept in the record.")] = "",
    overrides: Set = None,
    profile: Profile = None,
) -> None:
    """Adopt the old results of a node for a code change that you vouch for. The record says so."""
    from etude.cli.arguments import prepared
    from etude.cli.tell import escaped, out
    from etude.study.accept import accept_node
    from etude.study.prepare import Options

    adopted = accept_node(prepared(study, overrides, profile, Options()), node, because)
    for label, changes in adopted.items():
        out().print(f"[green]adopted[/] {escaped(label)}")
        for change in changes:
            out().print(f"    [dim]{escaped(str(change))}[/]")


accept.__doc__ = f"{accept.__doc__}\n{EXAMPLES}"
