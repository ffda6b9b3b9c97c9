"""What an annotation says of the numbers that a step returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from etude import metric
from etude.graph.metric import Metric, declared_metrics

Seconds = Annotated[float, metric(unit="s", lower_is_better=True)]


@dataclass(frozen=True)
class Part:
    wall: Seconds
    plain: float


@dataclass(frozen=True)
class Whole:
    part: Part
    parts: dict[str, Part]
    maybe: Seconds | None
    again: Whole | None


def test_numbers_are_named_by_their_way_from_the_result() -> None:
    seconds = Metric(unit="s", better="lower")
    assert declared_metrics(Whole) == {"part.wall": seconds, "parts.*.wall": seconds, "maybe": seconds}


@pytest.mark.parametrize("annotation", [Seconds, dict[str, Seconds], Seconds | None])
def test_a_number_without_a_name_of_its_own_speaks_for_all(annotation: Any) -> None:
    assert declared_metrics(annotation) == {"*": Metric(unit="s", better="lower")}


@pytest.mark.parametrize("annotation", [float, dict, dict[str, float], list[Seconds], object])
def test_where_nothing_is_marked_nothing_is_declared(annotation: Any) -> None:
    assert declared_metrics(annotation) == {}


@pytest.mark.parametrize(("lower", "better"), [(None, None), (True, "lower"), (False, "higher")])
def test_a_direction_is_known_only_where_it_is_said(lower: bool | None, better: str | None) -> None:
    assert metric(lower_is_better=lower).better == better


@pytest.mark.parametrize(
    "said", [Metric(), Metric(unit="J"), Metric(unit="J", better="lower"), Metric(better="higher")]
)
def test_plain_values_give_the_same_metric_back(said: Metric) -> None:
    assert Metric.from_json(said.as_json()) == said


@dataclass(frozen=True)
class Unresolved:
    wall: Seconds
    other: NotThereWhenRun  # type: ignore[name-defined]  # noqa: F821


def test_a_record_whose_annotations_cannot_be_resolved_declares_nothing() -> None:
    assert declared_metrics(Unresolved) == {}
