"""`vary.search` as values, and everything that is wrong with it beyond the shape of its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from etude.analysis.direction import meaning_of
from etude.errors import ConfigError, Fault, nearest
from etude.keys import spec_of
from etude.search.dimensions import Dimension, dimension_of
from etude.search.space import Condition, Forbidden, Space
from etude.search.spec import METRIC, Search
from etude.search.trials import Bound, Direction, Goal
from etude.study.study import Study

WHERE = "vary.search"
_KINDS = ("float", "int", "choice", "ordinal")


def search_of(read: Mapping[str, Any], params: Mapping[str, object], faults: list[Fault]) -> Search | None:
    """The search that was read, its faults added to the others; None where it cannot be made of what is left."""
    before = len(faults)
    space = _space(read, faults)
    if space is not None:
        faults += [_placed(fault) for fault in space.check()]
    sound = len(faults) == before and space is not None and all(name in params for name in space.columns)
    goal = _goal(read, faults)
    if space is None or goal is None:
        return None
    baseline = _baseline(read.get("baseline"), space, params, faults) if sound else None
    name, settings = _sampler(read)
    return spec_of(Search, read, space=space, goal=goal, sampler=name, settings=settings, baseline=baseline)


def search_faults(study: Study, tree: Mapping[str, object], section: Mapping[str, Any]) -> Iterator[Fault]:
    """What does not fit the rest of the study.

    Args:
        study: The study.
        tree: The whole tree it was made of.
        section: `vary.search` in it, as far as it could be read.
    """
    params, pipeline = tree.get("params"), tree.get("pipeline")
    known = tuple(params) if isinstance(params, Mapping) else ()
    for name in section.get("space", {}):
        if name not in known:
            yield Fault(f"{WHERE}.space.{name}", f"no param is called {name!r}", mend=nearest(name, known))
        elif name in study.vary.repeat:
            mend = "keep one of the two"
            yield Fault(f"{WHERE}.space.{name}", f"{name!r} is varied twice: also by vary.repeat", mend=mend)
    for other in ("grid", "list", "top"):
        written = tree.get("vary")
        if isinstance(written, Mapping) and written.get(other):
            mend = f"move its params into the space, or leave out `{other}`; only `repeat` goes with a search"
            yield Fault(f"vary.{other}", "a study is searched or laid out, not both", mend=mend)
    if "trials" not in section and "timeout" not in section:
        yield Fault(WHERE, "nothing ends the search", mend="write `trials:` or `timeout:` or both")
    nodes = tuple(pipeline) if isinstance(pipeline, Mapping) else ()
    for path, metric in _metrics(section):
        node = metric.partition(".")[0]
        if not re.fullmatch(METRIC, metric):
            yield Fault(path, "expected a metric: node.metric, as the records call it", metric, "write quality.auc")
        elif node not in nodes and node != "cost":
            reason = f"the pipeline has no node {node!r}"
            yield Fault(path, reason, metric, nearest(node, nodes))
        elif node == "cost" and metric.count(".") != 1:
            yield Fault(path, "no cost is called so", metric, "write cost.energy_j or cost.wall_s")
    yield from _sampler_faults(section)
    if study.vary.search is not None:
        yield from _early_faults(study.vary.search)


def _sampler(section: Mapping[str, Any]) -> tuple[str, dict[str, object]]:
    """The sampler's name, and its settings."""
    sampler = section.get("sampler", "auto")
    if isinstance(sampler, str):
        return sampler, {}
    return str(sampler.get("name", "auto")), {key: value for key, value in sampler.items() if key != "name"}


def _sampler_faults(section: Mapping[str, Any]) -> Iterator[Fault]:
    from etude.search.samplers.factory import check  # most studies have no search, and need no samplers

    yield from (_placed(fault) for fault in check(*_sampler(section)))


def _early_faults(search: Search) -> Iterator[Fault]:
    if search.stop_early and len(search.goal.metrics) > 1:
        mend = "leave it out, or search for one objective and constrain the others"
        yield Fault(f"{WHERE}.stop_early", "trials can be stopped early by one objective only", mend=mend)
    if search.stop_early and search.stop_early.reduction <= 1:
        value = search.stop_early.reduction
        yield Fault(f"{WHERE}.stop_early.reduction", "expected a number above 1", value, "write 3")


