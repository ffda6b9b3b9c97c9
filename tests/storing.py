"""What tests of the store share: fingerprints, headers, and types of values that a step may return."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from typing_extensions import TypedDict

from etude.store import Header, Manifest, Store

_counter = itertools.count()


def fingerprint(text: object) -> str:
    """A fingerprint that is another for each text."""
    return hashlib.sha256(str(text).encode()).hexdigest()


def fresh() -> str:
    """A fingerprint that was not used before."""
    return fingerprint(f"fresh {next(_counter)}")


def header(trace: object = None, **told: Any) -> Header:
    """A header with a trace key of its own."""
    return Header(trace=fresh() if trace is None else fingerprint(trace), **told)


def stored(store: Store, value: object, returns: object = object, **options: Any) -> Manifest:
    """The manifest of a value, stored under a fingerprint of its own."""
    return store.commit(fresh(), value, returns, header(), **options)


def round_trip(store: Store, value: object, returns: object = object, as_type: object = object) -> Any:
    """A value as it comes back."""
    return store.read(stored(store, value, returns).fingerprint, as_type=as_type)


def files_below(folder: Path) -> list[Path]:
    """All files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


class Colour(Enum):
    RED = "red"
    BLUE = 2


@dataclass(frozen=True, slots=True)
class Quality:
    """Metrics."""

    accuracy: float
    count: int
    note: str = ""
    loss: float | None = None


@dataclass(frozen=True)
class Report:
    """Metrics of metrics."""

    test: Quality
    classes: Mapping[str, float]


@dataclass(frozen=True)
class Everything:
    """All that JSON can hold by annotation."""

    numbers: tuple[int, ...]
    names: frozenset[str]
    by_layer: dict[int, float]
    colour: Colour
    raw: bytes
    nested: list[tuple[str, float | None]] = field(default_factory=list)


class Point(NamedTuple):
    x: float
    y: float


class Words(TypedDict, total=False):
    text: str
    tokens: list[int]


class Splits(NamedTuple):
    """A composite of two tables and a number."""

    train: pa.Table
    test: pa.Table
    classes: int


@dataclass(frozen=True)
class Batch:
    """A composite of arrays, JSON and a path."""

    x: np.ndarray
    y: np.ndarray
    labels: tuple[str, ...]
    folder: Path | None = None
