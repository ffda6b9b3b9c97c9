"""Known mistakes of other tools, each as a figure that would be wrong here if it were made."""

from __future__ import annotations

import pytest
import torch

import flops_oracle as oracle
from etude import flops

LLAMA = {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16}
LLAMA |= {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": True}


def test_a_multiply_add_is_two_operations() -> None:
    """Some tools return multiply-adds under the name of FLOPs."""
    layer = torch.nn.Linear(48, 101, bias=False, device="meta")
    with oracle.counting() as so_far:
        layer(torch.empty(7, 48, device="meta"))
    model = flops.describe(oracle.config("llama"))
    assert flops.forward(model, 7).useful.head_flops == so_far() == 2 * 7 * 48 * 101


def test_no_figure_is_a_constant_for_quantised_models() -> None:
    """One published table has 52,638,582,308,864 for every quantised model, whatever was asked of it."""
    model = flops.describe({**LLAMA, "quantization_config": {"load_in_4bit": True}})
    one = flops.generation(model, 128, 128).total.useful.torch_flops
    assert 52_638_582_308_864 / one == pytest.approx(92.5, abs=0.1)
    assert 52_638_582_308_864 / flops.generation(model, 128, 128, batch=16).total.useful.torch_flops == pytest.approx(
        5.8, abs=0.05
    )


def test_a_tied_head_is_computed_all_the_same() -> None:
    """Counting "parameters without embeddings" forgets the head where it is tied."""
    tied, untied = (flops.describe({**LLAMA, "tie_word_embeddings": tied}) for tied in (True, False))
    assert flops.forward(tied, 9) == flops.forward(untied, 9)
    assert untied.parameter_count - tied.parameter_count == 128256 * 2048


def test_position_and_token_tables_of_gpt2_cost_nothing() -> None:
    """A filter on names that say "embed" keeps GPT-2's `wte` and `wpe`."""
    config = oracle.CONFIGS["gpt2"][1] | {"model_type": "gpt2"}
    short, long = (flops.describe({**config, "n_positions": n}) for n in (64, 4096))
    assert long.parameter_count > short.parameter_count
    assert flops.forward(long, 9) == flops.forward(short, 9)


def test_a_gated_feed_forward_layer_has_three_matrices() -> None:
    model = flops.describe(oracle.config("llama"))
    assert flops.forward(model, 1, logits="none").useful.dense_flops == 3 * 2 * (48 * (48 + 32) + 48 * 48 + 3 * 48 * 72)


def test_padding_is_no_token() -> None:
    cost = flops.generation(flops.describe(LLAMA), [10, 100], [5, 50]).total
    assert cost.useful_tokens == 10 + 4 + 100 + 49
    assert cost.issued_tokens == 2 * (100 + 49)


def test_attention_counts_whichever_kernel_runs_it() -> None:
    """FlopCounterMode gives no FLOPs to the attention kernel of the CPU; the config does not know the kernel."""
    config = oracle.config("llama")
    model = oracle.build(config, "language", device="cpu")
    model.set_attn_implementation("sdpa")
    with oracle.counting() as so_far, torch.no_grad():
        oracle.run(model, config, 2, 9)
    useful = flops.forward(flops.describe(config), [9, 9]).useful
    assert so_far() <= useful.torch_flops
    assert useful.attention_torch_flops == 3 * 2 * 4 * 48 * 81


def test_experts_count_however_they_are_run() -> None:
    """Grouped products have no formula in FlopCounterMode; the figure that it gives is a lower bound, and says so."""
    config = oracle.config("mixtral")
    model = oracle.build(config, "language", device="cpu")
    model.set_experts_implementation("grouped_mm")
    with oracle.counting() as so_far, torch.no_grad():
        oracle.run(model, config, 2, 9)
    useful = flops.forward(flops.describe(config), [9, 9]).useful
    assert useful.torch_flops - so_far() in (0, useful.expert_flops)


def test_attention_is_part_of_the_count() -> None:
    """Twice the parameters for each token forgets it, 12 % of a prompt of 2,048 tokens."""
    model = flops.describe(LLAMA)
    exact = flops.forward(model, 2048, logits="last").useful.torch_flops
    assert 2 * 973_146_112 * 2048 / exact - 1 == pytest.approx(-0.121, abs=0.001)


def test_training_with_frozen_weights_is_not_three_times_the_forward_pass() -> None:
    model = flops.describe(LLAMA, adapter=flops.Lora(rank=8, targets=("q_proj", "v_proj")))
    whole, low = (flops.training(model, 128, trainable=choice) for choice in ("all", "adapter"))
    assert whole.backward.useful.torch_flops == 2 * whole.forward.useful.torch_flops
    ratio = low.backward.useful.torch_flops / low.forward.useful.torch_flops
    assert 1.0 < ratio < 1.1


def test_a_layer_in_four_bits_is_the_product_with_its_unpacked_weights() -> None:
    """Counters see packed weights, or nothing; what is computed is the product that the config describes."""
    bitsandbytes = pytest.importorskip("bitsandbytes")
    layer = bitsandbytes.nn.Linear4bit(96, 250, bias=False, quant_type="nf4").to("cpu")
    value = torch.randn(5, 96)
    unpacked = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    assert unpacked.shape == (250, 96)
    assert torch.allclose(layer(value), value @ unpacked.T, atol=1e-4)


def test_a_layer_in_eight_bits_is_the_product_with_its_unpacked_weights() -> None:
    quantization = pytest.importorskip("torchao.quantization")
    layer = torch.nn.Sequential(torch.nn.Linear(96, 250, bias=False))
    quantization.quantize_(layer, quantization.Int8WeightOnlyConfig())
    value = torch.randn(5, 96)
    unpacked = layer[0].weight.dequantize()
    assert unpacked.shape == (250, 96)
    assert torch.allclose(layer(value), value @ unpacked.T, atol=1e-4)
