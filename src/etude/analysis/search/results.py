"""A search's results table, read: what was tried in which space, what came of it, and when."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from etude.errors import StepError

if TYPE_CHECKING:
    import pyarrow as pa

Kind: TypeAlias = Literal["float", "int", "choice", "ordinal"]
KINDS: tuple[Kind, ...] = ("float", "int", "choice", "ordinal")
KEY = b"etude.search"
"""The metadata of the table under which its goal and its space stand."""
NEEDED = ("number", "origin", "outcome", "worker", "submitted_s", "started_s", "ended_s")
OK = "ok"
RUNNING = "running"
"""The outcome of a trial that has none yet."""
BASELINE = "baseline"
MOST_DECADES = 2.0
"""Values above 0 that span more powers of ten than this are read as logarithmic, where no space says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One param that was searched."""

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 1.0
    """Of numbers."""
    log: bool = False
    options: tuple[object, ...] = ()
    """Of choices and ordinals, in their order."""
    conditional: bool = False
    """Whether it is active for some values of another only."""

    @property
    def numeric(self) -> bool:
        """Whether it has a scale, not options."""
        return self.kind in ("float", "int")

    def unit(self, value: object) -> float:
        """Where a value stands from 0 to 1: numbers on their scale, options at the middle of equal parts."""
        if not self.numeric:
            return (self._place(value) + 0.5) / len(self.options)
        here, low, high = float(value), self.low, self.high  # type: ignore[arg-type]
        if self.log:
            here, low, high = math.log(here), math.log(low), math.log(high)
        return min(1.0, max(0.0, (here - low) / (high - low))) if high > low else 0.5

    def value_at(self, unit: float) -> object:
        """The value that stands there, the other way round."""
        if not self.numeric:
            return self.options[min(len(self.options) - 1, int(unit * len(self.options)))]
        return round(self.place_at(unit)) if self.kind == "int" else self.place_at(unit)

    def place_at(self, unit: float) -> float:
        """The number that stands there, whole numbers not rounded."""
        if self.log:
            return math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        return self.low + unit * (self.high - self.low)

    def _place(self, value: object) -> int:
        for at, option in enumerate(self.options):
            if option == value and type(option) is type(value):
                return at
        return self.options.index(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One point that was tried."""

    number: int
    origin: str
    outcome: str
    worker: int | None
    submitted_s: float | None
    started_s: float | None
    ended_s: float | None
    """Seconds since the start of the search, resumptions included."""
    point: Mapping[str, object]
    """Active params."""
    values: tuple[float, ...] | None
    """One for each metric, in the user's sign; None where one is missing or not finite, or the trial was not ok."""
    feasible: bool
    """Whether every constraint is known and kept."""
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResults:
    """All trials of a search, in the order in which they ended."""

    metrics: tuple[str, ...]
    maximise: tuple[bool, ...]
    """For each metric whether more is better."""
    dimensions: tuple[Dimension, ...]
    trials: tuple[Trial, ...]
    baseline_number: int | None
    workers: int | None
    """As many as were asked for; None where that is not known."""

    @property
    def baseline(self) -> Trial | None:
        """The trial of the baseline, where there is one and it has values."""
        trials = (trial for trial in self.trials if trial.number == self.baseline_number)
        return next((trial for trial in trials if trial.values is not None), None)

    def known(self) -> Iterator[Trial]:
        """The trials that have values."""
        return (trial for trial in self.trials if trial.values is not None)

    def better(self, one: float, other: float, at: int = 0) -> bool:
        """Whether a value of a metric is better than another."""
        return one > other if self.maximise[at] else one < other

    def losses(self, trial: Trial) -> tuple[float, ...]:
        """Values with signs such that less is better."""
        assert trial.values is not None
        return tuple(-value if more else value for value, more in zip(trial.values, self.maximise, strict=True))


def read_results(table: pa.Table) -> SearchResults:
    """Read a results table.

    Raises:
        StepError: A column that every results table has is not there, or the table does not say what was searched for.
    """
    missing = [name for name in NEEDED if name not in table.column_names]
    if missing:
        raise StepError(f"no results table of a search: it has no column {', '.join(missing)}")
    known = _known(table)
    metrics = _metrics(known, table.column_names)
    rows: list[dict[str, Any]] = table.to_pylist()
    names = [name.removeprefix("param.") for name in table.column_names if name.startswith("param.")]
    space = _space(known.get("space") or {})
    _restore_options(rows, space)
    dimensions = tuple(space.get(name) or _guessed(name, [row[f"param.{name}"] for row in rows]) for name in names)
    limits = [name for name in table.column_names if name.startswith("constraint.")]
    baseline = known.get("baseline_number")
    if baseline is None:
        baseline = next((row["number"] for row in rows if row["origin"] == BASELINE), None)
    workers = known.get("workers")
    return SearchResults(
        metrics=tuple(metrics),
        maximise=tuple(direction.startswith("max") for direction in metrics.values()),
        dimensions=dimensions,
        trials=tuple(_trial(row, names, tuple(metrics), limits) for row in rows),
        baseline_number=baseline,
        workers=workers if isinstance(workers, int) else None,
    )


