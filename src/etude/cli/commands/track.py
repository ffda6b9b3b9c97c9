"""`etude track`: tell trackers of what is stored of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Optional

import typer

from etude.cli.arguments import Profile, Set, StudyFile
from etude.cli.console import redactor
from etude.cli.run_summary import show_deliveries
from etude.cli.study_file import prepare_file
from etude.environment import variables
from etude.errors import ConfigError, Fault
from etude.study.prepare import PreparedStudy
from etude.track.delivery_queue import Delivery
from etude.track.factory import sinks, trackers_of
from etude.track.follower import RunFollower, deliver_results

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
    prepared = prepare_file(study, overrides, profile)
    raise typer.Exit(0 if show_deliveries(deliver_to(prepared, to or ()), prepared) else 1)


def follower_for(prepared: PreparedStudy, names: Sequence[str]) -> RunFollower:
    """What follows a run for the trackers that the study names and those that are added.

    Raises:
        ConfigError: There is no such tracker, or it is not installed.
    """
    trackers = trackers_of(prepared.study.place.track, names, "--track")
    live = prepared.study.place.backend != "inline"
    return RunFollower(prepared=prepared, sinks=sinks(trackers, prepared, variables()), redact=redactor(), live=live)


def deliver_to(prepared: PreparedStudy, names: Sequence[str]) -> list[Delivery]:
    """Tell the trackers that are named, else those of the study, of what is stored, and wait until they are told.

    Raises:
        ConfigError: There is no such tracker, or it is not installed, or none is named.
    """
    own = prepared.study.place.track
    chosen = [tracker for tracker in trackers_of(own, names, "--to") if not names or tracker.name in names]
    if not chosen:
        raise ConfigError([Fault("--to", "no tracker is named, and the study names none", mend="add --to mlflow")])
    return deliver_results(prepared, sinks(chosen, prepared, variables()), redactor())
