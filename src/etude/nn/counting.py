"""How many numbers a classifier has in its parts, and how many of them are trained."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from etude.nn.adapters import Adapted
from etude.nn.classifier import Classifier
from etude.nn.counts import Counts


def counted(classifier: Classifier) -> Counts:
    """Count the parts of a classifier."""
    added: set[int] = set()
    targets: tuple[str, ...] = ()
    if isinstance(classifier.backbone, Adapted):
        # The library freezes all that was there before.
        added = {id(each) for each in classifier.backbone.parameters() if each.requires_grad}
        targets = tuple(sorted(getattr(classifier.backbone.peft.active_peft_config, "target_modules", None) or ()))
    backbone = {id(each): each for each in classifier.backbone.parameters()}
    own = [each for place, each in backbone.items() if place not in added]
    rest = [each for each in classifier.parameters() if id(each) not in backbone]
    return Counts(
        backbone=_size(own),
        backbone_trained=_size(each for each in own if each.requires_grad),
        adapter=_size(each for place, each in backbone.items() if place in added),
        head=_size(rest),
        targets=targets,
    )


def _size(parameters: Iterable[nn.Parameter]) -> int:
    return sum(each.numel() for each in parameters)
