"""`etude search`: search a study, look at what it tried, take that elsewhere, and replay its proposals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from pyarrow import parquet
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from etude.cli.arguments import AsJson, Profile, Quiet, Set, StudyFile, Track, Verbose, refuse_together, repeated_words
from etude.cli.commands.run import follower_of, show_end, show_progress
from etude.cli.console import err, escape, out
from etude.cli.search_progress import point_text, search_lines
from etude.cli.study_file import cluster_of, load, prepare_file, show_namesake, with_backend
from etude.digits import UNKNOWN, short_text
from etude.environment import variables_copy
from etude.errors import ConfigError, Fault, SearchError
from etude.interchange import json_text
from etude.search.log_sampler import LogSampler
from etude.search.replay import compare_proposals
from etude.search.samplers.factory import make_for_log
from etude.search.space import Point, Space
from etude.search.trial_events import Begun
from etude.search.trial_log import EVENTS, FileLog, read_log
from etude.search.trial_table import csv_text, goal_of
from etude.study.prepare import Options, PreparedStudy
from etude.study.search_state import SearchState, fitting_points, log_folder, set_aside, state_of
from etude.study.study import Study

EXAMPLES = """
[bold]Examples[/]

  etude search study.yaml                    [dim](as `etude run`: search, then collect; again to go on)[/]

  etude search study.yaml --set vary.search.trials=400

  etude search show study.yaml --json

  etude search export study.yaml --csv > results.csv

  etude search replay study.yaml             [dim](does every proposal follow from what it had seen?)[/]
"""
MOST_ROWS = 40


class StudyFirst(TyperGroup):
    """A group in which `etude search STUDY` is `etude search run STUDY`."""

    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        """Put `run` before a study."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


search = typer.Typer(name="search", cls=StudyFirst, add_completion=False, no_args_is_help=True, rich_markup_mode="rich")


@search.command()
def run(
    study: StudyFile,
    overrides: Set = None,
    profile: Profile = None,
    on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--on", metavar="WHERE", help="Where to run: inline, processes, or a cluster's profile."),
    ] = None,
    track: Track = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    new: Annotated[bool, typer.Option("--new", help="Begin anew: the log is set aside, results stay.")] = False,
    keep_fitting: Annotated[
        bool,
        typer.Option("--keep-fitting", help="Begin anew with the points tried so far that lie in the space as it is."),
    ] = False,
) -> None:
    """Search, showing how it goes; then collect. What was done before is not done again.

    [bold]Examples[/]

      etude search run study.yaml --set vary.search.trials=400    [dim](`run` may be left out)[/]

      etude search study.yaml --keep-fitting     [dim](after the space was changed)[/]
    """
    refuse_together(quiet=quiet, verbose=verbose)
    cluster = cluster_of(on, study)
    settings = with_backend(overrides, on, cluster)
    first = begin_anew(study, settings, profile, keep_fitting=keep_fitting) if new or keep_fitting else ()
    options = Options(environment=variables_copy(), cluster=cluster, first=first)
    prepared = prepare_file(study, settings, profile, options)
    require_search(prepared)
    show_namesake(prepared)
    follower = follower_of(prepared, track or ())
    with show_progress(prepared, options, follower, quiet=quiet, verbose=verbose) as execution:
        result = execution.run()
    repeated = repeated_words(settings, profile)
    raise typer.Exit(show_end(result, follower, repeated=repeated, quiet=quiet, as_json=as_json))


