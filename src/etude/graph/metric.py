"""What a step says of the numbers that it returns: their unit, and whether less or more of them is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from etude.store.codecs.annotations import bare, class_of, fields_of, is_record
from etude.store.codecs.metrics import column_name

Direction: TypeAlias = Literal["lower", "higher"]

ANY = "*"
"""Stands for every name where an annotation speaks of all values of a mapping, or of a number without a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A mark of a number in a step's result; made by `metric`."""

    unit: str = ""
    """As it is written behind a number: `J`, `ms`, `g CO₂eq`; empty for a share or a count."""
    better: Direction | None = None
    """Whether lower or higher is better; None where neither is."""

    def as_json(self) -> dict[str, str]:
        """What is said, as plain values."""
        return {"unit": self.unit, "better": self.better or ""}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> Metric:
        """The same from plain values."""
        return Metric(unit=said.get("unit", ""), better=said.get("better") or None)


def metric(*, unit: str = "", lower_is_better: bool | None = None) -> Metric:
    """Mark a number that a step returns: `loss: Annotated[float, metric(unit="nats", lower_is_better=True)]`.

    It stands on fields of a dataclass, a typed dict or a named tuple, on the values of a mapping, or on a single number
    that a step returns. It says how the number is read and never enters what the step computes.

    Args:
        unit: As it is written behind a number: `J`, `ms`; empty for a share or a count.
        lower_is_better: True or False; None where neither is, so that no group is called the best.
    """
    return Metric(unit=unit, better=None if lower_is_better is None else "lower" if lower_is_better else "higher")


def declared_metrics(annotation: Any) -> dict[str, Metric]:
    """What a result's annotation says of its numbers, by dotted name; `*` for every name below."""
    return dict(_declared(annotation, "", ()))


def _declared(annotation: Any, name: str, within: tuple[Any, ...]) -> Iterator[tuple[str, Metric]]:
    mark = next(_marks(annotation), None)
    if mark is not None:
        yield column_name(name) or ANY, mark
        return
    cls = class_of(bare(annotation))
    if cls in within:
        return
    inside: Mapping[str, Any] = {}
    if is_record(cls):
        try:
            inside = fields_of(cls)
        except NameError:
            return
    elif cls is not None and issubclass(cls, Mapping) and len(get_args(bare(annotation))) == 2:
        inside = {ANY: get_args(bare(annotation))[1]}
    for field, hint in inside.items():
        yield from _declared(hint, f"{name}.{field}" if name else field, (*within, cls))


def _marks(annotation: Any) -> Iterator[Metric]:
    """The marks around a type and around the members of a union."""
    if get_origin(annotation) is Annotated:
        yield from (mark for mark in get_args(annotation)[1:] if isinstance(mark, Metric))
    stripped = bare(annotation)
    if stripped is not annotation and get_origin(annotation) is not Annotated:
        for part in get_args(annotation):
            yield from _marks(part)
    elif type(None) in get_args(stripped):
        for part in get_args(stripped):
            yield from _marks(part)
