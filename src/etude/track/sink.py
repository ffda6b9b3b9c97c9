"""The seam to a tracker: something that takes runs, each a variant of a study or the study as a whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

SHOWN = 500
"""Characters of a value that every version of every tracker takes; longer ones go whole into a file."""
LONG_VALUES = "long_values.json"
NOTE = "etude.json"
"""File of a run that a tracker keeps in a folder: the digest of what it was told."""

Plain: TypeAlias = str | int | float | bool | None


class MetricCurve(NamedTuple):
    """A number over the steps of training."""

    name: str
    """Dotted: the node, the item of its result if it has items, the column."""
    axis: str
    """`step` or `epoch`."""
    points: tuple[tuple[int, float], ...]
    """In order of the axis, finite values alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerRun:
    """One run as trackers know runs."""

    key: str
    """64 hexadecimal digits: equal for the same variant of the same results, so that it is never told twice."""
    name: str
    study: str
    whole: bool = False
    """Whether this is the study as a whole, with its tables and figures, rather than one variant."""
    parent: str = ""
    """For a variant, the key of its study's own run."""
    error: str = ""
    """What went wrong; empty where nothing did."""
    params: Mapping[str, Plain] = field(default_factory=dict)
    """The variant's params, and each node's settings as `node.setting`."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Finite numbers: metrics as `node.metric`, costs as `node.cost.wall_s`."""
    curves: tuple[MetricCurve, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    """File name → content, for files made for the tracker."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """File name, with slashes → where it is."""
    started_s: float = 0.0
    """Seconds since the epoch."""
    ended_s: float = 0.0

    @property
    def digest(self) -> str:
        """Equal where there is nothing new to tell."""
        sizes = {name: _stamp(path) for name, path in self.files.items()}
        content = [self.name, self.study, self.error, self.ended_s, sizes]
        content += [dict(self.params), dict(self.metrics), self.curves, dict(self.tags), dict(self.texts)]
        return sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "absent"


class Sink(Protocol):
    """Takes runs to one tracker. Used by one thread alone; may fail in any way, and may take its time."""

    @property
    def name(self) -> str:
        """The tracker's name: `mlflow`."""
        ...

    @property
    def place(self) -> str:
        """Where the runs go, for people; without secrets."""
        ...

    def send(self, run: TrackerRun) -> bool:
        """Tell of a run: a new one is made, a known one is brought up to date.

        Returns:
            False where the tracker knew all of it already.
        """
        ...

    def close(self) -> None:
        """Let go of the tracker."""
        ...


def shorten(values: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Values that fit everywhere, and the long ones in full, which are cut in the first."""
    long = {name: text for name, text in values.items() if len(text) > SHOWN}
    tail = f"… ({LONG_VALUES})"
    return {name: text[: SHOWN - len(tail)] + tail if name in long else text for name, text in values.items()}, long


def digest_in(folder: Path) -> str | None:
    """The digest of what a tracker was told of the run in a folder; None where nothing says so."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((folder / NOTE).read_text(encoding="utf-8"))["digest"])
    return None
