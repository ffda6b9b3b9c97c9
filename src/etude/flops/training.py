"""What training on a batch costs: the forward pass, and as much of a backward pass as the trained parameters need."""

from __future__ import annotations

from etude.flops.cost import TrainingCost
from etude.flops.forward import Lengths, batch_passes, price
from etude.flops.model import Model, backward_of
from etude.flops.trained import Trainable


def training(
    model: Model,
    tokens: Lengths,
    *,
    trainable: Trainable,
    target: Lengths | None = None,
    batch: int = 1,
    padded_to: int | None = None,
) -> TrainingCost:
    """What one training step on a batch costs. For a run, add the costs of its batches and multiply by the epochs.

    Args:
        model: The model, from `describe`, with its head and adapter.
        tokens: Tokens of each sample; of the source for an encoder-decoder.
        trainable: What is trained: `all`, `adapter`, `head`, `bias`, `norm`, patterns over parameter names, or a tuple
            of these. Where weights are frozen, the gradient of a weight is not computed; where nothing below a layer is
            trained, nor is the gradient of its input.
        target: Encoder-decoders: tokens that the decoder reads.
        batch: How many times the batch holds these samples.
        padded_to: Length that every sample is padded to; the longest of the batch where it is left out.

    Raises:
        ConfigError: A senseless length; a word or pattern in `trainable` that matches nothing.

    The optimiser's own arithmetic is not counted: it has no matrix product.
    """
    passes = batch_passes(model, tokens, target, 0, padded_to, "all")
    return TrainingCost(
        forward=price(model.forward, *passes, batch=batch),
        backward=price(backward_of(model, trainable), *passes, batch=batch),
    )
