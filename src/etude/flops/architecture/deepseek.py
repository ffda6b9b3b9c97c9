"""DeepSeek-V2 and V3: latent attention, and experts both shared and routed."""

from __future__ import annotations

from etude.flops.architecture.blueprint import (
    Attention,
    Blueprint,
    Branch,
    Dense,
    Experts,
    FeedForward,
    Layer,
    Norm,
    Path,
    Sublayer,
)
from etude.flops.architecture.fields import Fields
from etude.flops.architecture.gpt import DecoderFrame, decoder_in


def deepseek(fields: Fields, *, plain_layers: int, shared: int) -> Blueprint:
    """DeepSeek-V2 and V3: latent attention (what is cached is expanded in every pass), shared and routed experts.

    Args:
        fields: The config.
        plain_layers: Default of `first_k_dense_replace`.
        shared: Default of `n_shared_experts`.
    """
    width, count = fields.number("hidden_size"), fields.number("num_hidden_layers")
    attention, dense_layers = _latent_attention(fields), fields.whole("first_k_dense_replace", default=plain_layers)
    first, second = Norm("input_layernorm", width), Norm("post_attention_layernorm", width)
    layers = tuple(
        Layer(
            prefix=f"layers.{index}.",
            sublayers=(
                Sublayer(branches=(Branch(inner=attention, before=first),)),
                Sublayer(
                    branches=(
                        Branch(
                            inner=_deepseek_mlp(fields, shared) if index >= dense_layers else _plain_mlp(fields),
                            before=second,
                        ),
                    )
                ),
            ),
        )
        for index in range(count)
    )
    frame = DecoderFrame(prefix="model.", tokens="embed_tokens", tied=False, exit=(Norm("norm", width),))
    return decoder_in(fields, frame, width, layers)


def _latent_attention(fields: Fields) -> Attention:
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    rank, rotary = fields.number("kv_lora_rank"), fields.number("qk_rope_head_dim")
    plain, value = fields.number("qk_nope_head_dim"), fields.number("v_head_dim")
    bias, low = fields.flag("attention_bias"), fields.nullable("q_lora_rank", 1536)
    key_dim = plain + rotary
    query: Path = (Dense("self_attn.q_proj", width, heads * key_dim),)
    if low is not None:
        query = (
            Dense("self_attn.q_a_proj", width, low, bias),
            Norm("self_attn.q_a_layernorm", low),
            Dense("self_attn.q_b_proj", low, heads * key_dim),
        )
    return Attention(
        heads=heads,
        key_dim=key_dim,
        value_dim=value,
        query=query,
        key=(
            Dense("self_attn.kv_a_proj_with_mqa", width, rank + rotary, bias),
            Norm("self_attn.kv_a_layernorm", rank),
            Dense("self_attn.kv_b_proj", rank, heads * (plain + value)),
        ),
        value=None,
        output=(Dense("self_attn.o_proj", heads * value, width, bias),),
        cached=rank + rotary,
        latent=True,
    )


def _plain_mlp(fields: Fields) -> FeedForward:
    width, inner = fields.number("hidden_size"), fields.number("intermediate_size")
    return _gated("mlp", width, inner, bias=fields.flag("mlp_bias"))


def _deepseek_mlp(fields: Fields, default_shared: int) -> Experts:
    width, bias = fields.number("hidden_size"), fields.flag("mlp_bias")
    inner, count = fields.number("moe_intermediate_size"), fields.number("n_routed_experts", "num_local_experts")
    shared = fields.nullable("n_shared_experts", default_shared)
    return Experts(
        router=Dense("mlp.gate", width, count),
        name="mlp.experts.",
        count=count,
        active=fields.number("num_experts_per_tok"),
        d_model=width,
        d_expert=inner,
        shared=_gated("mlp.shared_experts", width, inner * shared, bias=bias) if shared else None,
    )


def _gated(block: str, width: int, inner: int, *, bias: bool) -> FeedForward:
    return FeedForward(
        up=tuple(Dense(f"{block}.{name}", width, inner, bias) for name in ("gate_proj", "up_proj")),
        down=(Dense(f"{block}.down_proj", inner, width, bias),),
    )
