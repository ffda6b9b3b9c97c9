"""Heads: those of a config, and pooled ones against the same modules in torch."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError
from etude.flops.work import filter_operations


class Pooled(nn.Module):
    """A backbone of transformers under a pooled head made of plain torch modules."""

    def __init__(self, backbone: nn.Module, head: flops.PooledHead, width: int) -> None:
        super().__init__()
        self.backbone, self.pooling = backbone, head.pooling
        self.scorer = nn.Linear(width, head.scorer, head.scorer_bias) if head.scorer else nn.Identity()
        self.score = nn.Linear(head.scorer or width, head.queries, head.scorer_bias)
        wide = width * {"attention": head.queries, "mean_max": 2}.get(head.pooling, 1)
        widths = (wide, *head.hidden, head.labels)
        self.layers = nn.ModuleList(nn.Linear(a, b, head.bias) for a, b in pairwise(widths))

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        states = self.backbone(**inputs).last_hidden_state
        vector = self.pool(states)
        for layer in self.layers:
            vector = layer(vector)
        return vector

    def pool(self, states: torch.Tensor) -> torch.Tensor:
        match self.pooling:
            case "attention":
                weights = self.score(torch.tanh(self.scorer(states))).softmax(1)
                return (weights.transpose(1, 2) @ states).flatten(1)
            case "mean_max":
                return torch.cat((states.mean(1), states.amax(1)), -1)
            case "mean":
                return states.mean(1)
            case "max":
                return states.amax(1)
            case _:
                return states[:, -1]


POOLED = [
    flops.PooledHead(labels=5),
    flops.PooledHead(labels=5, pooling="last", hidden=(32, 16)),
    flops.PooledHead(labels=5, pooling="mean_max", bias=False),
    flops.PooledHead(labels=5, pooling="max", hidden=(7,)),
    flops.PooledHead(labels=5, pooling="attention"),
    flops.PooledHead(labels=5, pooling="attention", queries=3, scorer=20, scorer_bias=True, hidden=(32,)),
]


@pytest.mark.parametrize("name", ["llama", "distilbert", "modernbert"])
@pytest.mark.parametrize("head", POOLED, ids=lambda head: f"{head.pooling} {len(head.hidden)}")
def test_pooled_heads_cost_what_torch_counts(name: str, head: flops.PooledHead) -> None:
    config = oracle.config(name)
    with torch.device("meta"):
        theirs = Pooled(oracle.build(config, "none"), head, width=48)
        ids = torch.ones((3, 9), dtype=torch.long)
    ours = flops.describe(config, head=head)
    unused = () if head.pooling == "attention" else ("scor",)
    expected = sum(p.numel() for n, p in theirs.named_parameters() if not n.startswith(unused))
    assert ours.parameter_count == expected
    for trainable, prefix in (("all", ""), ("head", ("layers", "scor"))):
        for key, parameter in theirs.named_parameters():
            parameter.requires_grad_(key.startswith(prefix))
        with oracle.counting() as so_far:
            theirs(input_ids=ids).sum().backward()
        assert flops.training(ours, 9, batch=3, trainable=trainable).total.issued.torch_flops == so_far()


def test_the_pooler_of_the_backbone_runs_only_where_asked() -> None:
    config = oracle.config("bert")
    without, with_it = (
        flops.describe(config, head=flops.PooledHead(labels=2, pooling="cls", pooler=runs)) for runs in (False, True)
    )
    assert flops.forward(with_it, 9).useful.dense_flops - flops.forward(without, 9).useful.dense_flops == 2 * 48 * 48
    backward = [flops.training(model, 9, trainable="all").backward.useful for model in (without, with_it)]
    assert backward[0] == backward[1]


def test_the_head_follows_what_the_config_says() -> None:
    config = oracle.config("llama").to_dict()
    heads = {
        named: flops.describe({**config, "architectures": [named]}).head
        for named in ("LlamaForCausalLM", "LlamaForSequenceClassification", "LlamaModel")
    }
    assert list(heads.values()) == ["language", "classification", "none"]


def test_without_a_word_a_decoder_has_a_language_head_and_an_encoder_none() -> None:
    assert [flops.describe(oracle.config(name)).head for name in ("llama", "t5", "bert")] == [
        "language",
        "language",
        "none",
    ]


def test_a_class_whose_head_is_not_described_is_named() -> None:
    config = {**oracle.config("llama").to_dict(), "architectures": ["LlamaForQuestionAnswering"]}
    with pytest.raises(ConfigError, match=r"(?s)LlamaForQuestionAnswering.*head="):
        flops.describe(config)


def test_labels_may_be_counted_from_the_names_of_the_classes() -> None:
    config = {key: value for key, value in oracle.config("llama").to_dict().items() if key != "num_labels"}
    named = {**config, "id2label": {str(index): f"class {index}" for index in range(77)}}
    assert flops.describe(named, head="classification").parameters["score.weight"].shape == (77, 48)
    assert flops.describe(named, head="classification", labels=4).parameters["score.weight"].shape == (4, 48)


@given(st.integers(1, 4096))
def test_a_filter_costs_two_real_transforms_and_a_product(length: int) -> None:
    transforms = 5 * length * math.log2(length)
    assert filter_operations(length) == round(transforms) + 2 * (length // 2 + 1)


def test_a_spectral_filter_is_told_apart_from_both_totals() -> None:
    config = oracle.config("llama")
    plain = flops.describe(config, head=flops.PooledHead(labels=3))
    filtered = flops.describe(config, head=flops.PooledHead(labels=3, spectral=True))
    useful = flops.forward(filtered, [8, 16]).useful
    assert useful.torch_flops == flops.forward(plain, [8, 16]).useful.torch_flops
    assert useful.spectral_flops == 48 * (5 * 8 * 3 + 2 * 5 + 5 * 16 * 4 + 2 * 9)


def test_the_gradient_passes_a_spectral_filter_only_where_something_before_it_is_trained() -> None:
    model = flops.describe(oracle.config("llama"), head=flops.PooledHead(labels=3, spectral=True))
    whole, head = (flops.training(model, 16, trainable=choice).backward.useful for choice in ("all", "head"))
    assert whole.spectral_flops == flops.forward(model, 16).useful.spectral_flops
    assert head.spectral_flops == 0


@pytest.mark.parametrize("pooling", ["cls", "first", "mean", "max", "last", "attention", "weighted_mean", "mean_max"])
def test_the_classifier_of_this_package_costs_what_torch_counts(pooling: Any) -> None:
    pytest.importorskip("torch")
    from etude.nn.classifier import Classifier
    from etude.nn.classifier_spec import ClassifierSpec

    config = oracle.config("llama")
    theirs = Classifier(oracle.build(config, "none", device="cpu"), ClassifierSpec(pooling=pooling), 5, pad_id=0)
    ours = flops.describe(config, head=flops.PooledHead(labels=5, pooling=pooling))
    assert ours.parameter_count == sum(parameter.numel() for parameter in theirs.parameters())
    mask = torch.ones((3, 9), dtype=torch.long)
    mask[1, 6:] = 0
    with oracle.counting() as so_far:
        theirs(torch.full((3, 9), 5), mask).sum().backward()
    assert flops.training(ours, [9, 6, 9], trainable="all").total.issued.torch_flops == so_far()


def test_labels_are_said_once() -> None:
    with pytest.raises(ConfigError, match="labels"):
        flops.describe(oracle.config("llama"), head=flops.PooledHead(labels=5), labels=7)


@pytest.mark.parametrize("wrong", [{"labels": 0}, {"labels": 2, "hidden": (0,)}, {"labels": 2, "queries": 0}])
def test_a_senseless_head_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"head\."):
        flops.PooledHead(**wrong)  # type: ignore[arg-type]
