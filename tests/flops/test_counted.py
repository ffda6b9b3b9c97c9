"""Architectures that are not described: refused, or counted when asked, and labelled so."""

from __future__ import annotations

import pytest

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError
from etude.flops.architecture.table import described_types

UNKNOWN = {"model_type": "codegen", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 101, "rotary_dim": 4}
UNKNOWN |= {"n_positions": 64, "bos_token_id": 1, "eos_token_id": 2}
RECURRENT = {"model_type": "mamba", "hidden_size": 48, "num_hidden_layers": 2, "vocab_size": 101, "state_size": 4}


def test_an_unknown_architecture_is_refused_unless_asked_to_count() -> None:
    with pytest.raises(ConfigError, match=r'(?s)codegen.*unknown="count"'):
        flops.model_cost(UNKNOWN, tokens=9)


def test_a_counted_figure_says_so_and_knows_no_mask() -> None:
    useful = flops.model_cost(UNKNOWN, tokens=9, unknown="count").useful
    assert useful.method == "counted"
    assert useful.quality == "unverified"
    assert useful.torch_flops == useful.counted_flops > 2 * 9 * 64 * 101
    assert useful.causal_exact_flops is None


def test_a_described_architecture_is_never_counted() -> None:
    cost = flops.model_cost(oracle.config("llama"), tokens=[9, 5], unknown="count")
    assert (cost.useful.method, cost.useful.quality) == ("analytic", "exact")


@pytest.mark.parametrize("name", ["llama", "bert", "t5", "mixtral"])
def test_counting_a_described_architecture_gives_the_same_figures(name: str) -> None:
    config = oracle.config(name)
    target = None if oracle.target_of(config, "language") is None else [4, 4]
    counted = flops.count(config, [9, 5], head="language", target=target, backward=True)
    ours = flops.training(flops.describe(config, head="language"), [9, 5], target=target, trainable="all")
    for theirs, own in ((counted.forward, ours.forward), (counted.backward, ours.backward)):
        assert theirs.useful.torch_flops == own.useful.torch_flops
        assert theirs.issued.torch_flops == own.issued.torch_flops
    assert counted.forward.useful_tokens == ours.forward.useful_tokens


def test_a_sum_of_analytic_and_counted_figures_is_labelled_by_the_worst() -> None:
    analytic = flops.model_cost(oracle.config("llama"), tokens=9).useful
    counted = flops.model_cost(UNKNOWN, tokens=9, unknown="count").useful
    both = analytic + counted
    assert (both.method, both.quality) == ("analytic and counted", "unverified")
    assert both.torch_flops == analytic.torch_flops + counted.torch_flops
    assert both.causal_exact_flops is None


def test_products_that_torch_has_no_formula_for_make_a_lower_bound() -> None:
    config = {**oracle.config("fnet").to_dict()} if "fnet" in oracle.CONFIGS else {"model_type": "fnet"}
    config |= {"hidden_size": 48, "intermediate_size": 72, "num_hidden_layers": 2, "vocab_size": 101}
    useful = flops.model_cost(config, tokens=9, head="none", unknown="count").useful
    assert useful.quality == "lower bound"
    assert any("fft" in name for name in useful.uncounted)


def test_padding_is_told_apart_in_counted_figures_too() -> None:
    cost = flops.model_cost(RECURRENT, tokens=[10, 7], unknown="count")
    alone = [flops.model_cost(RECURRENT, tokens=n, unknown="count").useful.torch_flops for n in (10, 7)]
    assert cost.useful.torch_flops == sum(alone)
    assert cost.issued.torch_flops == 2 * alone[0]


def test_an_architecture_that_transformers_does_not_know_either_is_named() -> None:
    with pytest.raises(ConfigError, match=r"transformers does not know.*'mystery'"):
        flops.count({"model_type": "mystery"}, 9)


def test_a_config_or_head_that_transformers_refuses_is_told() -> None:
    with pytest.raises(ConfigError, match="transformers refuses it"):
        flops.count({**UNKNOWN, "n_embd": "wide"}, 9)
    with pytest.raises(ConfigError, match="head"):
        flops.count(UNKNOWN, 9, head="classification")


def test_a_model_that_asks_for_values_is_sent_to_the_cpu() -> None:
    config = oracle.config("gpt2")
    with pytest.raises(ConfigError, match='device="cpu"'):
        flops.count(config, 9)
    assert (
        flops.count(config, 9, device="cpu").forward.useful.torch_flops
        == flops.model_cost(config, tokens=9).useful.torch_flops
    )


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ConfigError, match="trainable"):
        flops.model_cost(UNKNOWN, tokens=9, unknown="count", trainable="head")
    with pytest.raises(ConfigError, match="adapter"):
        flops.model_cost(UNKNOWN, tokens=9, unknown="count", adapter=flops.Lora(rank=2, targets="all-linear"))


@pytest.mark.parametrize(("kind", "near"), [("LLaMA", "llama"), ("gpt-2", "gpt2"), ("XLM_Roberta", "xlm-roberta")])
def test_another_spelling_of_a_described_architecture_is_recognised(kind: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{near}'"):
        flops.describe({"model_type": kind})


@pytest.mark.parametrize("kind", ["mamba", "llava", "gemma5"])
def test_another_architecture_is_not_taken_for_a_slip_and_all_that_are_described_are_named(kind: str) -> None:
    with pytest.raises(ConfigError) as refused:
        flops.describe({"model_type": kind})
    said = str(refused.value)
    assert "did you mean" not in said
    assert all(name in said for name in described_types())
    assert 'flops.model_cost(config, tokens=…, unknown="count")' in said


def test_layers_that_are_dropped_at_random_in_training_are_all_counted() -> None:
    config = oracle.config("m2m_100 layer drop")
    costs = {flops.count(config, [9], target=[4]).forward.useful.torch_flops for _ in range(4)}
    assert costs == {flops.forward(flops.describe(config.to_dict()), [9], target=[4]).useful.torch_flops}