@search.command()
def show(study: StudyFile, overrides: Set = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Show every trial of a search: point, outcome, objectives, when and where it ran.

    [bold]Examples[/]

      etude search show study.yaml --json
    """
    show_trials(prepare_file(study, overrides, profile), as_json=as_json)


@search.command()
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
    """Take the trials of a search elsewhere.

    [bold]Examples[/]

      etude search export study.yaml --csv > results.csv

      etude search export study.yaml --output results.parquet
    """
    export_trials(prepare_file(study, overrides, profile), as_csv=as_csv, output=output)


@search.command()
def replay(study: StudyFile, overrides: Set = None, profile: Profile = None) -> None:
    """Derive every proposal again from what it had seen, and compare byte by byte. Runs no trial.

    [bold]Examples[/]

      etude search replay study.yaml
    """
    raise typer.Exit(show_replay(load(study, overrides, profile)))


def require_search(prepared: PreparedStudy) -> SearchState:
    """The search of a study.

    Raises:
        ConfigError: Its `vary` has no search.
    """
    if prepared.search is None:
        raise ConfigError([_no_search(prepared.study)])
    return prepared.search


def _no_search(study: Study) -> Fault:
    mend = "write `vary: {search: {space: …, objective: …, trials: …}}`, or use `etude run`"
    return Fault("vary", f"study {study.name!r} has no search", mend=mend, file=str(study.file or ""))


def begin_anew(file: Path, overrides: Sequence[str], profile: str | None, *, keep_fitting: bool) -> tuple[Point, ...]:
    """Set the log of a study's search aside.

    Returns:
        The points to begin with: none, or those tried so far that lie in the space as it is now.
    """
    study = load(file, overrides, profile)
    state = state_of(study, study.project / ".etude")
    if state is None:
        raise ConfigError([_no_search(study)])
    if state.history.begun is None:
        return ()
    _refuse_if_driven(state)
    points = fitting_points(state, study.params) if keep_fitting else []
    err().print(f"the log so far is set aside: {escape(set_aside(state))}", soft_wrap=True)
    if keep_fitting:
        err().print(f"{len(points)} of {len(state.history.ended)} points lie in the space as it is and come first")
    return tuple(points)


def _refuse_if_driven(state: SearchState) -> None:
    log = FileLog(state.folder)
    living = [opened for number, opened in state.history.drivers.items() if log.lives(number)]
    log.close()
    if living:
        where = ", ".join(f"process {opened.pid} on {opened.host}" for opened in living)
        raise SearchError(f"the search is under way: {where}\n    Mend: stop it first, or wait until it is done")


def show_trials(prepared: PreparedStudy, *, as_json: bool) -> None:
    """Print every trial."""
    state = require_search(prepared)
    table = state.table()
    rows: list[dict[str, Any]] = table.to_pylist() if table is not None else []
    if as_json:
        out().print_json(json_text(rows))
        return
    if table is None:
        out().print(escape(state.left))
        return
    _print_trials(rows, state)
    for line in search_lines(prepared):
        out().print(line, soft_wrap=True)


def _print_trials(rows: Sequence[dict[str, Any]], state: SearchState) -> None:
    metrics = state.search.goal.metrics
    trials = Table(header_style="bold")
    for column in ("trial", "outcome", *metrics, "seconds", "worker", "point"):
        trials.add_column(column, justify="left" if column in ("outcome", "point") else "right", overflow="fold")
    for row in rows[-MOST_ROWS:]:
        trial = state.history.trials[row["number"]]
        values = [_number(row[f"value.{metric}"]) for metric in metrics]
        took = None if row["ended_s"] is None or row["started_s"] is None else row["ended_s"] - row["started_s"]
        origin = {"baseline": " (baseline)", "told": " (given)"}.get(row["origin"], "")
        outcome = row["outcome"] or "running"
        trials.add_row(
            f"{row['number']}{origin}",
            Text(outcome, style="" if outcome in ("ok", "running") else "red"),
            *values,
            _number(took),
            "-" if row["worker"] is None else str(row["worker"]),
            Text.from_markup(point_text(trial.point)),
        )
    out().print(trials)
    if len(rows) > MOST_ROWS:
        out().print(f"[dim]the last {MOST_ROWS} of {len(rows)} trials: --json shows all[/]")


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else short_text(value, 6)


def export_trials(prepared: PreparedStudy, *, as_csv: bool, output: str | None) -> None:
    """Print the trials as CSV, or write them to a file.

    Raises:
        ConfigError: There is nothing to export, or the file is of another kind.
    """
    state = require_search(prepared)
    table = state.table()
    if table is None:
        mend = f"run it first: etude search {prepared.study.file}"
        raise ConfigError([Fault("", f"the search of {prepared.study.name!r} has not begun", mend=mend)])
    if output is None:
        if not as_csv:
            raise ConfigError([Fault("", "nothing says where to", mend="write --csv, or --output FILE.parquet")])
        out().file.write(csv_text(state.history))
        return
    path = Path(output)
    if path.suffix == ".csv":
        path.write_text(csv_text(state.history), encoding="utf-8")
    elif path.suffix in (".parquet", ".pq"):
        parquet.write_table(table, path)
    else:
        raise ConfigError([Fault("--output", "the file's kind is not known", output, "write FILE.parquet or FILE.csv")])
    out().print(escape(path), soft_wrap=True)


def show_replay(study: Study) -> int:
    """Replay a study's search and tell what differs. Returns the exit code: 1 where anything does.

    Raises:
        ConfigError: It has no search, or its sampler is not installed.
        SearchError: The log cannot be read.
    """
    if study.vary.search is None:
        raise ConfigError([_no_search(study)])
    events = read_log(log_folder(study.project / ".etude", study.title) / EVENTS)
    begun = events[0] if events else None
    if not isinstance(begun, Begun):
        out().print(f"the search of {escape(study.name)} has not begun")
        return 1
    space, goal = Space.from_json(begun.space), goal_of(begun)

    def fresh() -> LogSampler:
        return LogSampler(sampler=make_for_log(begun, space, goal), goal=goal)

    count, differ = 0, 0
    for one in compare_proposals(events, fresh):
        count += 1
        if not one.same:
            differ += 1
            again = point_text(one.again) if one.again is not None else escape(one.error or "nothing")
            out().print(f"[red]trial {one.number}[/] logged {point_text(one.logged)}", soft_wrap=True)
            out().print(f"    now {again}", soft_wrap=True)
    sampler = " ".join([begun.sampler, *(f"{name}={value}" for name, value in begun.settings.items())])
    share = f"{count - differ} of {count} proposals follow again, byte for byte"
    out().print(f"{share} [dim]({escape(sampler)}, seed {begun.seed})[/]")
    if differ:
        out().print("[dim]the versions of the sampler's packages, or the sampler itself, are others than then[/]")
    return 1 if differ else 0
