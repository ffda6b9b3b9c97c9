"""Text classification as steps: load, split, tokenize, train, predict, evaluate, and the baselines to beat."""

from __future__ import annotations

from etude.text.steps.data import (
    add_noise,
    describe,
    duplicates,
    few_shot,
    hub,
    label_statistics,
    load,
    perturb,
    read,
    split,
)
from etude.text.steps.data import known_data_set as known
from etude.text.steps.evaluation import (
    bag_of_words,
    confusion,
    evaluate,
    evaluate_labels,
    majority,
    out_of_scope,
    out_of_scope_curve,
    quality,
    reliability,
    robustness,
)
from etude.text.steps.models import (
    backbone,
    finetune,
    model_summary,
    token_summary,
    tokenize,
    tokenize_for,
    train,
    training_summary,
)
from etude.text.steps.predictions import (
    efficiency,
    latencies,
    latency,
    predict,
    prediction_summary,
)

__all__ = [
    "add_noise",
    "backbone",
    "bag_of_words",
    "confusion",
    "describe",
    "duplicates",
    "efficiency",
    "evaluate",
    "evaluate_labels",
    "few_shot",
    "finetune",
    "hub",
    "known",
    "label_statistics",
    "latencies",
    "latency",
    "load",
    "majority",
    "model_summary",
    "out_of_scope",
    "out_of_scope_curve",
    "perturb",
    "predict",
    "prediction_summary",
    "quality",
    "read",
    "reliability",
    "robustness",
    "split",
    "token_summary",
    "tokenize",
    "tokenize_for",
    "train",
    "training_summary",
]
