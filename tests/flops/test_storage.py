"""Bytes of weights, against the tensors that torch and the quantisers keep."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError
from etude.flops.operations import Parameter, Role
from etude.flops.storage import QUANTISATIONS, storage_of

NAMES = ["llama", "qwen3", "mixtral", "gpt2", "bert", "t5"]
shapes = st.tuples(st.integers(1, 700), st.integers(1, 700))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_take_what_the_tensors_take(name: str, dtype: str) -> None:
    config = oracle.config(name)
    model = oracle.build(config, "none").to(getattr(torch, dtype))
    expected = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    assert flops.weight_bytes(flops.describe(config, head="none"), dtype=dtype).total_bytes == expected


@pytest.mark.parametrize("quantisation", QUANTISATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_quantisation_changes_bytes_and_not_flops(name: str, quantisation: str) -> None:
    """FLOPs are a function of the config; no quantisation enters it, and none can change it."""
    model = flops.describe(oracle.config(name))
    before = flops.training(model, [5, 9], trainable="all")
    plain, packed = flops.weight_bytes(model), flops.weight_bytes(model, quantisation=quantisation)
    assert packed.quantised_bytes > 0
    assert packed.quantised_bytes + packed.kept_bytes < plain.total_bytes
    assert flops.training(model, [5, 9], trainable="all") == before


def test_a_quantised_config_describes_the_same_model() -> None:
    config = oracle.config("llama").to_dict()
    quantised = {**config, "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    assert flops.forward(flops.describe(quantised), 9) == flops.forward(flops.describe(config), 9)


@pytest.mark.parametrize(
    ("quantisation", "gigabytes"), [(None, 2.47), ("int8", 1.50), ("nf4", 1.07), ("nf4-double", 1.03)]
)
def test_the_weights_of_a_known_model(quantisation: str | None, gigabytes: float) -> None:
    config = {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16}
    config |= {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": True}
    found = flops.weight_bytes(flops.describe(config), quantisation=quantisation).total_bytes
    assert round(found / 1e9, 2) == gigabytes


def test_embeddings_heads_routers_and_stacked_experts_are_kept() -> None:
    model = flops.describe(oracle.config("mixtral"))
    attention = 3 * (48 * 48 + 2 * 16 * 48 + 48 * 48)
    found = flops.weight_bytes(model, dtype="bfloat16", quantisation="int8")
    assert found.quantised_bytes == attention
    assert found.kept_bytes == 2 * (model.parameter_count - attention)


@given(shapes)
def test_double_quantisation_stores_fewer_bytes_of_scales_in_large_matrices(shape: tuple[int, int]) -> None:
    matrix = Parameter("w", shape, Role.LINEAR)
    (codes, once), (same, twice) = (
        storage_of(matrix, QUANTISATIONS["nf4"]),
        storage_of(matrix, QUANTISATIONS["nf4-double"]),
    )
    assert codes == same == -(-matrix.size // 2)
    assert (twice < once) == (matrix.size > 25_000) or 20_000 < matrix.size < 30_000


@pytest.mark.parametrize("shape", [(250, 96), (64, 64), (7, 9), (300, 500)])
@pytest.mark.parametrize("quantisation", ["nf4", "nf4-double", "fp4", "fp4-double"])
def test_four_bits_take_what_bitsandbytes_takes(quantisation: str, shape: tuple[int, int]) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    layer = bitsandbytes.nn.Linear4bit(
        shape[1], shape[0], bias=False, quant_type=quantisation[:3], compress_statistics="double" in quantisation
    ).to("cpu")
    state = layer.weight.quant_state
    tensors = [state.absmax, state.code]
    if state.nested:
        tensors += [state.state2.absmax, state.state2.code, state.offset]
    beside = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    matrix = Parameter("w", shape, Role.LINEAR)
    assert storage_of(matrix, QUANTISATIONS[quantisation]) == (layer.weight.numel(), beside)


def test_eight_bits_take_what_bitsandbytes_takes() -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    layer = bitsandbytes.nn.Linear8bitLt(96, 250, bias=False, has_fp16_weights=False).to("cpu")
    beside = layer.weight.SCB.numel() * layer.weight.SCB.element_size()
    assert storage_of(Parameter("w", (250, 96), Role.LINEAR), QUANTISATIONS["int8"]) == (layer.weight.numel(), beside)


def test_eight_bits_take_what_torchao_takes() -> None:
    quantization = pytest.importorskip("torchao.quantization")
    layer = torch.nn.Sequential(torch.nn.Linear(96, 250, bias=False)).to(torch.bfloat16)
    quantization.quantize_(layer, quantization.Int8WeightOnlyConfig())
    weight = layer[0].weight
    sizes = weight.qdata.numel(), weight.scale.numel() * weight.scale.element_size()
    assert storage_of(Parameter("w", (250, 96), Role.LINEAR), QUANTISATIONS["torchao-int8"]) == sizes


@pytest.mark.parametrize(("wrong", "near"), [({"dtype": "bfloat"}, "bfloat16"), ({"quantisation": "nf"}, "nf4")])
def test_an_unknown_type_or_quantisation_is_named_with_the_nearest(wrong: dict[str, str], near: str) -> None:
    with pytest.raises(ConfigError, match=near):
        flops.weight_bytes(flops.describe(oracle.config("llama")), **wrong)
