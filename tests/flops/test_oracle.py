"""Every described architecture against FlopCounterMode on the same small model: equal to the last unit, or wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

import flops_oracle as oracle
from etude.flops.architecture.table import ARCHITECTURES
from etude.flops.forward import forward
from etude.flops.model import Model, describe
from etude.flops.training import training

SHAPES = [pytest.param(3, 11), pytest.param(1, 7, marks=pytest.mark.slow), pytest.param(2, 4, marks=pytest.mark.slow)]
"""Batch and tokens, above and below the windows of the small configs."""


QUICK = {
    "llama",
    "gemma2",
    "mixtral",
    "deepseek_v3",
    "gpt2",
    "falcon",
    "bert",
    "modernbert",
    "t5",
    "bart",
    "mistral window",
    "llama4_text",
}
"""What the fast tests freeze and decode; the slow ones take every case."""


def quickly(quick: Callable[[str, str], bool]) -> list[Any]:
    """All cases, the others than quick ones among the slow tests."""
    return [pytest.param(*case, marks=() if quick(*case) else pytest.mark.slow) for case in oracle.CASES]


def first_of_its_kind(name: str, head: str) -> bool:
    """The first small config of each architecture, with the head that it is used with most."""
    kind = oracle.CONFIGS[name][0]
    usual = "classification" if oracle.is_encoder(oracle.config(name)) else "language"
    return head == usual and name == next(key for key, (other, _) in oracle.CONFIGS.items() if other == kind)


def described(name: str, head: str) -> Model:
    return describe(oracle.config(name).to_dict(), head=head, labels=oracle.LABELS)


def targets(name: str, head: str, batch: int) -> list[int] | None:
    target = oracle.target_of(oracle.config(name), head)
    return None if target is None else [target] * batch


def test_every_architecture_is_among_the_cases() -> None:
    assert {kind for kind, _ in oracle.CONFIGS.values()} == set(ARCHITECTURES)


@pytest.mark.parametrize(("name", "head"), oracle.CASES)
def test_parameters_are_those_of_the_model(name: str, head: str) -> None:
    model = oracle.build(oracle.config(name), head)
    theirs = {key: parameter.numel() for key, parameter in model.named_parameters()}
    ours = {key: parameter.size for key, parameter in described(name, head).parameters.items()}
    if "lm_head.decoder.weight" in theirs:  # the same tensor, found under its other name first
        theirs["roberta.embeddings.word_embeddings.weight"] = theirs.pop("lm_head.decoder.weight")
    assert ours == theirs


@pytest.mark.parametrize(("batch", "tokens"), SHAPES)
@pytest.mark.parametrize(("name", "head"), quickly(first_of_its_kind))
def test_forward_and_backward_are_what_torch_counts(name: str, head: str, batch: int, tokens: int) -> None:
    config = oracle.config(name)
    model, ours = oracle.build(config, head), described(name, head)
    counted = oracle.forward_and_backward(model, config, batch, tokens, oracle.target_of(config, head))
    cost = training(ours, [tokens] * batch, target=targets(name, head, batch), trainable="all")
    assert (cost.forward.issued.torch_flops, cost.backward.issued.torch_flops) == counted


@pytest.mark.parametrize(("name", "head"), quickly(lambda name, head: name in QUICK and first_of_its_kind(name, head)))
def test_freezing_any_parameters_costs_what_torch_counts(name: str, head: str) -> None:
    config, chance = oracle.config(name), random.Random(f"{name} {head}")
    model, ours = oracle.build(config, head), described(name, head)
    names = sorted(key for key, parameter in ours.parameters.items() if not parameter.frozen)
    theirs = dict(model.named_parameters())
    for count in (1, 3):
        trained = tuple(chance.sample(names, count))
        for key, parameter in theirs.items():
            known = "roberta.embeddings.word_embeddings.weight" if key == "lm_head.decoder.weight" else key
            parameter.requires_grad_(known in trained)
        counted = oracle.forward_and_backward(model, config, 2, 6, oracle.target_of(config, head))
        cost = training(ours, [6, 6], target=targets(name, head, 2), trainable=trained)
        assert (cost.forward.issued.torch_flops, cost.backward.issued.torch_flops) == counted, trained


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in oracle.CONFIGS]
)
def test_exact_attention_counts_the_pairs_that_get_a_weight(name: str) -> None:
    """The masks of the real model are the source: what is masked gets a weight of exactly 0."""
    config = oracle.config(name)
    head = "none" if oracle.is_encoder(config) else "language"
    model, target = oracle.build(config, head, device="cpu").eval(), oracle.target_of(config, head)
    with torch.no_grad():
        output = oracle.run(model, config, 2, 11, target, output_attentions=True)
    kinds = ("attentions", "encoder_attentions", "decoder_attentions", "cross_attentions")
    maps = [weights for kind in kinds for weights in getattr(output, kind, None) or ()]
    weighted = sum(int((weights > 0).sum()) // weights.shape[1] for weights in maps)
    rectangle = sum(weights[:, 0].numel() for weights in maps)
    cost = forward(described(name, head), [11, 11], target=targets(name, head, 2)).useful
    assert cost.attention_exact_flops * rectangle == cost.attention_torch_flops * weighted


def decoders() -> list[Any]:
    """Decoders that generate, the others than quick ones among the slow tests."""
    names = [name for name, head in oracle.CASES if head == "language" and "bidirectional" not in name]
    alone = [name for name in names if not oracle.is_encoder(oracle.config(name))]
    return [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in alone
        if not oracle.config(name).is_encoder_decoder
    ]


@pytest.mark.parametrize("name", decoders())
def test_steps_with_a_cache_are_what_torch_counts(name: str) -> None:
    config = oracle.config(name)
    model, ours = oracle.build(config, "language"), described(name, "language")
    past = oracle.run(model, config, 2, 9).past_key_values
    kept = 9
    for new in (1, 1, 4, 1):
        with oracle.counting() as so_far:
            oracle.run(model, config, 2, new, past_key_values=past, logits_to_keep=1)
        cost = forward(ours, new, batch=2, cached=kept, logits="last")
        assert cost.issued.torch_flops == so_far()
        kept += new
