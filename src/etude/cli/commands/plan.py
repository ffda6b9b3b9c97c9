"""`etude plan`: what would run, what is there already, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from etude.cli.arguments import AsJson, Only, Profile, Rerun, Set, StudyFile, Until

EXAMPLES = """
[bold]Examples[/]

  etude plan study.yaml

  etude plan study.yaml --why              [dim](each reason down to the setting or symbol that changed)[/]

  etude plan study.yaml --set epochs=5 --json
"""


def plan(
    study: StudyFile,
    overrides: Set = None,
    profile: Profile = None,
    until: Until = None,
    only: Only = None,
    rerun: Rerun = None,
    why: Annotated[bool, typer.Option("--why", help="Show what changed, for every node that would run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what would run, what is there already, and why. Runs nothing."""
    from etude.cli.arguments import assignments, prepared
    from etude.cli.outcome import show_plan
    from etude.study.prepare import Options

    options = Options(until=until, only=assignments(only, "--only-variant"), rerun=tuple(rerun or ()))
    show_plan(prepared(study, overrides, profile, options), why=why, as_json=as_json)


plan.__doc__ = f"{plan.__doc__}\n{EXAMPLES}"
