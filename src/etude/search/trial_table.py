"""The results table of a search: one row for each trial, in the order in which they ended; and its plain CSV form."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from etude.graph.labels import full_text
from etude.interchange import safe_cell
from etude.search.space import Space
from etude.search.trial_events import Begun
from etude.search.trial_history import TrialHistory
from etude.search.trials import Bound, Goal, Trial, TrialOutcome

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = b"etude.search"


def goal_of(begun: Begun) -> Goal:
    """The goal that a search began with."""
    bounds = tuple(Bound(**one) for one in begun.goal["constraints"])
    return Goal(metrics=tuple(begun.goal["metrics"]), directions=tuple(begun.goal["directions"]), constraints=bounds)


def trials_of(history: TrialHistory) -> list[Trial]:
    """The trials that ended or were stopped, in that order; those that still run come last."""
    ended = [history.trials[number] for number in history.ended]
    halted = [trial for number, trial in history.trials.items() if number in history.owner]
    return [*ended, *sorted(halted, key=lambda trial: (trial.ended_s is None, trial.ended_s or 0.0, trial.number))]


def results_table(history: TrialHistory) -> pa.Table:
    """The results table.

    Columns: number, origin, outcome (null while a trial runs), worker, submitted_s, started_s, ended_s (seconds since
    the search began, over all its runs), proposed_after (events of the log that the proposal follows from), suggest_s
    (what it cost), stale (results that came in since it was begun), `param.<name>` (null where it does not count),
    `value.<metric>` in the user's sign, `constraint.<metric>` (how far it is exceeded), error, fingerprint. The
    schema's metadata `etude.search` holds study, goal, space, baseline_number, workers and started_at.

    Raises:
        ValueError: The search has not begun.
    """
    import pyarrow as pa

    if history.begun is None:
        raise ValueError("the search has not begun")
    space, goal, trials = Space.from_json(history.begun.space), goal_of(history.begun), trials_of(history)
    columns: dict[str, pa.Array] = {}
    for name, read, kind in _COLUMNS:
        columns[name] = pa.array([read(trial) for trial in trials], getattr(pa, kind)())
    for name in space.columns:
        columns[f"param.{name}"] = _param_column([trial.point.get(name) for trial in trials])
    for index, metric in enumerate(goal.metrics):
        values = [
            trial.values[index] if trial.values and trial.outcome is TrialOutcome.OK else None for trial in trials
        ]
        columns[f"value.{metric}"] = pa.array(values, pa.float64())
    for index, bound in enumerate(goal.constraints):
        excess = [trial.constraints[index] if index < len(trial.constraints) else None for trial in trials]
        columns[f"constraint.{bound.metric}"] = pa.array(excess, pa.float64())
    columns["error"] = pa.array([trial.error or None for trial in trials], pa.string())
    columns["fingerprint"] = pa.array([trial.fingerprint or None for trial in trials], pa.string())
    baseline = next((trial.number for trial in trials if trial.origin == "baseline"), None)
    about = {
        "study": history.begun.study,
        "goal": goal.as_json(),
        "baseline_number": baseline,
        "space": space.as_json(),
        "workers": max((opened.workers for opened in history.drivers.values()), default=None),
        "started_at": history.begun.at_s,
    }
    return pa.table(columns).replace_schema_metadata({METADATA: json.dumps(about).encode()})


_COLUMNS: tuple[tuple[str, Callable[[Trial], Any], str], ...] = (
    ("number", lambda trial: trial.number, "int64"),
    ("origin", lambda trial: trial.origin, "string"),
    ("outcome", lambda trial: None if trial.outcome is None else str(trial.outcome), "string"),
    ("worker", lambda trial: trial.worker, "int64"),
    ("submitted_s", lambda trial: trial.submitted_s, "float64"),
    ("started_s", lambda trial: trial.started_s, "float64"),
    ("ended_s", lambda trial: trial.ended_s, "float64"),
    ("proposed_after", lambda trial: trial.seen, "int64"),
    ("suggest_s", lambda trial: trial.suggest_s, "float64"),
    ("stale", lambda trial: trial.stale, "int64"),
)


def csv_text(history: TrialHistory) -> str:
    """The table as other tools of searches write it: params, objective, worker_rank, timestamp_start, timestamp_end.

    With one goal its column is `objective`, `F_<outcome>` where the trial failed; with several, `objective_0`, ….
    """
    import csv
    import io

    assert history.begun is not None
    space, goal = Space.from_json(history.begun.space), goal_of(history.begun)
    several = len(goal.metrics) > 1
    objectives = [f"objective_{index}" for index in range(len(goal.metrics))] if several else ["objective"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*map(safe_cell, space.columns), *objectives, "worker_rank", "timestamp_start", "timestamp_end"])
    for trial in trials_of(history):
        if trial.outcome is None or trial.outcome is TrialOutcome.CANCELLED:
            continue
        values: Sequence[object] = [f"F_{trial.outcome}"] * len(objectives)
        if trial.outcome is TrialOutcome.OK and trial.values is not None:
            values = [repr(value) for value in trial.values]
        params = [_text(trial.point[name]) if name in trial.point else "" for name in space.columns]
        writer.writerow([*map(safe_cell, params), *values, trial.worker, trial.started_s, trial.ended_s])
    return text.getvalue()


def _param_column(values: Sequence[Any]) -> pa.Array:
    """A column of native type; of JSON text where values are of several types or no plain ones."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and kinds and not any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
        floats = float in kinds
        numbers = [value if value is None or not floats else float(value) for value in values]
        return pa.array(numbers, pa.float64() if floats else pa.int64())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds <= {str}:
        return pa.array(values, pa.string())
    return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, float) else full_text(value)
