"""Heads on the last hidden state: those of transformers, and pooled heads that a spectral filter may precede."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from etude.errors import require
from etude.flops.architecture import blueprint
from etude.flops.lowering import POOLED, STREAM, Site, dense, path
from etude.flops.operations import Op, Parameter, Part, Per, Product, Role

OUTPUT = "output"
"""The wire that the loss is computed from."""

Pooling = Literal["first", "cls", "last", "mean", "max", "weighted_mean", "mean_max", "attention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledHead:
    """A classification head of one's own: pool the token states to one vector, then linear layers on that."""

    labels: int
    pooling: Pooling = "mean"
    hidden: tuple[int, ...] = ()
    """Widths of the layers before the last; empty for a linear head."""
    bias: bool = True
    queries: int = 1
    """Attention pooling: how many weighted means are taken (and concatenated)."""
    scorer: int | None = None
    """Attention pooling: width of a layer between the states and their scores; None where there is none."""
    scorer_bias: bool = False
    """Attention pooling: whether the layers that score have biases."""
    mixed_layers: int = 0
    """Hidden states of this many layers are mixed with learned weights before pooling; 0 for the last alone."""
    spectral: bool = False
    """The states pass a filter in the frequency domain, along the sequence, before they are pooled."""
    pooler: bool = False
    """The backbone's own pooler runs as well, as it does in `AutoModel`, though nothing reads it."""

    def __post_init__(self) -> None:
        require(self.labels >= 1, "head.labels", self.labels, "1 or more")
        require(all(width >= 1 for width in self.hidden), "head.hidden", self.hidden, "widths of 1 or more")
        require(self.queries >= 1, "head.queries", self.queries, "1 or more")
        require(self.mixed_layers >= 0, "head.mixed_layers", self.mixed_layers, "0 or more")


def head_ops(head: blueprint.Head | PooledHead | None, width: int, backbone: str) -> Iterator[Op]:
    """The operations from the last hidden state to what the loss is computed from.

    Args:
        head: None where the last hidden state itself is wanted.
        width: Size of the hidden state.
        backbone: What the names of the backbone's parameters begin with, for tied weights.
    """
    if head is None:
        yield Op((STREAM,), OUTPUT)
    elif isinstance(head, PooledHead):
        yield from _pooled(head, width)
    else:
        per = {"scored": Per.SCORED, "token": Per.TOKEN, "sequence": Per.SEQUENCE}[head.per]
        source = POOLED if head.pooled else STREAM
        for module in head.path:
            place = Site(
                prefix="",
                per=per,
                part=Part.HEAD,
                role=Role.HEAD,
                backbone=backbone,
                adaptable=_adaptable(head, module),
            )
            yield from path((module,), source, OUTPUT, place)
            source = OUTPUT


def _adaptable(head: blueprint.Head, module: blueprint.Dense | blueprint.Norm) -> bool:
    """As `peft` has it: not what gives the logits of a vocabulary, nor what it saves whole (`score`, `classifier`)."""
    output = head.per == "scored" and module is head.path[-1]
    return not output and module.name.split(".")[0] not in ("score", "classifier")


def _pooled(head: PooledHead, width: int) -> Iterator[Op]:
    if head.mixed_layers:
        yield Op((STREAM,), STREAM, (Parameter("head.mix", (head.mixed_layers,), Role.OTHER),))
    if head.spectral:
        yield Op((STREAM,), STREAM, product=Product(STREAM, "", width, Per.SPECTRUM, Part.SPECTRAL), moved=2 * width)
    yield Op((STREAM,), "vector")
    if head.pooling == "attention":
        yield from _attention_pooling(head, width)
        width *= head.queries
    elif head.pooling == "mean_max":
        width *= 2
    place = Site(prefix="head.", per=Per.SEQUENCE, part=Part.HEAD, role=Role.HEAD, adaptable=False)
    widths = (width, *head.hidden, head.labels)
    for index, (d_in, d_out) in enumerate(pairwise(widths)):
        last = index == len(head.hidden)
        layer = blueprint.Dense("out" if last else f"hidden.{index}", d_in, d_out, head.bias)
        yield dense(layer, "vector", OUTPUT if last else "vector", place)


def _attention_pooling(head: PooledHead, width: int) -> Iterator[Op]:
    place = Site(prefix="head.pool.", per=Per.TOKEN, part=Part.HEAD, role=Role.HEAD, adaptable=False)
    source = STREAM
    if head.scorer is not None:
        yield dense(blueprint.Dense("hidden", width, head.scorer, head.scorer_bias), STREAM, "scored", place)
        source = "scored"
    d_in = head.scorer or width
    yield dense(blueprint.Dense("score", d_in, head.queries, head.scorer_bias), source, "scores", place)
    mixing = Product("scores", STREAM, 2 * head.queries * width, Per.TOKEN, Part.HEAD)
    yield Op(("scores", STREAM), "vector", product=mixing, moved=head.queries + width)
