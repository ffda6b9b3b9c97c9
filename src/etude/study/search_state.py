"""What a study knows of its search: the log, the points that were tried, and whether there is more to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etude.errors import ConfigError, Fault
from etude.graph.labels import text_of
from etude.graph.node import Node
from etude.identity.canonical import canonical
from etude.search.space import Space
from etude.search.spec import NO_LIMIT, Search
from etude.search.trial_history import TrialHistory
from etude.search.trial_log import EVENTS, read_log
from etude.search.trial_table import results_table
from etude.search.trials import TrialOutcome
from etude.study.fault_places import locate
from etude.study.study import Study

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchState:
    """A study's search as far as it has come."""

    search: Search
    folder: Path
    """Of its log."""
    history: TrialHistory

    @property
    def complete(self) -> bool:
        """Whether a run of the study has nothing more to search."""
        search, history = self.search, self.history
        if history.begun is None:
            return False
        if search.timeout_s is not None and history.last_t >= search.timeout_s:
            return True
        return not history.owner and (history.asked >= search.trials or history.closed == "exhausted")

    @property
    def left(self) -> str:
        """What is still to come, in words."""
        search, history = self.search, self.history
        done = len(history.ended)
        if self.complete and done < search.trials < NO_LIMIT and history.closed != "exhausted":
            return f"the time of the search is up: {done} of {search.trials} trials done"
        if self.complete:
            return f"the search is done: {done} trials"
        if search.timeout_s is None or history.begun is None:
            return f"search: {done} of {_trials(search)} done"
        return f"search: {done} of {_trials(search)} done in {history.last_t:.0f} of {search.timeout_s:.0f} s"

    def table(self) -> pa.Table | None:
        """The results table; None before the search has begun."""
        return results_table(self.history) if self.history.begun is not None else None


def _trials(search: Search) -> str:
    return "as many trials as the time allows" if search.trials == NO_LIMIT else f"{search.trials} trials"


def log_folder(etude: Path, study: str) -> Path:
    """Where the log of a study's search is.

    Args:
        etude: The project's `.etude`.
        study: The study's name, with its form.
    """
    return etude / "searches" / study


def state_of(study: Study, etude: Path) -> SearchState | None:
    """How far a study's search has come; None where it has none.

    Raises:
        SearchError: The log cannot be read.
    """
    if study.vary.search is None:
        return None
    folder = log_folder(etude, study.title)
    return SearchState(search=study.vary.search, folder=folder, history=TrialHistory.of(read_log(folder / EVENTS)))


def with_search(study: Study, state: SearchState | None) -> Study:
    """A searched study with the points that were tried, in the order of their numbers; any other as it is.

    Before the first trial has ended its baseline stands for all, or else the study's own values.

    Raises:
        ConfigError: The log is of another search than the study asks for.
    """
    if state is None:
        return study
    told = difference(state)
    if told:
        raise ConfigError(locate(changed_faults(study, told), study))
    points: dict[str, Mapping[str, object]] = {}
    failed: dict[str, str] = {}
    for number in sorted(state.history.ended):
        trial = state.history.trials[number]
        key = canonical(dict(trial.point))
        points.setdefault(key, trial.point)
        if trial.outcome is TrialOutcome.OK:
            failed[key] = ""
        else:
            failed.setdefault(key, str(trial.outcome))
    first = (state.search.baseline,) if state.search.baseline is not None else ()
    failed = {key: outcome for key, outcome in failed.items() if outcome}
    return replace(study, vary=replace(study.vary, points=tuple(points.values()) or first, failed=failed))


def difference(state: SearchState) -> list[tuple[str, str]]:
    """What a study asks for that its log is not of: the place in `vary.search`, and how it differs."""
    begun, search = state.history.begun, state.search
    if begun is None:
        return []
    found = []
    space = search.space.difference(Space.from_json(begun.space))
    if space:
        found.append(("space", f"the space has changed since the search began: {space}"))
    for key, was, now in (
        ("objective", begun.goal, search.goal.as_json()),
        ("sampler", {"name": begun.sampler, **begun.settings}, {"name": search.sampler, **search.settings}),
        ("seed", begun.seed, search.seed),
    ):
        if canonical(_plain(was)) != canonical(_plain(now)):
            reason = f"the {key} has changed since the search began: it was {text_of(was)}, now it is {text_of(now)}"
            found.append((key, reason))
    return found


def _plain(value: object) -> object:
    import json

    return json.loads(json.dumps(value))


def changed_faults(study: Study, changes: list[tuple[str, str]]) -> list[Fault]:
    """What is not as the log has it, each a key and the reason, as faults of the study with what to do."""
    command = f"etude search {study.file or study.name}"
    mend = (
        f"put it back; or go on with the points that fit: {command} --keep-fitting; or begin anew: {command} --new "
        "(results stay in the store, the log is set aside)"
    )
    return [Fault(f"vary.search.{key}", reason, mend=mend) for key, reason in changes]


def set_aside(state: SearchState) -> Path:
    """Move the log of a search out of the way, so that the next run begins a new one. Where it went."""
    folder = state.folder
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(aside)
    return aside


def fitting_points(state: SearchState, params: Mapping[str, object]) -> list[dict[str, object]]:
    """The points of a log that lie in the space as it is now; what they lack has the study's own value.

    Args:
        state: The search, with the log as it is.
        params: The study's own values.
    """
    space = state.search.space
    own = {name: params[name] for name in space.columns if name in params}
    found: dict[str, dict[str, object]] = {}
    for number in sorted(state.history.ended):
        given = {name: value for name, value in state.history.trials[number].point.items() if name in space.dimensions}
        try:
            point = space.read({**own, **given})
        except ConfigError:
            continue
        if all(name in point for name in given):
            found.setdefault(space.canonical_point(point), point)
    return list(found.values())


def check_objective(study: Study, nodes: Mapping[str, Node]) -> None:
    """See whether the nodes that the objective and the constraints are read from give metrics.

    Args:
        study: The study.
        nodes: The nodes of one of its variants, by name.

    Raises:
        ConfigError: One gives something else.
    """
    search = study.vary.search
    if search is None:
        return
    metrics = [("objective", metric) for metric in search.goal.metrics]
    metrics += [(f"constraints.{bound.metric}", bound.metric) for bound in search.goal.constraints]
    faults = []
    for key, metric in metrics:
        node, _, rest = metric.partition(".")
        if node in nodes and not nodes[node].metrics and not rest.startswith("cost."):
            giving = [name for name, one in nodes.items() if one.metrics]
            mend = f"name one that does: {', '.join(giving)}" if giving else "add a step that returns numbers by name"
            reason = f"node {node!r} gives no metrics: its step returns something else"
            faults.append(Fault(f"vary.search.{key}", reason, metric, mend))
    if faults:
        raise ConfigError(locate(faults, study))
