"""`etude track`: tell trackers of what is stored of a study."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from etude.cli.arguments import Profile, Set, StudyFile

EXAMPLES = """
[bold]Examples[/]

  etude track study.yaml --to mlflow

  etude track study.yaml --to tensorboard --to wandb

  etude track study.yaml    [dim](the trackers that the study names in place.track)[/]
"""


def track(
    study: StudyFile,
    to: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--to", metavar="TRACKER", help="mlflow, wandb or tensorboard. Repeatable."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
) -> None:
    """Tell trackers of every variant that is stored. Runs nothing; what they know already is not told again."""
    from etude.cli.arguments import prepared
    from etude.cli.tracking import show_delivered, told_of_stored
    from etude.study.prepare import Options

    ready = prepared(study, overrides, profile, Options())
    raise typer.Exit(0 if show_delivered(told_of_stored(ready, to or ()), ready) else 1)


track.__doc__ = f"{track.__doc__}\n{EXAMPLES}"
