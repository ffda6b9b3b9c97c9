"""Linear attention in chunks, below, at and above their size, against FlopCounterMode."""

from __future__ import annotations

import random

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import flops_oracle as oracle
from etude import flops

NAME = "qwen3_next"
CONFIG = oracle.config(NAME)
OURS = flops.describe(CONFIG.to_dict(), head="language")


@pytest.mark.parametrize(("batch", "tokens"), [(1, 1), (2, 3), (1, 64), (3, 65), (2, 128), (1, 150)])
def test_each_sequence_fills_chunks_of_its_own(batch: int, tokens: int) -> None:
    counted = oracle.forward_and_backward(oracle.build(CONFIG, "language"), CONFIG, batch, tokens)
    cost = flops.training(OURS, [tokens] * batch, trainable="all")
    assert (cost.forward.issued.torch_flops, cost.backward.issued.torch_flops) == counted


PARTS = ["A_log", "dt_bias", "conv1d.weight", "norm.weight", "in_proj_qkvz.weight", "in_proj_ba.weight"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layer", [0, 2])
def test_one_trained_part_costs_what_torch_counts_over_several_chunks(layer: int, part: str) -> None:
    trained = f"model.layers.{layer}.linear_attn.{part}"
    model = oracle.build(CONFIG, "language")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name == trained)
    counted = oracle.forward_and_backward(model, CONFIG, 2, 140)
    cost = flops.training(OURS, [140, 140], trainable=trained)
    assert (cost.forward.issued.torch_flops, cost.backward.issued.torch_flops) == counted


def test_steps_of_any_length_go_on_from_the_state() -> None:
    model, kept = oracle.build(CONFIG, "language"), 2
    past = oracle.run(model, CONFIG, 2, kept).past_key_values
    for new in random.Random(1).choices([1, 2, 64, 65, 130], k=8):
        with oracle.counting() as so_far:
            oracle.run(model, CONFIG, 2, new, past_key_values=past)
        assert flops.forward(OURS, new, batch=2, cached=kept).issued.torch_flops == so_far()
        kept += new


@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no cache"])
@pytest.mark.parametrize("prompt", [1, 2, 63])
def test_generation_from_a_prompt_shorter_than_the_convolution_or_up_to_a_chunk(prompt: int, cache: bool) -> None:
    model = oracle.build(CONFIG, "language", device="cpu")
    ids = torch.full((2, prompt), 5)
    with oracle.counting() as so_far, torch.no_grad():
        more = {"attention_mask": torch.ones_like(ids), "do_sample": False, "use_cache": cache}
        model.generate(ids, min_new_tokens=4, max_new_tokens=4, **more)
    assert flops.generation(OURS, [prompt] * 2, 4, cache=cache).total.issued.torch_flops == so_far()


def test_a_batch_of_unequal_samples_is_the_sum_of_its_samples() -> None:
    alone = [flops.forward(OURS, tokens).useful.torch_flops for tokens in (5, 64, 70)]
    cost = flops.forward(OURS, [5, 64, 70])
    assert cost.useful.torch_flops == sum(alone)
    assert cost.issued.torch_flops == 3 * alone[-1]


def test_a_dense_convolution_costs_the_gradient_that_torch_counts_itself() -> None:
    """The formula that stands in for torch's, which takes grouped convolutions for dense ones, is torch's there."""

    def backward(mode: FlopCounterMode) -> int:
        given = torch.randn(2, 6, 9, requires_grad=True)
        layer = torch.nn.Conv1d(6, 5, 4, padding=3)
        with mode:
            layer(given).sum().backward()
        return mode.get_total_flops()

    own = {torch.ops.aten.convolution_backward: oracle.convolution_gradients}
    assert backward(FlopCounterMode(display=False, custom_mapping=own)) == backward(FlopCounterMode(display=False))


def test_what_is_left_out_is_said() -> None:
    assert any("triangular solves" in note for note in OURS.notes)
