"""The names of the poolings, where a step's annotation can read them without torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

PoolingKind: TypeAlias = Literal["mean", "max", "attention", "last"]
