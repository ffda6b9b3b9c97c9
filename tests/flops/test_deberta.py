"""DeBERTa v2 and v3 of any sizes and options: what torch counts of a pass, whose table of positions is in no sample."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError

HEADS = ("none", "language", "classification")


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Sizes and every option that adds or drops a product."""
    heads = draw(st.integers(1, 3))
    width = heads * draw(st.integers(1, 4)) * 2
    kernel = draw(st.sampled_from([0, 0, 1, 3, 5]))
    return {
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.integers(1, 20)),
        "vocab_size": 31,
        "max_position_embeddings": draw(st.integers(16, 24)),
        "embedding_size": draw(st.sampled_from([width, 5])),
        "type_vocab_size": draw(st.sampled_from([0, 2])),
        "position_biased_input": draw(st.booleans()),
        "relative_attention": draw(st.booleans()),
        "position_buckets": draw(st.sampled_from([-1, 4, 6])),
        "max_relative_positions": draw(st.sampled_from([-1, 9])),
        "pos_att_type": draw(st.sampled_from([None, "c2p", "p2c", "c2p|p2c", ["p2c", "c2p"]])),
        "share_att_key": draw(st.booleans()),
        "norm_rel_ebd": draw(st.sampled_from(["none", "layer_norm"])),
        "conv_kernel_size": kernel,
        "conv_groups": draw(st.sampled_from([1, 2])),
        "conv_act": "gelu",
        "tie_word_embeddings": draw(st.booleans()),
        "pad_token_id": 0,
    }


@given(values=configs(), head=st.sampled_from(HEADS), batch=st.integers(1, 3), tokens=st.integers(2, 12))
@settings(max_examples=25, deadline=None)
def test_forward_and_backward_of_any_config_are_what_torch_counts(
    values: dict[str, Any], head: str, batch: int, tokens: int
) -> None:
    config = AutoConfig.for_model("deberta-v2", **values, num_labels=oracle.LABELS)
    counted = oracle.forward_and_backward(oracle.build(config, head), config, batch, tokens)
    model = flops.describe(config, head=head, labels=oracle.LABELS)
    cost = flops.training(model, tokens, batch=batch, trainable="all")
    assert (cost.forward.issued.torch_flops, cost.backward.issued.torch_flops) == counted


def relative() -> flops.Model:
    return flops.describe(oracle.config("deberta-v2"))


def test_a_pass_projects_its_table_once_whatever_it_holds() -> None:
    model = relative()
    one, three = (flops.forward(model, 7, batch=batch).issued.torch_flops for batch in (1, 3))
    width, layers, rows = 48, 2, 16
    assert 3 * one - three == 2 * layers * 2 * (2 * rows * width**2)


def test_samples_have_no_share_of_what_a_pass_does_once() -> None:
    model = relative()
    shares = flops.sample_flops(model, [5, 9])
    assert sum(shares) < (flops.forward(model, [5, 9]).useful.causal_exact_flops or 0)
    assert model.has_pass_cost


def test_a_batch_of_no_sample_costs_nothing() -> None:
    assert flops.forward(relative(), []).issued.torch_flops == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("conv_kernel_size", 2), ("conv_groups", 5), ("attention_head_size", 3), ("pooler_hidden_size", 7)],
)
def test_sizes_that_the_model_cannot_run_with_are_named(name: str, value: int) -> None:
    values = {**oracle.CONFIGS["deberta-v2 convolution"][1], "model_type": "deberta-v2", name: value}
    with pytest.raises(ConfigError, match=name):
        flops.describe(values)


def test_the_first_version_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"longest sample.*deberta-v2"):
        flops.describe({"model_type": "deberta"})
