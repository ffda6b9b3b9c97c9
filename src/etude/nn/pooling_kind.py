"""The names of the poolings, where a step's annotation can read them without torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

PoolingKind: TypeAlias = Literal["cls", "first", "last", "mean", "max", "attention", "weighted_mean", "mean_max"]
