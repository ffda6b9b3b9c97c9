"""Whether an architecture lets padding into the states of a text, found out by trying."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from etude.errors import StepError
from etude.nn.classifier import Classifier
from etude.nn.padding import pad

TOLERANCE = 0.02
"""Of the largest logit: far beyond rounding even in bfloat16, far below what a leak does."""


def require_blind_to_padding(classifier: Classifier, short: Sequence[int], long: Sequence[int]) -> None:
    """Predict a short text alone and beside a long one; leave the classifier in the mode it was in.

    Some architectures mix neighbouring tokens by convolutions that read no mask: what they predict is the batch's too.

    Raises:
        StepError: The logits of the short text are not the same. Nothing is checked under the `legacy` filter, for
            which it is known.
    """
    spectral = classifier.spec.spectral
    if (spectral is not None and spectral.kind == "legacy") or len(long) <= len(short):
        return
    training = classifier.training
    classifier.eval()
    try:
        with torch.inference_mode():
            alone = classifier(*pad([short], classifier.pad_id)).float()
            beside = classifier(*pad([short, long], classifier.pad_id)).float()[:1]
    finally:
        classifier.train(training)
    if (alone - beside).abs().max() > TOLERANCE * alone.abs().max():
        raise StepError(
            f"{classifier.network.config.model_type} lets padding into the states of a text: what it predicts would "
            "depend on the batch.\n    Mend: another architecture."
        )
