"""What can be wrong with a space, each named with its place, reason and mend."""

from __future__ import annotations

import random
from collections.abc import Iterator

from etude.errors import Fault, nearest
from etude.identity.canonical import canonical
from etude.identity.difference import readable
from etude.search.space import Condition, Float, Space

DRAWS = 2_000
"""How many points are drawn to see whether anything is left that is not forbidden."""


def space_faults(space: Space) -> list[Fault]:
    """All faults of a space, with paths inside it: `lr`, `width.when.loss`, `forbidden.0`."""
    found = [fault for name, dimension in space.dimensions.items() for fault in dimension.faults(name)]
    if not space.dimensions:
        found.append(Fault("", "the space has no dimension", mend="write at least one: {lr: {float: [0.001, 0.1]}}"))
    broken = bool(found)
    for condition in space.conditions:
        found += _condition_faults(space, condition)
    if len(found) == 0 or not any(".when" in fault.path for fault in found):
        found += _order_faults(space)
    for index, one in enumerate(space.forbidden):
        for name, value in one.values.items():
            path = f"forbidden.{index}"
            if name not in space.dimensions:
                mend = nearest(name, space.columns)
                found.append(Fault(path, f"the space has no dimension {name!r}", name, mend))
                continue
            for each in value if isinstance(value, tuple) else (value,):
                if not broken and not space.dimensions[name].contains(each):
                    found.append(_never(f"{path}.{name}", space, name, each))
    if not found and space.forbidden and not _leaves_any(space):
        found.append(Fault("forbidden", "the forbidden combinations leave no point", mend="forbid less"))
    return found


def _condition_faults(space: Space, condition: Condition) -> Iterator[Fault]:
    path = f"{condition.dimension}.when.{condition.on}"
    if condition.on == condition.dimension:
        yield Fault(path, "a dimension cannot depend on itself", condition.on, "name another dimension")
        return
    if condition.on not in space.dimensions:
        mend = nearest(condition.on, space.columns)
        yield Fault(path, f"the space has no dimension {condition.on!r}", condition.on, mend)
        return
    on = space.dimensions[condition.on]
    if isinstance(on, Float) and on.step is None:
        mend = "depend on a choice, an ordinal or an int"
        yield Fault(path, f"{condition.on!r} is continuous, so it never has just this value", None, mend)
        return
    if not condition.values:
        yield Fault(path, "no value is named, so the condition is never met", None, "name a value")
    for value in condition.values:
        if not on.contains(value):
            yield _never(path, space, condition.on, value)


def _never(path: str, space: Space, name: str, value: object) -> Fault:
    dimension = space.dimensions[name]
    return Fault(path, f"{name!r} never has this value: it is {dimension}", value, "name a value that it has")


def _order_faults(space: Space) -> Iterator[Fault]:
    """Conditions in a circle, and conditions that cannot all be met at once."""
    for name in space.columns:
        if name not in space._order:
            yield Fault(f"{name}.when", "the conditions go round in a circle", name, "let one of them always count")
            return
    for name in space.columns:
        wanted = _wanted(space, name)
        for on, sets in wanted.items():
            left = set.intersection(*sets)
            if not left:
                each = " and ".join(_written(one) for one in sets)
                reason = f"its conditions are never met together: {on!r} would have to be {each}"
                yield Fault(f"{name}.when", reason, None, "mend the values, or leave the dimension out")
                break


def _wanted(space: Space, name: str) -> dict[str, list[set[str]]]:
    """Dimension → the sets of values (as written) that it must have for this one to count."""
    found: dict[str, list[set[str]]] = {}
    for condition in space._conditions_of.get(name, ()):
        found.setdefault(condition.on, []).append({canonical(value) for value in condition.values})
        for on, sets in _wanted(space, condition.on).items():
            found.setdefault(on, []).extend(sets)
    return found


def _written(texts: set[str]) -> str:
    return " or ".join(sorted(readable(text) for text in texts))


def _leaves_any(space: Space) -> bool:
    size = space.size
    if size is not None and size <= DRAWS:
        return next(space.points(), None) is not None
    rng = random.Random(0)
    cube = ([rng.random() for _ in space.columns] for _ in range(DRAWS))
    return any(space.allows(space.from_unit(place)) for place in cube)  # type: ignore[arg-type]
