"""The short way: a config and some lengths in, a cost out."""

from __future__ import annotations

from typing import Literal

from etude.errors import ConfigError, Fault, require
from etude.flops.adapters import Adapter
from etude.flops.architecture.fields import ConfigSource, read_config
from etude.flops.architecture.table import described_types, model_type_of
from etude.flops.cost import Cost
from etude.flops.counted import count
from etude.flops.forward import Lengths, forward
from etude.flops.heads import PooledHead
from etude.flops.model import HeadChoice, describe
from etude.flops.trained import Trainable
from etude.flops.training import training

Unknown = Literal["refuse", "count"]


def model_cost(
    config: ConfigSource,
    *,
    tokens: Lengths,
    target: Lengths | None = None,
    batch: int = 1,
    head: HeadChoice = "auto",
    labels: int | None = None,
    adapter: Adapter | None = None,
    trainable: Trainable | None = None,
    unknown: Unknown = "refuse",
) -> Cost:
    """What one batch costs: a forward pass, or a training step where something is trained.

    For many batches, `describe` the model once and use `forward`, `training` and `generation`.

    Args:
        config: A mapping, a config object of transformers, or the path of a `config.json` or its folder.
        tokens: Tokens of each sample; of the source for an encoder-decoder.
        target: Encoder-decoders: tokens that the decoder reads.
        batch: How many times the batch holds these samples.
        head: What stands on the backbone.
        labels: Classes of a classification head.
        adapter: LoRA or IA3, unmerged.
        trainable: What is trained; None for a forward pass alone.
        unknown: What to do about an architecture that is not described: refuse it by name, or `count` it with torch
            and transformers. `Flops.method` says which it was.

    Raises:
        ConfigError: What `describe`, `forward`, `training` and `count` raise.
    """
    kind = model_type_of(values := read_config(config))
    if kind in described_types() or unknown == "refuse":
        model = describe(values, head=head, labels=labels, adapter=adapter)
        if trainable is None:
            return forward(model, tokens, target=target, batch=batch)
        return training(model, tokens, target=target, batch=batch, trainable=trainable).total
    require(adapter is None, "adapter", adapter, "none: an architecture that is not described is counted as it is")
    require(trainable in (None, "all"), "trainable", trainable, "None or all: the rest is not counted")
    if isinstance(head, PooledHead):
        raise ConfigError([Fault(path="head", value=head, reason="a pooled head is not counted")])
    cost = count(values, tokens, head=head, labels=labels, target=target, batch=batch, backward=trainable is not None)
    return cost.forward if trainable is None else cost.total
