"""Results to learn from before the first trial: of any results table, or of an earlier searched study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.errors import ConfigError, EtudeError, Fault, nearest
from etude.interchange import text_of_cell
from etude.search.spec import Search
from etude.search.trial_events import Warm
from etude.search.trials import TrialOutcome
from etude.study.expand import LoadStudy
from etude.study.fault_places import locate
from etude.study.search_state import SearchState, state_of

if TYPE_CHECKING:
    from etude.study.prepare import PreparedStudy

WHERE = "vary.search.warm_start"
_TABLES = (".csv", ".parquet", ".pq")


def warm_results(prepared: PreparedStudy, state: SearchState, other_study: LoadStudy) -> tuple[Warm, ...]:
    """The results that a search starts from.

    Columns are matched by name: a dimension as `lr` or `param.lr`; an objective as `quality.auc`, `value.quality.auc`
    or `auc`, or `objective` where there is one. Other columns are ignored, and so are rows outside the space.

    Raises:
        ConfigError: There is no such table or study, a column is missing, or no row lies in the space.
    """
    search, study = state.search, prepared.study
    assert search.warm_start is not None
    try:
        rows = _rows(search.warm_start, prepared, other_study)
        columns = _columns(search, list(rows[0]) if rows else [], search.warm_start)
        found = tuple(_results(search, rows, columns))
        if not found:
            reason = f"none of its {len(rows)} rows lies in the space"
            raise ConfigError([Fault(WHERE, reason, search.warm_start, "widen the space, or leave it out")])
    except ConfigError as error:
        raise ConfigError(locate(error.faults, study)) from error
    return found


def _rows(name: str, prepared: PreparedStudy, other_study: LoadStudy) -> list[dict[str, Any]]:
    path = prepared.workplace.project / name
    beside = prepared.study.file.parent / name if prepared.study.file else path
    if path.suffix in _TABLES or beside.suffix in _TABLES:
        chosen = beside if beside.is_file() else path
        if not chosen.is_file():
            mend = f"put it beside the study, or write its path from {prepared.workplace.project}"
            raise ConfigError([Fault(WHERE, f"there is no file {chosen}", name, mend)])
        return _read(chosen, name)
    try:
        other = other_study(name)
    except EtudeError as error:
        raise ConfigError(
            [Fault(WHERE, f"no table and no study: {error}", name, "write FILE.csv or a study")]
        ) from error
    state = state_of(other, prepared.workplace.etude)
    table = state.table() if state is not None else None
    if table is None:
        raise ConfigError([Fault(WHERE, f"study {name!r} has no search to learn from", name, "run it first")])
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _read(path: Path, name: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import csv, parquet

    try:
        table = csv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigError([Fault(WHERE, f"cannot be read: {error}", name, "write a CSV or Parquet file")]) from error
    rows: list[dict[str, Any]] = table.to_pylist()
    if path.suffix != ".csv":
        return rows
    return [{text_of_cell(name): _cell(value) for name, value in row.items()} for row in rows]


def _cell(value: Any) -> Any:
    return text_of_cell(value) if isinstance(value, str) else value


def _columns(search: Search, known: Sequence[str], name: str) -> dict[str, str]:
    """What is needed → the column that has it."""
    ways = {one: [one, f"param.{one}"] for one in search.space.columns}
    for index, metric in enumerate(search.goal.metrics):
        ways[metric] = [metric, f"value.{metric}", metric.rpartition(".")[2]]
        ways[metric].append("objective" if len(search.goal.metrics) == 1 else f"objective_{index}")
    found, faults = {}, []
    for wanted, names in ways.items():
        column = next((one for one in names if one in known), None)
        if column is not None:
            found[wanted] = column
        else:
            mend = f"name a column {' or '.join(names)}; {nearest(wanted, known)}"
            faults.append(Fault(WHERE, f"the table has no column for {wanted!r}", name, mend))
    if faults:
        raise ConfigError(faults)
    return found


def _results(search: Search, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Iterator[Warm]:
    number = -len(rows)
    for row in rows:
        outcome = _outcome(row)
        if outcome is TrialOutcome.CANCELLED:  # it never came to its end
            continue
        given = {name: row[columns[name]] for name in search.space.columns}
        try:
            point = search.space.read({name: value for name, value in given.items() if value not in (None, "")})
        except ConfigError:
            continue
        found = [_value(row[columns[metric]]) for metric in search.goal.metrics]
        values = tuple(value for value in found if value is not None)
        whole = len(values) == len(found) and outcome is TrialOutcome.OK
        yield Warm(
            number=number,
            point=point,
            values=values if whole else None,
            outcome=outcome if whole or outcome is not TrialOutcome.OK else TrialOutcome.CRASH,
            constraints=_constraints(search, row) if whole else (),
        )
        number += 1


def _outcome(row: Mapping[str, Any]) -> TrialOutcome:
    """The outcome that a table tells, as a search's own does; `ok` where it has no such column."""
    if "outcome" not in row:
        return TrialOutcome.OK
    told = row["outcome"]
    return (
        TrialOutcome(told)
        if told in set(TrialOutcome)
        else TrialOutcome.CANCELLED
        if told is None
        else TrialOutcome.CRASH
    )


def _constraints(search: Search, row: Mapping[str, Any]) -> tuple[float, ...]:
    """How far each limit is exceeded; none where the table does not tell of all."""
    found = []
    for bound in search.goal.constraints:
        told, value = _value(row.get(f"constraint.{bound.metric}")), _value(row.get(bound.metric))
        if told is None and value is None:
            return ()
        found.append(bound.excess(value) if value is not None else told or 0.0)
    return tuple(found)


def _value(value: Any) -> float | None:
    """A finite number, also as text (a column in which failures are told as `F_…` is text); None for all else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
