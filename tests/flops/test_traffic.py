"""Bytes moved and cached, against the caches that transformers keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flops_oracle as oracle
from etude import flops

CACHING = [
    "llama",
    "llama mqa tied biases",
    "mistral window",
    "gemma2",
    "gemma3",
    "qwen2 window",
    "falcon",
    "falcon new",
    "gpt2",
    "gpt_bigcode",
    "deepseek_v3",
    "gpt_oss",
    "llama4_text",
    "qwen3_next",
    "gemma3n",
]
MODELS = {name: flops.describe(oracle.config(name), head="language") for name in (*CACHING, "mixtral", "t5", "bart")}
counts = st.integers(1, 40)
quick = settings(max_examples=30, deadline=None)


@pytest.mark.parametrize("name", CACHING)
def test_the_cache_takes_what_transformers_keeps(name: str) -> None:
    config = oracle.config(name)
    model = oracle.build(config, "language")
    cache = oracle.run(model, config, 2, 9).past_key_values
    kept = sum(t.numel() * t.element_size() for layer in cache.layers for t in tensors_of(layer))
    assert flops.cache_bytes(MODELS[name], [9, 9], dtype="float32") == kept


def tensors_of(layer: Any) -> list[Any]:
    """Keys and values of a layer of a cache, or the states of linear attention; nothing where it shares another's."""
    if hasattr(layer, "recurrent_states"):
        return [*layer.conv_states.values(), *layer.recurrent_states.values()]
    return [kept for kept in (layer.keys, layer.values) if kept is not None]


def test_the_state_of_linear_attention_stays_in_float32() -> None:
    config = oracle.config("qwen3_next")
    model = oracle.build(config, "language").bfloat16()
    cache = oracle.run(model, config, 2, 9).past_key_values
    kept = sum(t.numel() * t.element_size() for layer in cache.layers for t in tensors_of(layer))
    assert flops.cache_bytes(MODELS["qwen3_next"], [9, 9]) == kept


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_an_encoder_decoder_caches_both_of_its_attentions(name: str) -> None:
    config = oracle.config(name)
    model = oracle.build(config, "language")
    cache = oracle.run(model, config, 2, 9, 4).past_key_values
    layers = [*cache.self_attention_cache.layers, *cache.cross_attention_cache.layers]
    kept = sum(
        t.numel() * t.element_size() for layer in layers if layer.is_initialized for t in (layer.keys, layer.values)
    )
    assert flops.cache_bytes(MODELS[name], [4, 4], context=9, dtype="float32") == kept


@given(st.sampled_from(["llama", "gemma2", "deepseek_v3"]), st.lists(counts, min_size=1, max_size=5))
@quick
def test_a_step_reads_the_cache_and_writes_one_token(name: str, cached: list[int]) -> None:
    model = MODELS[name]
    step = flops.step_traffic(model, cached)
    assert step.cache_read_bytes == flops.cache_bytes(model, cached)
    assert step.cache_written_bytes == flops.cache_bytes(model, [1] * len(cached))


@given(st.sampled_from(["llama", "gemma2", "t5", "qwen3_next"]), counts, counts, st.integers(1, 4))
@quick
def test_decoding_moves_what_its_steps_move(name: str, prompt: int, new: int, batch: int) -> None:
    model = MODELS[name]
    _, decode = flops.generation_traffic(model, prompt, new, batch=batch)
    start, context = (1, prompt) if name == "t5" else (prompt, 0)
    steps = [flops.step_traffic(model, start + done, context=context, batch=batch) for done in range(new - 1)]
    nothing = flops.Traffic(weight_bytes=0, cache_read_bytes=0, cache_written_bytes=0, activation_bytes=0)
    assert decode == sum(steps, nothing)


@pytest.mark.parametrize("quantisation", [None, "int8", "nf4"])
def test_a_step_reads_every_weight_once_and_one_row_of_the_embedding(quantisation: str | None) -> None:
    model = MODELS["llama"]
    step = flops.step_traffic(model, 7, precision=flops.Precision(quantisation=quantisation))
    embedding = 101 * 48 * 2
    assert step.weight_bytes == flops.weight_bytes(model, quantisation=quantisation).total_bytes - embedding + 48 * 2


def test_tied_embeddings_are_read_in_full_by_the_head() -> None:
    model = MODELS["llama mqa tied biases"]
    assert flops.step_traffic(model, 7).weight_bytes == flops.weight_bytes(model).total_bytes + 48 * 2


def test_weights_are_read_once_for_the_whole_batch() -> None:
    one, many = (flops.step_traffic(MODELS["llama"], 7, batch=rows) for rows in (1, 16))
    assert many.weight_bytes - one.weight_bytes == 15 * 48 * 2
    assert many.cache_read_bytes == 16 * one.cache_read_bytes


def test_a_decode_step_reads_no_encoder() -> None:
    model = MODELS["t5"]
    prefill, decode = flops.generation_traffic(model, 9, 2)
    encoder = sum(parameter.size for name, parameter in model.parameters.items() if name.startswith("encoder."))
    crossing = sum(p.size for n, p in model.parameters.items() if "EncDecAttention.k" in n or "EncDecAttention.v" in n)
    assert prefill.weight_bytes - decode.weight_bytes == 2 * (encoder + crossing + 9 * 48)


def test_one_token_reads_the_experts_it_is_routed_to_and_many_read_almost_all() -> None:
    model = MODELS["mixtral"]
    experts = sum(p.size for p in model.parameters.values() if p.used_share < 1) * 2
    rest = flops.step_traffic(model, 3).weight_bytes - experts * 2 // 5
    many = flops.step_traffic(model, 3, batch=100)
    assert rest > 0
    assert many.weight_bytes == pytest.approx(rest + experts + 99 * 48 * 2, rel=1e-9)
    assert (flops.step_traffic(model, 3).quality, many.quality) == ("lower bound", "estimate")


def test_a_narrower_cache_moves_fewer_bytes() -> None:
    wide, narrow = (
        flops.step_traffic(MODELS["llama"], 30, precision=flops.Precision(cache_dtype=dtype))
        for dtype in (None, "float8_e4m3fn")
    )
    assert wide.cache_read_bytes == 2 * narrow.cache_read_bytes
    assert wide.weight_bytes == narrow.weight_bytes
