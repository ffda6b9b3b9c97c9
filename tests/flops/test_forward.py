"""Costs of a forward pass: properties that hold for every architecture, and padding told apart from work."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError

NAMES = ["llama", "gemma2", "mixtral", "deepseek_v3", "gpt2", "bert", "modernbert", "t5"]
MODELS = {name: flops.describe(oracle.config(name)) for name in NAMES}
models = st.sampled_from(NAMES).map(MODELS.__getitem__)
lengths = st.lists(st.integers(1, 600), min_size=1, max_size=8)
quick = settings(max_examples=40, deadline=None)


@given(models, lengths, lengths)
@quick
def test_useful_flops_add_up_over_samples(model: flops.Model, some: list[int], others: list[int]) -> None:
    together = flops.forward(model, some + others).useful
    assert together == flops.forward(model, some).useful + flops.forward(model, others).useful


@given(models, lengths)
@quick
def test_the_flops_of_samples_sum_to_those_of_the_batch(model: flops.Model, tokens: list[int]) -> None:
    assert sum(flops.sample_flops(model, tokens)) == flops.forward(model, tokens).useful.causal_exact_flops


@given(models, st.integers(1, 3000))
@quick
def test_one_more_token_costs_more(model: flops.Model, tokens: int) -> None:
    for convention in ("torch", "causal_exact"):
        less, more = (flops.forward(model, n).useful.of(convention) for n in (tokens, tokens + 1))
        assert less is not None
        assert more is not None
        assert less < more


@given(models, st.integers(1, 500), st.integers(1, 64))
@quick
def test_flops_are_linear_in_the_batch(model: flops.Model, tokens: int, batch: int) -> None:
    one = flops.forward(model, tokens)
    assert flops.forward(model, tokens, batch=batch) == one * batch == flops.forward(model, [tokens] * batch)


@given(models, lengths)
@quick
def test_the_mask_never_allows_more_than_the_rectangle(model: flops.Model, tokens: list[int]) -> None:
    cost = flops.forward(model, tokens)
    assert cost.useful.attention_exact_flops <= cost.useful.attention_torch_flops
    assert cost.useful.torch_flops <= cost.issued.torch_flops


@given(models, lengths, st.integers(0, 100))
@quick
def test_padding_is_issued_and_not_useful(model: flops.Model, tokens: list[int], more: int) -> None:
    wide = max(tokens) + more
    cost = flops.forward(model, tokens, padded_to=wide)
    assert cost.useful == flops.forward(model, tokens).useful
    assert cost.issued == flops.forward(model, [wide] * len(tokens)).useful
    assert cost.padding_fraction == pytest.approx(1 - sum(tokens) / (wide * len(tokens)))


@given(st.sampled_from(["llama", "gemma2", "gpt2"]).map(MODELS.__getitem__), st.integers(1, 80), st.integers(1, 80))
@quick
def test_a_prompt_in_two_chunks_costs_exactly_as_much_as_in_one(model: flops.Model, first: int, second: int) -> None:
    whole = flops.forward(model, first + second, logits="none").useful
    parts = (
        flops.forward(model, first, logits="none").useful
        + flops.forward(model, second, cached=first, logits="none").useful
    )
    assert parts.causal_exact_flops == whole.causal_exact_flops
    assert parts.torch_flops <= whole.torch_flops


def test_logits_of_the_last_position_alone_cost_one_row_of_the_head() -> None:
    model = MODELS["llama"]
    heads = {which: flops.forward(model, 50, logits=which).useful.head_flops for which in ("all", "last", "none")}
    assert heads == {"all": 50 * 2 * 48 * 101, "last": 2 * 48 * 101, "none": 0}


def test_a_batch_of_nothing_costs_nothing() -> None:
    assert flops.forward(MODELS["llama"], []) == flops.FREE
    assert flops.forward(MODELS["llama"], []).padding_fraction is None


def test_costs_of_batches_sum_to_that_of_the_run() -> None:
    model = MODELS["bert"]
    costs = [flops.forward(model, batch) for batch in ([3, 9], [5], [7, 7, 2])]
    run = flops.total(costs)
    assert run.samples == 6
    assert run.useful_tokens == 33
    assert run.issued.torch_flops == sum(cost.issued.torch_flops for cost in costs)


def test_sorted_batches_waste_less() -> None:
    model, tokens = MODELS["bert"], [3, 100, 4, 90, 5, 80]
    as_they_come = flops.total(flops.forward(model, tokens[at : at + 2]) for at in (0, 2, 4))
    by_length = flops.total(flops.forward(model, sorted(tokens)[at : at + 2]) for at in (0, 2, 4))
    assert as_they_come.useful == by_length.useful
    assert as_they_come.efficiency is not None
    assert by_length.efficiency is not None
    assert as_they_come.efficiency < by_length.efficiency


def test_lengths_may_be_an_array() -> None:
    numpy = pytest.importorskip("numpy")
    tokens = numpy.array([3, 100, 4], dtype=numpy.int32)
    assert flops.forward(MODELS["llama"], tokens) == flops.forward(MODELS["llama"], [3, 100, 4])
    assert flops.forward(MODELS["llama"], tokens[0]) == flops.forward(MODELS["llama"], 3)


def test_figures_are_whole_numbers_however_large() -> None:
    config = {"model_type": "llama", "hidden_size": 16384, "intermediate_size": 53248, "num_hidden_layers": 126}
    config |= {"num_attention_heads": 128, "num_key_value_heads": 8, "vocab_size": 128256}
    cost = flops.forward(flops.describe(config), [131072] * 4096).useful
    assert cost.torch_flops > 2**63
    assert isinstance(cost.torch_flops, int)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"tokens": -1}, "tokens"),
        ({"tokens": [3, 2.5]}, "tokens"),
        ({"tokens": "12"}, "tokens"),
        ({"tokens": [3, 4], "padded_to": 3}, "padded_to"),
        ({"tokens": [3, 4], "cached": [1, 2, 3]}, "cached"),
        ({"tokens": 3, "batch": 0}, "batch"),
        ({"tokens": 3, "target": 3}, "target"),
        ({"tokens": 3, "logits": "some"}, "logits"),
    ],
)
def test_a_senseless_length_is_named(arguments: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        flops.forward(MODELS["llama"], **arguments)  # type: ignore[arg-type]


def test_an_encoder_has_no_cache() -> None:
    with pytest.raises(ConfigError, match="cached"):
        flops.forward(MODELS["bert"], 3, cached=2)


def test_attention_grows_with_the_square_and_local_attention_with_the_length() -> None:
    exact = {
        name: [flops.forward(MODELS[name], n).useful.attention_exact_flops for n in (1000, 2000, 3000)]
        for name in ("bert", "modernbert")
    }
    ratios = {name: [later / earlier for earlier, later in pairwise(found)] for name, found in exact.items()}
    assert ratios["bert"] == [4.0, 2.25]
    assert ratios["modernbert"][0] < 4
