"""What training and predicting with a classifier costs by formula: examples, tokens, FLOPs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import chain, count, islice
from typing import TypeAlias

from torch import nn

from etude import flops
from etude.errors import ConfigError
from etude.flops.model import HeadChoice
from etude.nn.adapters import Adapted
from etude.nn.batches import Lengths
from etude.nn.classifier import Classifier
from etude.nn.classifier_spec import LOW_RANK, PROMPTS, TuningMethod

Plan: TypeAlias = Callable[[int], list[list[int]]]
"""Epoch → its batches."""


@dataclass(frozen=True, slots=True)
class Work:
    """What some steps of a training went through."""

    examples: int
    tokens: int
    """Without padding."""
    padded_tokens: int
    """With padding."""
    flops: int | None
    """Of forward and backward passes, padding included (convention `torch`); None where no formula is known."""


@dataclass(frozen=True, slots=True)
class Costed:
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


def costed(classifier: Classifier, classes: int) -> Costed | None:
    """The formulas of a classifier of so many classes; None for an architecture or a method that they do not cover."""
    if classifier.spec.tuning.method in PROMPTS:
        return None
    try:
        head, labels = _head(classifier, classes)
        config = classifier.network.config.to_dict()
        found = Costed(
            flops.describe(config, head=head, labels=labels, adapter=_adapter(classifier)),
            _trainable(classifier.spec.tuning.method),
        )
        found.step_flops(1)
    except ConfigError:
        return None
    return found


def work_done(
    plan: Plan, lengths: Lengths, steps: int, formulas: Costed | None, embedded: list[list[int]] | None = None
) -> Work:
    """What the first steps of a training went through, batch after batch of its plan.

    Where the backbone computed each row once before the first step, `embedded` has the batches of that.
    """
    examples = tokens = padded = total = 0
    price = cache(_step_price(formulas, embedded is not None)) if formulas is not None else None
    if formulas is not None and embedded is not None:
        total = sum(formulas.backbone_flops(int(lengths[batch].max())) * len(batch) for batch in embedded)
    for batch in islice(chain.from_iterable(map(plan, count())), steps):
        longest = int(lengths[batch].max())
        examples += len(batch)
        tokens += int(lengths[batch].sum())
        padded += longest * len(batch)
        total += price(longest) * len(batch) if price is not None else 0
    return Work(examples, tokens, padded, None if formulas is None else total)


def _step_price(formulas: Costed, embedded: bool) -> Callable[[int], int]:
    if not embedded:
        return formulas.step_flops
    return lambda tokens: formulas.step_flops(tokens) - formulas.backbone_flops(tokens)


def _head(classifier: Classifier, classes: int) -> tuple[HeadChoice, int | None]:
    """The head as the formulas take it, and the classes where they must be told."""
    spec = classifier.spec
    if spec.head.kind == "default" and classifier.pooling is None:
        return "classification", classes
    linear = classifier.projection if isinstance(classifier.projection, nn.Linear) else None
    hidden = (spec.head.hidden or classifier.pooling.width,) if spec.head.kind == "mlp" and classifier.pooling else ()
    return (
        flops.PooledHead(
            labels=classes,
            pooling=spec.pooling or "last",
            hidden=hidden,
            bias=spec.head.bias if linear is None else linear.bias is not None,
            queries=spec.pooling_heads,
            mixed_layers=len(classifier.mix.weight) if classifier.mix is not None else 0,
            spectral=classifier.filter is not None,
        ),
        None,
    )


def _adapter(classifier: Classifier) -> flops.Lora | flops.Ia3 | None:
    if not isinstance(classifier.backbone, Adapted):
        return None
    config = classifier.backbone.peft.active_peft_config
    targets = tuple(sorted(config.target_modules))
    if classifier.spec.tuning.method in LOW_RANK:
        return flops.Lora(rank=config.r, targets=targets)
    return flops.Ia3(targets=targets, feedforward=tuple(sorted(config.feedforward_modules)))


def _trainable(method: TuningMethod) -> tuple[str, ...]:
    match method:
        case "full":
            return ("all",)
        case "probe":
            return ("head",)
        case "bitfit":
            return ("bias", "head")
        case "layernorm":
            return ("norm", "head")
        case _:
            return ("adapter", "head")
