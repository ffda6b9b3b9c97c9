"""What a tracker is told: one variant of a study, or the study as a whole, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TypeAlias

Plain: TypeAlias = str | int | float | bool | None


class Curve(NamedTuple):
    """A number over the steps of training."""

    name: str
    """Dotted: the node, the item of its result if it has items, the column."""
    axis: str
    """`step` or `epoch`."""
    points: tuple[tuple[int, float], ...]
    """In order of the axis, finite values alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
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
    curves: tuple[Curve, ...] = ()
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
        said = [self.name, self.study, self.error, self.ended_s, sizes]
        said += [dict(self.params), dict(self.metrics), self.curves, dict(self.tags), dict(self.texts)]
        return sha256(json.dumps(said, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "absent"