def _metrics(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    objective = section.get("objective", ())
    if isinstance(objective, str):
        yield f"{WHERE}.objective", objective
    elif isinstance(objective, Mapping):
        yield from ((f"{WHERE}.objective.{metric}", metric) for metric in objective)
    else:
        yield from ((f"{WHERE}.objective.{index}", metric) for index, metric in enumerate(objective))
    yield from ((f"{WHERE}.constraints.{metric}", metric) for metric in section.get("constraints", {}))


def _space(read: Mapping[str, Any], faults: list[Fault]) -> Space | None:
    dimensions: dict[str, Dimension] = {}
    conditions: list[Condition] = []
    if "space" not in read:
        return None
    for name, keys in read["space"].items():
        path = f"{WHERE}.space.{name}"
        if any(fault.path.startswith(f"{path}.") for fault in faults):
            continue
        fault_of_kind = _kind_fault(path, keys)
        if fault_of_kind is not None:
            faults.append(fault_of_kind)
            continue
        kind = next(kind for kind in _KINDS if kind in keys)
        if kind == "float":
            keys = {**keys, "float": [float(bound) for bound in keys["float"]]}
        dimensions[name] = dimension_of(keys)
        for on, values in keys.get("when", {}).items():
            conditions.append(
                Condition(dimension=name, on=on, values=tuple(values) if isinstance(values, list) else (values,))
            )
    forbidden = tuple(
        Forbidden(values={name: tuple(value) if isinstance(value, list) else value for name, value in one.items()})
        for one in read.get("forbidden", ())
    )
    if len(dimensions) < len(read["space"]):  # what can be read of the others is told as well
        faults += [fault for name, one in dimensions.items() for fault in one.faults(f"{WHERE}.space.{name}")]
        return None
    return Space(dimensions, tuple(conditions), forbidden)


def _kind_fault(path: str, keys: Mapping[str, Any]) -> Fault | None:
    kinds = [kind for kind in _KINDS if kind in keys]
    if len(kinds) != 1:
        reason = f"a dimension is one of {', '.join(_KINDS)}" + (f", not {' and '.join(kinds)}" if kinds else "")
        return Fault(path, reason, dict(keys) or None, "write {float: [low, high]} or {choice: [a, b]}")
    kind = kinds[0]
    if kind in ("choice", "ordinal"):
        extra = next((key for key in ("log", "step") if key in keys), None)
        if extra:
            mend = f"leave it out, or write float or int instead of {kind}"
            return Fault(f"{path}.{extra}", f"{extra} is of numbers, and this is a {kind}", keys[extra], mend)
        return None
    bounds = keys[kind]
    if len(bounds) != 2:
        return Fault(f"{path}.{kind}", "expected a lower and an upper bound", list(bounds), "write [low, high]")
    if kind == "int":
        if any(isinstance(bound, float) and not bound.is_integer() for bound in bounds):
            return Fault(f"{path}.int", "the bounds of whole numbers are whole", list(bounds), "write float")
        step = keys.get("step", 1)
        if isinstance(step, float) and not step.is_integer():
            return Fault(f"{path}.step", "the step of whole numbers is whole", step, "write float, or a whole step")
    return None


def _goal(read: Mapping[str, Any], faults: list[Fault]) -> Goal | None:
    objective = read.get("objective")
    if not objective:
        return None
    direction: Direction | None = read.get("direction")
    if isinstance(objective, Mapping):
        if "direction" in read:
            mend = "leave out `direction`, for each objective says its own"
            faults.append(Fault(f"{WHERE}.direction", "the direction is said twice", direction, mend))
        directions: dict[str, Direction] = dict(objective)
    else:
        metrics = [objective] if isinstance(objective, str) else list(objective)
        if len(set(metrics)) < len(metrics):
            faults.append(Fault(f"{WHERE}.objective", "a metric stands there twice", metrics, "leave one out"))
        directions = {metric: direction or _direction(metric) for metric in metrics}
    bounds = []
    for metric, limits in read.get("constraints", {}).items():
        path = f"{WHERE}.constraints.{metric}"
        if not limits:
            faults.append(Fault(path, "no limit is named", mend="write {at_most: …} or {at_least: …}"))
        elif limits.get("at_least", limits.get("at_most", 0)) > limits.get("at_most", limits.get("at_least", 0)):
            faults.append(Fault(path, "no value is at least the one and at most the other", limits, "swap the two"))
        bounds.append(Bound(metric=metric, at_most=limits.get("at_most"), at_least=limits.get("at_least")))
    return Goal(metrics=tuple(directions), directions=tuple(directions.values()), constraints=tuple(bounds))


def _direction(metric: str) -> Direction:
    """What is sought of a metric where the study does not say: less of a loss, an error or a cost, else more."""
    return "minimize" if meaning_of(metric, {}).better == "lower" else "maximize"


def _baseline(
    point: str | Mapping[str, object] | None, space: Space, params: Mapping[str, object], faults: list[Fault]
) -> Mapping[str, object] | None:
    if point is None:
        return None
    given: Mapping[str, object] = {} if isinstance(point, str) else point
    own = {name: params[name] for name in space.columns if name in params}
    try:
        return space.read({**own, **given})
    except ConfigError as error:
        where = f"{WHERE}.baseline"
        faults += [
            replace(fault, path=f"{where}.{fault.path}")
            if fault.path in given
            else replace(fault, path=where, reason=_of(fault))
            for fault in error.faults
        ]
        return None


def _of(fault: Fault) -> str:
    return f"{fault.path}: {fault.reason}" if fault.path else fault.reason


def _placed(fault: Fault) -> Fault:
    """A fault of a space or a sampler in its place in the study."""
    if fault.path.startswith(("forbidden", "sampler")):
        return replace(fault, path=f"{WHERE}.{fault.path}")
    return replace(fault, path=f"{WHERE}.space.{fault.path}" if fault.path else f"{WHERE}.space")
