"""What training and predicting with a classifier costs by formula, from what its artifact counted: FLOPs.

No step that trains or predicts reaches this: a formula may be mended without changing what a training is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa

from etude import flops
from etude.errors import ConfigError
from etude.flops.model import HeadChoice
from etude.nn.classifier_spec import PROMPTS
from etude.nn.model_types import EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFlops:
    """A classifier as the formulas know it."""

    model: flops.Model
    trainable: tuple[str, ...]

    def step_flops(self, tokens: int) -> int:
        """Forward and backward pass of one row of so many tokens (convention `torch`)."""
        return flops.training(self.model, tokens, trainable=self.trainable).total.issued.torch_flops

    def backbone_flops(self, tokens: int) -> int:
        """The forward pass of one row up to pooling."""
        issued = flops.forward(self.model, tokens).issued
        return issued.torch_flops - issued.head_flops

    def forward_flops(self, tokens: int) -> int:
        """The forward pass of one row."""
        return flops.forward(self.model, tokens).issued.torch_flops


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What some steps of a training went through."""

    examples: int
    tokens: int
    """Without padding."""
    padded_tokens: int
    """With padding."""
    flops: int | None
    """Of forward and backward passes, padding included (convention `torch`); None where no formula is known."""


def work_until(step: int, work: pa.Table, formulas: NetworkFlops | None) -> Work:
    """What the first steps of a training went through."""
    rows = [row for row in work.to_pylist() if row["until_step"] == step]
    once = [row for row in work.to_pylist() if row["until_step"] == EMBEDDED]
    total = None
    if formulas is not None:
        price = cache(lambda tokens: _step_price(formulas, tokens, embedded=bool(once)))
        total = sum(price(row["length"]) * row["rows"] for row in rows)
        total += sum(formulas.backbone_flops(row["length"]) * row["rows"] for row in once)
    return Work(
        examples=sum(row["rows"] for row in rows),
        tokens=sum(row["tokens"] for row in rows),
        padded_tokens=sum(row["length"] * row["rows"] for row in rows),
        flops=total,
    )


def _step_price(formulas: NetworkFlops, tokens: int, *, embedded: bool) -> int:
    step = formulas.step_flops(tokens)
    return step - formulas.backbone_flops(tokens) if embedded else step


def network_flops(network: str) -> NetworkFlops | None:
    """The formulas of a network described by `network_text`; None for what they do not cover."""
    described = json.loads(network)
    if described["tuning"] in PROMPTS:
        return None
    try:
        head, labels = _head(described["head"])
        model = flops.describe(described["config"], head=head, labels=labels, adapter=_adapter(described["adapter"]))
        if model.has_pass_cost:  # the artifact counts rows, not passes
            return None
        formulas = NetworkFlops(model=model, trainable=tuple(described["trainable"]))
        formulas.step_flops(1)
    except ConfigError:
        return None
    return formulas


def _head(described: Mapping[str, Any]) -> tuple[HeadChoice, int | None]:
    if described["own"]:
        return "classification", described["labels"]
    fields = {name: value for name, value in described.items() if name != "own"}
    return flops.PooledHead(**{**fields, "hidden": tuple(described["hidden"])}), None


def _adapter(described: Mapping[str, Any] | None) -> flops.Lora | flops.Ia3 | None:
    if described is None:
        return None
    if "rank" in described:
        return flops.Lora(rank=described["rank"], targets=tuple(described["targets"]))
    return flops.Ia3(targets=tuple(described["targets"]), feedforward=tuple(described["feedforward"]))
