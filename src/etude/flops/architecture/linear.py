"""Linear attention in place of attention: which layers of a decoder have it, and its sizes."""

from __future__ import annotations

from etude.flops.architecture.blueprint import DeltaRule, Dense, Norm
from etude.flops.architecture.fields import Fields, each


def linear_layers(fields: Fields, layers: int) -> tuple[bool, ...]:
    """For each layer whether its attention is linear."""
    kinds = fields.layer_types(layers, ("full_attention", "linear_attention"))
    if kinds is not None:
        return tuple(kind == "linear_attention" for kind in kinds)
    interval = fields.number("full_attention_interval", default=4)
    return tuple((index + 1) % interval != 0 for index in range(layers))


def gated_delta_rule(fields: Fields) -> DeltaRule:
    """The linear attention of Qwen3-Next."""
    width, block = fields.number("hidden_size"), "linear_attn."
    key_heads = fields.number("linear_num_key_heads", default=16)
    heads = fields.number("linear_num_value_heads", default=32)
    key_dim = fields.number("linear_key_head_dim", default=128)
    value_dim = fields.number("linear_value_head_dim", default=128)
    each(heads, key_heads)
    keys, values = key_heads * key_dim, heads * value_dim
    return DeltaRule(
        heads=heads,
        key_dim=key_dim,
        value_dim=value_dim,
        projection=Dense(block + "in_proj_qkvz", width, 2 * keys + 2 * values),
        rates=Dense(block + "in_proj_ba", width, 2 * heads),
        decay=(block + "dt_bias", block + "A_log"),
        convolution=block + "conv1d",
        kernel=fields.number("linear_conv_kernel_dim", default=4),
        channels=2 * keys + values,
        norm=Norm(block + "norm", value_dim),
        output=Dense(block + "out_proj", values, width),
    )
