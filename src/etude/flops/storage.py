"""Bytes that weights take, by data type and quantisation, with the scales that quantisation stores beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from etude.errors import ConfigError, Fault, nearest
from etude.flops.model import Model
from etude.flops.operations import Parameter, Role

DTYPE_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "float64": 8,
        "float32": 4,
        "bfloat16": 2,
        "float16": 2,
        "float8_e4m3fn": 1,
        "float8_e5m2": 1,
        "int8": 1,
    }
)
"""Bytes of one number, by the name that torch gives the type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantisation:
    """How one quantised matrix is stored."""

    bits: int
    """For each weight."""
    block: int = 0
    """Weights that share a scale; 0 for one scale for each output row."""
    scale_bytes: int = 4
    """Of each scale."""
    second_block: int = 0
    """Scales that share a scale of their own (double quantisation), 4 bytes each; 0 where there is none."""
    tensor_bytes: int = 0
    """Once for each matrix: code tables and offsets."""


QUANTISATIONS: Mapping[str, Quantisation] = MappingProxyType(
    {
        "nf4": Quantisation(bits=4, block=64, tensor_bytes=64),
        "nf4-double": Quantisation(bits=4, block=64, scale_bytes=1, second_block=256, tensor_bytes=64 + 1024 + 4),
        "fp4": Quantisation(bits=4, block=64, tensor_bytes=64),
        "fp4-double": Quantisation(bits=4, block=64, scale_bytes=1, second_block=256, tensor_bytes=64 + 1024 + 4),
        "int8": Quantisation(bits=8),
        "torchao-int8": Quantisation(bits=8),
    }
)
"""As stored by bitsandbytes (`nf4`, `fp4`, `int8`) and torchao (`torchao-int8`, weights alone or with activations)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBytes:
    """Bytes of a model's weights, tied ones once."""

    quantised_bytes: int
    """Packed weights of the linear layers that are quantised."""
    scale_bytes: int
    """Scales, code tables and offsets of these."""
    kept_bytes: int
    """Everything else: embeddings, heads, routers, stacked experts, norms, biases, adapters."""

    @property
    def total_bytes(self) -> int:
        """All of them together."""
        return self.quantised_bytes + self.scale_bytes + self.kept_bytes


def weight_bytes(model: Model, *, dtype: str = "bfloat16", quantisation: str | None = None) -> WeightBytes:
    """What a model's weights take in memory.

    Quantised are the matrices of the backbone's linear layers, as transformers' loaders have it: embeddings, the
    language or classification head, routers, stacked experts, norms and biases stay in `dtype`. FLOPs are the same
    with and without: the products are those of the dequantised weights.

    Args:
        model: The model, from `describe`.
        dtype: The type of what is not quantised, as torch names it.
        quantisation: One of `QUANTISATIONS`; None for none.

    Raises:
        ConfigError: An unknown type or quantisation.

    Source: the tensors that bitsandbytes 0.50 (`QuantState`, `Linear8bitLt.state.SCB`) and torchao 0.18 (`Int8Tensor`)
        keep for one layer.
    """
    size, how = dtype_bytes(dtype), quantisation_of(quantisation)
    packed = scales = kept = 0
    quantised = quantised_names(model)
    for parameter in model.parameters.values():
        if how is None or parameter.name not in quantised:
            kept += parameter.size * size
            continue
        codes, beside = storage_of(parameter, how)
        packed, scales = packed + codes, scales + beside
    return WeightBytes(quantised_bytes=packed, scale_bytes=scales, kept_bytes=kept)


def quantised_names(model: Model) -> frozenset[str]:
    """Names of the matrices that quantisation takes: weights of the backbone's linear layers."""
    layers = {f"{op.module}.weight" for op in model.ops if op.linear is not None}
    return frozenset(
        name for name, parameter in model.parameters.items() if parameter.role is Role.LINEAR and name in layers
    )


def storage_of(parameter: Parameter, how: Quantisation) -> tuple[int, int]:
    """Bytes of one matrix: its packed weights, and its scales and tables."""
    codes = -(-parameter.size * how.bits // 8)
    if not how.block:
        return codes, parameter.shape[0] * how.scale_bytes + how.tensor_bytes
    scales = -(-parameter.size // how.block)
    second = -(-scales // how.second_block) * 4 if how.second_block else 0
    return codes, scales * how.scale_bytes + second + how.tensor_bytes


def dtype_bytes(dtype: str) -> int:
    """Bytes of one number of this type. ConfigError for a type that is not known."""
    if dtype not in DTYPE_BYTES:
        raise ConfigError([Fault(path="dtype", value=dtype, reason="unknown type", mend=nearest(dtype, DTYPE_BYTES))])
    return DTYPE_BYTES[dtype]


def quantisation_of(name: str | None) -> Quantisation | None:
    """The quantisation of this name. ConfigError for one that is not known."""
    if name is None:
        return None
    if name not in QUANTISATIONS:
        mend = nearest(name, QUANTISATIONS)
        raise ConfigError([Fault(path="quantisation", value=name, reason="unknown quantisation", mend=mend)])
    return QUANTISATIONS[name]
