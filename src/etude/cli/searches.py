"""What the commands about searches do: begin anew, show and export trials, replay, and tell the best points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.cli.searching import point_text, search_lines
from etude.cli.tell import err, escaped, out
from etude.digits import UNKNOWN, short_text
from etude.errors import ConfigError, Fault
from etude.interchange import json_text
from etude.study.searched import SearchState, fitting_points, log_folder, set_aside, state_of

if TYPE_CHECKING:
    from etude.search.space import Point
    from etude.study.prepare import Prepared
    from etude.study.study import Study
    from etude.study.top import Ranked

MOST_ROWS = 40


def searched(prepared: Prepared) -> Prepared:
    """The same study, known to be searched.

    Raises:
        ConfigError: Its `vary` has no search.
    """
    if prepared.search is None:
        raise ConfigError([_no_search(prepared.study)])
    return prepared


def _no_search(study: Study) -> Fault:
    mend = "write `vary: {search: {space: …, objective: …, trials: …}}`, or use `etude run`"
    return Fault("vary", f"study {study.name!r} has no search", mend=mend, file=str(study.file or ""))


def begin_anew(file: Path, overrides: Sequence[str], profile: str | None, *, keep_fitting: bool) -> tuple[Point, ...]:
    """Set the log of a study's search aside.

    Returns:
        The points to begin with: none, or those tried so far that lie in the space as it is now.
    """
    from etude.cli.arguments import load

    study = load(file, overrides, profile)
    state = state_of(study, study.project / ".etude")
    if state is None:
        raise ConfigError([_no_search(study)])
    if state.history.begun is None:
        return ()
    _refuse_if_driven(state)
    kept = fitting_points(state, study.params) if keep_fitting else []
    aside = set_aside(state)
    err().print(f"the log so far is set aside: {escaped(str(aside))}", soft_wrap=True)
    if keep_fitting:
        err().print(f"{len(kept)} of {len(state.history.ended)} points lie in the space as it is and come first")
    return tuple(kept)


def _refuse_if_driven(state: SearchState) -> None:
    from etude.errors import SearchError
    from etude.search.log import FileLog

    log = FileLog(state.folder)
    living = [opened for number, opened in state.history.drivers.items() if log.lives(number)]
    log.close()
    if living:
        where = ", ".join(f"process {opened.pid} on {opened.host}" for opened in living)
        raise SearchError(f"the search is under way: {where}\n    Mend: stop it first, or wait until it is done")


def show_trials(prepared: Prepared, *, as_json: bool) -> None:
    """Print every trial."""
    state = prepared.search
    table = state.table() if state is not None else None
    rows: list[dict[str, Any]] = table.to_pylist() if table is not None else []
    if as_json:
        out().print_json(json_text(rows))
        return
    assert state is not None
    if table is None:
        out().print(escaped(state.left))
        return
    _print_trials(rows, state)
    for line in search_lines(prepared):
        out().print(line, soft_wrap=True)


def _print_trials(rows: Sequence[dict[str, Any]], state: SearchState) -> None:
    from rich.table import Table
    from rich.text import Text

    metrics = state.search.goal.metrics
    shown = Table(header_style="bold")
    for column in ("trial", "outcome", *metrics, "seconds", "worker", "point"):
        shown.add_column(column, justify="left" if column in ("outcome", "point") else "right", overflow="fold")
    for row in rows[-MOST_ROWS:]:
        trial = state.history.trials[row["number"]]
        values = [_number(row[f"value.{metric}"]) for metric in metrics]
        took = None if row["ended_s"] is None or row["started_s"] is None else row["ended_s"] - row["started_s"]
        origin = {"baseline": " (baseline)", "told": " (given)"}.get(row["origin"], "")
        outcome = row["outcome"] or "running"
        shown.add_row(
            f"{row['number']}{origin}",
            Text(outcome, style="" if outcome in ("ok", "running") else "red"),
            *values,
            _number(took),
            "-" if row["worker"] is None else str(row["worker"]),
            Text.from_markup(point_text(trial.point)),
        )
    out().print(shown)
    if len(rows) > MOST_ROWS:
        out().print(f"[dim]the last {MOST_ROWS} of {len(rows)} trials: --json shows all[/]")


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else short_text(value, 6)


def export_trials(prepared: Prepared, *, as_csv: bool, output: str | None) -> None:
    """Print the trials as CSV, or write them to a file.

    Raises:
        ConfigError: There is nothing to export, or the file is of another kind.
    """
    from etude.search.table import csv_text

    state = prepared.search
    assert state is not None
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
        from pyarrow import parquet

        parquet.write_table(table, path)
    else:
        raise ConfigError([Fault("--output", "the file's kind is not known", output, "write FILE.parquet or FILE.csv")])
    out().print(escaped(str(path)), soft_wrap=True)


def replay_shown(study: Study) -> int:
    """Replay a study's search and tell what differs. Returns the exit code: 1 where anything does.

    Raises:
        ConfigError: It has no search, or its sampler is not installed.
        SearchError: The log cannot be read.
    """
    from etude.search.events import Begun
    from etude.search.log import EVENTS, read_log
    from etude.search.replay import replayed
    from etude.search.replica import Replica
    from etude.search.samplers.registry import make
    from etude.search.space import Space
    from etude.search.table import goal_of

    if study.vary.search is None:
        raise ConfigError([_no_search(study)])
    events = read_log(log_folder(study.project / ".etude", study.title) / EVENTS)
    begun = events[0] if events else None
    if not isinstance(begun, Begun):
        out().print(f"the search of {escaped(study.name)} has not begun")
        return 1
    space, goal = Space.from_json(begun.space), goal_of(begun)

    def fresh() -> Replica:
        return Replica(make(begun.sampler, space, goal, begun.seed, **begun.settings), goal)

    count, differ = 0, 0
    for one in replayed(events, fresh):
        count += 1
        if not one.same:
            differ += 1
            again = point_text(one.again) if one.again is not None else escaped(one.error or "nothing")
            out().print(f"[red]trial {one.number}[/] logged {point_text(one.logged)}", soft_wrap=True)
            out().print(f"    now {again}", soft_wrap=True)
    made = " ".join([begun.sampler, *(f"{name}={value}" for name, value in begun.settings.items())])
    told = f"{count - differ} of {count} proposals follow again, byte for byte"
    out().print(f"{told} [dim]({escaped(made)}, seed {begun.seed})[/]")
    if differ:
        out().print("[dim]the versions of the sampler's packages, or the sampler itself, are others than then[/]")
    return 1 if differ else 0


def show_top(prepared: Prepared, k: int, by: str | None, direction: str | None, *, as_json: bool) -> None:
    """Print the best points of a study.

    Raises:
        ConfigError: There is no such metric, nothing says what to rank by, or nothing is done yet.
    """
    ranked, metrics = _ranked(prepared, by, direction)
    chosen = ranked[:k]
    if as_json:
        fields = [
            {
                **one.point,
                **dict(zip(metrics, one.values, strict=True)),
                **({"missing_replicates": one.missing} if one.missing else {}),
            }
            for one in chosen
        ]
        out().print_json(json_text(fields))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="bold")
    names = list(dict.fromkeys(name for one in chosen for name in one.point))
    counted = any(one.replicates > 1 or one.missing for one in chosen)
    for column in ("", *metrics, *(["n"] if counted else []), *names):
        table.add_column(Text(column), justify="right")
    for rank, one in enumerate(chosen, 1):
        count = [f"{one.replicates} of {one.replicates + one.missing}" if one.missing else str(one.replicates)]
        values = [short_text(value, 6) for value in one.values]
        place = "-" if one.missing else str(rank)
        table.add_row(
            place, *values, *(count if counted else []), *(Text(_value(one.point.get(name))) for name in names)
        )
    out().print(table)
    if any(one.missing for one in chosen):
        out().print("[dim]without a rank: some replicates have no value, and those that failed may be the bad ones[/]")
    if len(chosen) < k:
        out().print(f"[dim]{len(chosen)} in all[/]")


def _ranked(prepared: Prepared, by: str | None, direction: str | None) -> tuple[list[Ranked], tuple[str, ...]]:
    from etude.execute.records import gathered
    from etude.study.top import best, direction_of, feasible_only, front, records_of

    study, expansion = prepared.study, prepared.expansion
    search = study.vary.search
    if direction not in (None, "maximize", "minimize"):
        raise ConfigError([Fault("--direction", "expected maximize or minimize", direction)])
    if by is None and search is None:
        reason = f"study {study.name!r} has no search, so nothing says what to rank by"
        raise ConfigError([Fault("--by", reason, mend="name one with --by; `etude show STUDY` lists them")])
    table = gathered(prepared.store, expansion.records)
    rows = records_of(table, expansion.variants)
    if prepared.search is not None:
        rows = feasible_only(rows, expansion.variants, prepared.search)
    if by is None and search is not None:
        metrics = search.goal.metrics
        if len(metrics) > 1:
            return front(study, rows, search.goal), metrics
        return best(study, rows, metrics[0], direction or search.goal.directions[0]), metrics
    assert by is not None
    return best(study, rows, by, direction or direction_of(study, table, by, "--direction")), (by,)


def _value(value: object) -> str:
    from etude.graph.labels import text_of

    return short_text(value, 6) if isinstance(value, float) else UNKNOWN if value is None else text_of(value)
