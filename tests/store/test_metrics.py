"""What counts as metrics, and how metrics become flat names for a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
import pytest

from etude.store import Store, flatten_metrics, is_metrics
from storing import Colour, Everything, Point, Quality, Report, round_trip, stored


@dataclass
class Thawed:
    accuracy: float


class Pair(NamedTuple):
    accuracy: float
    name: str


class Typed(TypedDict):
    accuracy: float


@dataclass(frozen=True)
class Labels:
    name: str


@dataclass(frozen=True)
class Marked:
    score: int | float | None
    split: Literal["train", "test"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Quality, True),
        (Report, True),
        (Marked, True),
        (dict[str, float], True),
        (Mapping[str, int | None], True),
        (Mapping[str, bool], True),
        (Thawed, True),
        (Pair, True),
        (Typed, True),
        (dict[str, float | str | None], True),
        (dict[str, str | None], False),
        (Labels, False),
        (Everything, False),
        (Point, True),
        (dict[str, str], False),
        (dict[int, float], False),
        (dict[str, Any], False),
        (dict, False),
        (float, False),
        (object, False),
        (np.ndarray, False),
    ],
)
def test_metrics_are_records_or_mappings_of_numbers(annotation: Any, expected: bool) -> None:
    assert is_metrics(annotation) is expected


def test_metrics_are_flattened_to_dotted_names() -> None:
    report = Report(test=Quality(0.5, 3, loss=None), classes={"a": 1.0, "b": 0.0})
    assert flatten_metrics(report) == {
        "test.accuracy": 0.5,
        "test.count": 3,
        "test.note": "",
        "test.loss": None,
        "classes.a": 1.0,
        "classes.b": 0.0,
    }


def test_what_is_no_metrics_cannot_be_flattened() -> None:
    with pytest.raises(TypeError, match="list is no metrics"):
        flatten_metrics({"a": [1]})


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (Quality(0.5, 3), Quality, True),
        (Quality(0.5, 3), object, True),
        ({"a": 0.5}, dict[str, float], True),
        ({"a": 0.5, "b": None}, object, True),
        ({"a": {"b": np.float32(1)}}, object, True),
        ({"a": 0.5}, dict, True),
        (Pair(0.5, "x"), Pair, True),
        ({"a": 0.5, "b": "x"}, dict[str, float | str], True),
        ({"a": "text"}, object, False),
        ({"a": None}, object, False),
        ({}, object, False),
        ([1.0], object, False),
        (Colour.RED, object, False),
    ],
    ids=repr,
)
def test_the_manifest_says_which_results_are_metrics(store: Store, value: Any, annotation: Any, expected: bool) -> None:
    assert stored(store, value, annotation).codec.get("metrics", False) is expected


def test_metrics_read_plainly_flatten_like_the_value_itself(store: Store) -> None:
    report = Report(test=Quality(0.5, 3), classes={"a": 1.0})
    assert flatten_metrics(round_trip(store, report, Report, as_type=dict)) == flatten_metrics(report)