def _known(table: pa.Table) -> dict[str, Any]:
    text = (table.schema.metadata or {}).get(KEY)
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _metrics(known: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
    """Metric → `maximize` or `minimize`."""
    goal = known.get("goal") or {}
    metrics, directions = goal.get("metrics") or [], goal.get("directions") or []
    if not metrics or len(metrics) != len(directions):
        raise StepError("the results table does not say what was searched for: its metadata `etude.search` has no goal")
    absent = [metric for metric in metrics if f"value.{metric}" not in columns]
    if absent:
        raise StepError(f"no results table of this search: it has no column value.{absent[0]}")
    return dict(zip(metrics, map(str, directions), strict=True))


def _restore_options(rows: Sequence[dict[str, Any]], space: Mapping[str, Dimension]) -> None:
    """Options of several types stand in the table as JSON text: make them again what the space has."""
    for name, dimension in space.items():
        if dimension.numeric or all(isinstance(option, str) for option in dimension.options):
            continue
        column = f"param.{name}"
        if all(row.get(column) in (None, *dimension.options) for row in rows):
            continue  # of one type, and so written as they are
        for row in rows:
            value = row.get(column)
            if isinstance(value, str):
                with contextlib.suppress(json.JSONDecodeError):  # a table of other origin may hold the text itself
                    row[column] = json.loads(value)


def _trial(row: Mapping[str, Any], names: Sequence[str], metrics: Sequence[str], limits: Sequence[str]) -> Trial:
    numbers = [row[f"value.{metric}"] for metric in metrics]
    known = {name: row[name] for name in NEEDED}
    good = row["outcome"] == OK and all(value is not None and math.isfinite(value) for value in numbers)
    return Trial(
        **{**known, "outcome": row["outcome"] or RUNNING},
        point={name: row[f"param.{name}"] for name in names if row[f"param.{name}"] is not None},
        values=tuple(map(float, numbers)) if good else None,
        feasible=all(row[name] is not None and row[name] <= 0 for name in limits),
        error=str(row.get("error") or ""),
    )


def _space(space: Mapping[str, Any]) -> dict[str, Dimension]:
    """The dimensions as the search wrote them: `{lr: {float: [low, high], log: true}, loss: {choice: […]}}`."""
    written = space.get("space", space)
    found = {}
    for name, entry in written.items() if isinstance(written, Mapping) else ():
        kind: Kind | None = next((kind for kind in KINDS if kind in entry), None)
        depends = bool(entry.get("when"))
        if kind == "float" or kind == "int":
            low, high = entry[kind]
            found[name] = Dimension(
                name=name, kind=kind, low=low, high=high, log=bool(entry.get("log")), conditional=depends
            )
        elif kind is not None:
            found[name] = Dimension(name=name, kind=kind, options=tuple(entry[kind]), conditional=depends)
    return found


def _guessed(name: str, values: Sequence[Any]) -> Dimension:
    """A dimension that only its values tell of."""
    seen = [value for value in values if value is not None]
    conditional = len(seen) < len(values)
    if seen and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in seen):
        low, high = float(min(seen)), float(max(seen))
        log = low > 0 and math.log10(high / low) > MOST_DECADES
        kind: Kind = "int" if all(isinstance(value, int) for value in seen) else "float"
        return Dimension(name=name, kind=kind, low=low, high=high, log=log, conditional=conditional)
    options = tuple(dict.fromkeys(seen))
    return Dimension(name=name, kind="choice", options=options, conditional=conditional)


def top(results: SearchResults, k: int, at: int = 0) -> tuple[Trial, ...]:
    """The k best feasible trials in a metric, the best first; of equal ones the earlier number."""
    sign = -1.0 if results.maximise[at] else 1.0
    known = [trial for trial in results.known() if trial.feasible and trial.values is not None]
    return tuple(sorted(known, key=lambda trial: (sign * trial.values[at], trial.number))[:k])  # type: ignore[index]


def better_than_baseline(results: SearchResults, at: int = 0) -> tuple[Trial, ...]:
    """The feasible trials that beat the baseline, the best first; none where there is no baseline."""
    base = results.baseline
    if base is None or base.values is None:
        return ()
    limit = base.values[at]
    everyone = top(results, len(results.trials), at)
    return tuple(trial for trial in everyone if trial.values and results.better(trial.values[at], limit, at))
