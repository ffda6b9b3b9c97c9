"""`etude search`: search a study, look at what it tried, take that elsewhere, and replay its proposals."""

from __future__ import annotations

from typing import Annotated, Optional

import typer
from typer.core import TyperGroup

from etude.cli.arguments import AsJson, Profile, Set, StudyFile
from etude.environment import variables_copy

EXAMPLES = """
[bold]Examples[/]

  etude search study.yaml                    [dim](as `etude run`: search, then collect; again to go on)[/]

  etude search study.yaml --set vary.search.trials=400

  etude search show study.yaml --json

  etude search export study.yaml --csv > results.csv

  etude search replay study.yaml             [dim](does every proposal follow from what it had seen?)[/]
"""


class StudyFirst(TyperGroup):
    """A group in which `etude search STUDY` is `etude search run STUDY`."""

    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        """Put `run` before a study."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


RUN = """
[bold]Examples[/]

  etude search run study.yaml --set vary.search.trials=400    [dim](`run` may be left out)[/]

  etude search study.yaml --keep-fitting     [dim](after the space was changed)[/]
"""
SHOW = """
[bold]Examples[/]

  etude search show study.yaml --json
"""
EXPORT = """
[bold]Examples[/]

  etude search export study.yaml --csv > results.csv

  etude search export study.yaml --output results.parquet
"""
REPLAY = """
[bold]Examples[/]

  etude search replay study.yaml
"""

search = typer.Typer(
    name="search",
    cls=StudyFirst,
    help=f"Search a study whose vary holds a search: `etude search STUDY`.\n{EXAMPLES}",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


def run(
    study: StudyFile,
    overrides: Set = None,
    profile: Profile = None,
    on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--on", metavar="WHERE", help="Where to run: inline, processes, or a cluster's profile."),
    ] = None,
    track: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="TRACKER", help="Tell this tracker too: mlflow, wandb or tensorboard. Repeatable."),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin anew: the log is set aside, results stay.")] = False,
    keep_fitting: Annotated[
        bool,
        typer.Option("--keep-fitting", help="Begin anew with the points tried so far that lie in the space as it is."),
    ] = False,
) -> None:
    """Search, showing how it goes; then collect. What was done before is not done again."""

    from etude.cli.arguments import cluster_of, prepared
    from etude.cli.outcome import show_namesake, show_outcome
    from etude.cli.running import run_shown
    from etude.cli.searches import begin_anew, searched
    from etude.cli.tracking import following, show_delivered
    from etude.study.prepare import Options

    cluster = cluster_of(on, study)
    settings = [*(overrides or ()), *([f"place.backend={on}"] if on and cluster is None else [])]
    first = begin_anew(study, settings, profile, keep_fitting=keep_fitting) if new or keep_fitting else ()
    options = Options(environment=variables_copy(), cluster=cluster, first=first)
    ready = searched(prepared(study, settings, profile, options))
    show_namesake(ready)
    repeated = [*(("--profile", profile) if profile else ()), *(word for text in settings for word in ("--set", text))]
    trackers = following(ready, track or ())
    result = run_shown(ready, options, trackers)
    code = show_outcome(result, repeated=repeated)
    if trackers is not None:
        show_delivered(trackers.finish(result.prepared), ready)
    raise typer.Exit(code)


def show(study: StudyFile, overrides: Set = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Show every trial of a search: point, outcome, objectives, when and where it ran."""
    from etude.cli.arguments import prepared
    from etude.cli.searches import searched, show_trials
    from etude.study.prepare import Options

    show_trials(searched(prepared(study, overrides, profile, Options())), as_json=as_json)


def export(
    study: StudyFile,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV: params, objective, worker_rank, timestamp_start, timestamp_end.")
    ] = False,
    output: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write the whole table to this .parquet or .csv file."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
) -> None:
    """Take the trials of a search elsewhere."""
    from etude.cli.arguments import prepared
    from etude.cli.searches import export_trials, searched
    from etude.study.prepare import Options

    export_trials(searched(prepared(study, overrides, profile, Options())), as_csv=as_csv, output=output)


def replay(study: StudyFile, overrides: Set = None, profile: Profile = None) -> None:
    """Derive every proposal again from what it had seen, and compare byte by byte. Runs no trial."""
    from etude.cli.arguments import load
    from etude.cli.searches import replay_shown

    raise typer.Exit(replay_shown(load(study, overrides, profile)))


for command, examples in ((run, RUN), (show, SHOW), (export, EXPORT), (replay, REPLAY)):
    command.__doc__ = f"{command.__doc__}\n{examples}"
    search.command()(command)
