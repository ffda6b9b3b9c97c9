"""What training and predicting go through, counted as they work, with a description of the network.

The artifact keeps both as plain values; FLOPs are reckoned from them afterwards (`work_flops`), so that a change of a
formula does not change what a training or a prediction is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain, count, islice
from typing import Any, TypeAlias

import pyarrow as pa
from torch import nn

from etude.nn.batches import Lengths
from etude.nn.classifier import Classifier
from etude.nn.classifier_spec import LOW_RANK, TuningMethod
from etude.nn.model_types import EMBEDDED
from etude.nn.peft_adapters import AdaptedBackbone

Plan: TypeAlias = Callable[[int], list[list[int]]]
"""Epoch → its batches."""
_OF_ITS_MAKING = ("_name_or_path", "transformers_version")
"""Keys of a config that say where and with what it was made."""
WORK = pa.schema([("until_step", pa.int64()), ("length", pa.int64()), ("rows", pa.int64()), ("tokens", pa.int64())])
"""Rows that went through the network until a step, by the length they were padded to, and their own tokens."""


def work_table(plan: Plan, lengths: Lengths, steps: Iterable[int], embedded: list[list[int]] | None = None) -> pa.Table:
    """What training went through until each of some steps, as `WORK`.

    Args:
        plan: Its batches.
        lengths: Tokens of each training text.
        steps: The steps.
        embedded: The batches in which a frozen backbone computed each text once before the first step, where it did.
    """
    parts = [_counted(EMBEDDED, embedded, lengths)] if embedded is not None else []
    parts += [
        _counted(step, islice(chain.from_iterable(map(plan, count())), step), lengths) for step in sorted({*steps})
    ]
    return pa.Table.from_pylist([row for part in parts for row in part], schema=WORK)


def _counted(step: int, batches: Iterable[list[int]], lengths: Lengths) -> list[dict[str, int]]:
    rows, tokens = Counter[int](), Counter[int]()
    for batch in batches:
        longest = int(lengths[batch].max())
        rows[longest] += len(batch)
        tokens[longest] += int(lengths[batch].sum())
    return [
        {"until_step": step, "length": length, "rows": passed, "tokens": tokens[length]}
        for length, passed in sorted(rows.items())
    ]


def network_json(classifier: Classifier, classes: int) -> str:
    """A classifier of so many classes as JSON text: `config`, `head`, `adapter`, `tuning` and `trainable`."""
    config = json.loads(classifier.network.config.to_json_string(use_diff=False))
    config = {name: value for name, value in config.items() if name not in _OF_ITS_MAKING}
    method = classifier.spec.tuning.method
    described = {
        "config": config,
        "head": _head(classifier, classes),
        "adapter": _adapter(classifier),
        "tuning": method,
        "trainable": _trainable(method),
    }
    return json.dumps(described, sort_keys=True)


def _head(classifier: Classifier, classes: int) -> dict[str, Any]:
    """The head: the architecture's own, or what stands on the pooled states."""
    spec = classifier.spec
    if spec.head.kind == "default" and classifier.pooling is None:
        return {"own": True, "labels": classes}
    linear = classifier.projection if isinstance(classifier.projection, nn.Linear) else None
    hidden = [spec.head.hidden or classifier.pooling.width] if spec.head.kind == "mlp" and classifier.pooling else []
    return {
        "own": False,
        "labels": classes,
        "pooling": spec.pooling or "last",
        "hidden": hidden,
        "bias": spec.head.bias if linear is None else linear.bias is not None,
        "queries": spec.pooling_heads,
        "mixed_layers": len(classifier.mix.weight) if classifier.mix is not None else 0,
        "spectral": classifier.filter is not None,
    }


def _adapter(classifier: Classifier) -> dict[str, Any] | None:
    if not isinstance(classifier.backbone, AdaptedBackbone):
        return None
    config = classifier.backbone.peft.active_peft_config
    if classifier.spec.tuning.method in LOW_RANK:
        return {"rank": config.r, "targets": sorted(config.target_modules)}
    feedforward = sorted(getattr(config, "feedforward_modules", None) or ())
    return {"targets": sorted(getattr(config, "target_modules", None) or ()), "feedforward": feedforward}


def _trainable(method: TuningMethod) -> list[str]:
    match method:
        case "full":
            return ["all"]
        case "probe":
            return ["head"]
        case "bitfit":
            return ["bias", "head"]
        case "layernorm":
            return ["norm", "head"]
        case _:
            return ["adapter", "head"]
