"""Decoder-only models of the Llama kind: one table of how each differs, one function that lays them out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from etude.flops.architecture.blueprint import (
    Attention,
    Blueprint,
    Branch,
    DeltaRule,
    Dense,
    Embedding,
    Experts,
    FeedForward,
    Head,
    Layer,
    Norm,
    Path,
    Stack,
    Sublayer,
)
from etude.flops.architecture.fields import Fields, each
from etude.flops.architecture.windows import (
    WindowRule,
    all_but_every,
    always,
    by_layer,
    every_layer,
    from_layer,
    no_windows,
    odd_up_to,
)

Switch = bool | str
"""Whether a layer has a part: always, never, or as the config field of this name says (`!field` for the opposite)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Experts in place of the feed-forward layer, and the config fields that size them."""

    block: str = "mlp"
    router: str = "gate"
    router_bias: bool = False
    count: tuple[str, ...] = ("num_local_experts", "num_experts")
    width: str = "intermediate_size"
    stacked_bias: bool = False
    flipped: bool = False
    shared_width: str = ""
    """Field with the width of an expert that every token passes; empty for none."""
    sparse_step: bool = False
    """Only layers that `decoder_sparse_step` and `mlp_only_layers` leave have experts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a model differs from Llama."""

    qkv_bias: Switch = False
    out_bias: Switch = False
    mlp_bias: Switch = False
    head_bias: Switch = False
    order: Literal["pre", "post", "sandwich", "parallel"] = "pre"
    """Norms before each sublayer; after; before and after; or one before both sublayers, which run in parallel."""
    parallel: str = ""
    """Config field that turns the parallel order on."""
    norm_bias: bool = False
    norm_weight: bool = True
    query_norm: Literal["", "head", "full", "each"] = ""
    """Norms on queries and keys: one scale for all heads, for the whole width, or one module for each head."""
    query_norm_switch: Switch = True
    query_norm_bias: bool = False
    query_norm_names: tuple[str, str] = ("q_norm", "k_norm")
    out: str = "o_proj"
    up: tuple[str, ...] = ("gate_proj", "up_proj")
    down: str = "down_proj"
    fused: bool = False
    """One matrix for query, key and value."""
    fused_up: bool = False
    """One matrix for gate and up."""
    final: str = "norm"
    sandwich_names: tuple[str, str, str] = (
        "post_attention_layernorm",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    )
    """Norms after attention, before and after the feed-forward layer, in a sandwich."""
    windows: WindowRule = no_windows
    kv_heads: int | None = None
    """Default of `num_key_value_heads`; None for as many as query heads."""
    head_dim: int | None = None
    """Default of `head_dim`; None for width / heads."""
    tied: bool = False
    """Default of `tie_word_embeddings`."""
    sinks: bool = False
    bidirectional: str = ""
    """Config field that drops the causal mask."""
    mixture: Mixture | None = None
    query_gate: bool = False
    """The query's projection gives as much again, which gates the output of attention."""
    linear: bool = False
    """Layers that `layer_types` or `full_attention_interval` name have linear attention."""


_BIASED = Style(qkv_bias="attention_bias", out_bias="attention_bias")
_LLAMA = replace(_BIASED, mlp_bias="mlp_bias")

_LINEAR = (
    "linear attention is counted as transformers runs it without kernels of its own: whole chunks of 64 tokens, their "
    "triangular solves and the sums of a single step left out, which are no products"
)

STYLES: dict[str, Style] = {
    "llama": _LLAMA,
    "mistral": Style(windows=every_layer(4096), kv_heads=8),
    "ministral": Style(windows=by_layer(4096, always), kv_heads=8),
    "qwen2": Style(qkv_bias=True, windows=by_layer(4096, from_layer, "use_sliding_window"), kv_heads=32),
    "qwen3": replace(
        _BIASED,
        query_norm="head",
        windows=by_layer(4096, from_layer, "use_sliding_window"),
        kv_heads=32,
        head_dim=128,
    ),
    "gemma": replace(_BIASED, kv_heads=16, head_dim=256, tied=True),
    "gemma2": replace(
        _BIASED,
        order="sandwich",
        windows=by_layer(4096, all_but_every(2)),
        kv_heads=4,
        head_dim=256,
        tied=True,
    ),
    "gemma3_text": replace(
        _BIASED,
        order="sandwich",
        query_norm="head",
        windows=by_layer(4096, all_but_every(6)),
        kv_heads=4,
        head_dim=256,
        tied=True,
        bidirectional="use_bidirectional_attention",
    ),
    "glm": Style(qkv_bias="!attention_bias", fused_up=True, kv_heads=2, head_dim=128),
    "glm4": Style(
        qkv_bias="!attention_bias",
        fused_up=True,
        kv_heads=2,
        head_dim=128,
        order="sandwich",
        sandwich_names=("post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm"),
    ),
    "phi3": Style(fused=True, fused_up=True, windows=every_layer(None)),
    "phi": Style(
        qkv_bias=True,
        out_bias=True,
        mlp_bias=True,
        head_bias=True,
        order="parallel",
        norm_bias=True,
        query_norm="head",
        query_norm_switch="qk_layernorm",
        query_norm_bias=True,
        query_norm_names=("q_layernorm", "k_layernorm"),
        out="dense",
        up=("fc1",),
        down="fc2",
        final="final_layernorm",
    ),
    "granite": _LLAMA,
    "smollm3": replace(
        _LLAMA,
        windows=by_layer(None, lambda fields, index: not _rotary(fields, index), "use_sliding_window"),
        kv_heads=4,
        tied=True,
    ),
    "olmo": replace(_BIASED, norm_weight=False),
    "olmo2": replace(_BIASED, order="post", query_norm="full"),
    "olmo3": replace(_BIASED, order="post", query_norm="full", windows=by_layer(4096, all_but_every(4))),
    "starcoder2": Style(
        qkv_bias="!use_bias",
        out_bias="!use_bias",
        mlp_bias="!use_bias",
        norm_bias=True,
        up=("c_fc",),
        down="c_proj",
        windows=every_layer(None),
        kv_heads=2,
        tied=True,
    ),
    "stablelm": Style(
        qkv_bias="use_qkv_bias",
        norm_bias=True,
        parallel="use_parallel_residual",
        query_norm="each",
        query_norm_switch="qk_layernorm",
        query_norm_names=("q_layernorm", "k_layernorm"),
        kv_heads=32,
    ),
    "cohere": replace(_BIASED, order="parallel", query_norm="full", query_norm_switch="use_qk_norm", tied=True),
    "cohere2": replace(_BIASED, order="parallel", windows=by_layer(4096, all_but_every(4)), tied=True),
    "mixtral": Style(windows=every_layer(None), kv_heads=8, mixture=Mixture()),
    "qwen2_moe": Style(
        qkv_bias="!qkv_bias",
        windows=by_layer(4096, odd_up_to, "use_sliding_window"),
        kv_heads=16,
        mixture=Mixture(
            width="moe_intermediate_size", shared_width="shared_expert_intermediate_size", sparse_step=True
        ),
    ),
    "qwen3_moe": replace(
        _BIASED,
        query_norm="head",
        windows=every_layer(4096, "use_sliding_window"),
        kv_heads=4,
        mixture=Mixture(width="moe_intermediate_size", sparse_step=True),
    ),
    "qwen3_next": replace(
        _BIASED,
        query_norm="head",
        kv_heads=2,
        head_dim=256,
        mixture=Mixture(
            width="moe_intermediate_size", shared_width="shared_expert_intermediate_size", sparse_step=True
        ),
        query_gate=True,
        linear=True,
    ),
    "olmoe": replace(_BIASED, query_norm="full", mixture=Mixture()),
    "phimoe": replace(
        _BIASED,
        norm_bias=True,
        head_bias="lm_head_bias",
        windows=every_layer(None),
        kv_heads=8,
        mixture=Mixture(router="router"),
    ),
    "granitemoe": replace(_BIASED, mixture=Mixture(block="block_sparse_moe", router="router")),
    "gpt_oss": Style(
        qkv_bias="!attention_bias",
        out_bias="!attention_bias",
        windows=by_layer(128, all_but_every(2)),
        kv_heads=8,
        head_dim=64,
        sinks=True,
        mixture=Mixture(router="router", router_bias=True, stacked_bias=True, flipped=True),
    ),
}
"""Model type → how it differs from Llama."""


def decoder(fields: Fields, style: Style) -> Blueprint:
    """A decoder of the Llama kind, laid out from its config."""
    width, layers = fields.number("hidden_size"), fields.number("num_hidden_layers")
    windows = style.windows(fields, layers)
    linear = linear_layers(fields, layers) if style.linear else (False,) * layers
    vocabulary = fields.number("vocab_size")
    stack = Stack(
        embeddings=(Embedding("embed_tokens", vocabulary, width),),
        layers=tuple(
            Layer(
                prefix=f"layers.{index}.",
                sublayers=_sublayers(
                    fields,
                    style,
                    index,
                    gated_delta_rule(fields) if linear[index] else _attention(fields, style, windows[index]),
                ),
            )
            for index in range(layers)
        ),
        exit=(_norm(style, style.final, width),),
    )
    tied = fields.flag("tie_word_embeddings", default=style.tied)
    head = Dense(
        "lm_head", width, vocabulary, is_on(fields, style.head_bias), tied_to="embed_tokens.weight" if tied else ""
    )
    return Blueprint(
        kind="decoder",
        width=width,
        stack=stack,
        language=Head(path=(head,), per="scored", prefix="model."),
        classifier=Head(path=(Dense("score", width, fields.labels()),), per="token", prefix="model."),
        notes=(_LINEAR,) if any(linear) else (),
    )


def is_on(fields: Fields, switch: Switch) -> bool:
    """Whether a switch is on: a constant, or a config field that is off by default (`!field`: on by default)."""
    if isinstance(switch, bool):
        return switch
    return fields.flag(switch.removeprefix("!"), default=switch.startswith("!"))


def _sublayers(fields: Fields, style: Style, index: int, attention: Attention | DeltaRule) -> tuple[Sublayer, ...]:
    width = fields.number("hidden_size")
    thinking = _feed_forward(fields, style, index)
    first, second = _norm(style, "input_layernorm", width), _norm(style, "post_attention_layernorm", width)
    if style.order == "parallel" or (style.parallel and fields.flag(style.parallel)):
        return (Sublayer(before=first, branches=(Branch(inner=attention), Branch(inner=thinking))),)
    if style.order == "post":
        after = _norm(style, "post_feedforward_layernorm", width)
        return (
            Sublayer(branches=(Branch(inner=attention, after=second),)),
            Sublayer(branches=(Branch(inner=thinking, after=after),)),
        )
    if style.order == "sandwich":
        middle, before, after = (_norm(style, name, width) for name in style.sandwich_names)
        return (
            Sublayer(branches=(Branch(inner=attention, before=first, after=middle),)),
            Sublayer(branches=(Branch(inner=thinking, before=before, after=after),)),
        )
    return (
        Sublayer(branches=(Branch(inner=attention, before=first),)),
        Sublayer(branches=(Branch(inner=thinking, before=second),)),
    )


def _norm(style: Style, name: str, size: int) -> Norm:
    return Norm(name, size, bias=style.norm_bias, weight=style.norm_weight)


def _attention(fields: Fields, style: Style, window: int | None) -> Attention:
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    kv_heads = fields.number("num_key_value_heads", default=style.kv_heads or heads)
    dim = fields.optional("head_dim") or style.head_dim or each(width, heads)
    each(heads, kv_heads)
    bias = is_on(fields, style.qkv_bias)
    queries = 2 * heads if style.query_gate else heads
    query, key, value = (
        _projected(fields, style, name, queries if name == "q" else kv_heads, dim, bias) for name in ("q", "k", "v")
    )
    fused = (Dense("self_attn.qkv_proj", width, (heads + 2 * kv_heads) * dim, bias),)
    free = bool(style.bidirectional) and fields.flag(style.bidirectional)
    return Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=fused if style.fused else query,
        key=None if style.fused else key,
        value=None if style.fused else value,
        output=(Dense(f"self_attn.{style.out}", heads * dim, width, is_on(fields, style.out_bias)),),
        mask="bidirectional" if free else "causal",
        window=window // 2 if free and window is not None else window,
        cached=2 * kv_heads * dim,
        sinks="self_attn.sinks" if style.sinks else "",
    )


def _projected(fields: Fields, style: Style, name: str, heads: int, dim: int, bias: bool) -> Path:
    projection = Dense(f"self_attn.{name}_proj", fields.number("hidden_size"), heads * dim, bias)
    if name == "v" or not style.query_norm or not is_on(fields, style.query_norm_switch):
        return (projection,)
    norm = "self_attn." + style.query_norm_names[0 if name == "q" else 1]
    match style.query_norm:
        case "head":
            return (projection, Norm(norm, dim, bias=style.query_norm_bias))
        case "full":
            return (projection, Norm(norm, heads * dim, bias=style.query_norm_bias))
        case _:
            return (projection, *(Norm(f"{norm}.norms.{head}", dim) for head in range(heads)))


def _feed_forward(fields: Fields, style: Style, index: int) -> FeedForward | Experts:
    mixture = style.mixture
    if mixture is None or (mixture.sparse_step and not _sparse(fields, index)):
        return _dense_feed_forward(fields, style, "mlp", fields.number("intermediate_size"))
    width, name = fields.number("hidden_size"), mixture.block + "."
    count = fields.number(*mixture.count)
    shared = None
    if mixture.shared_width:
        shared = _dense_feed_forward(fields, style, name + "shared_expert", fields.number(mixture.shared_width))
    return Experts(
        router=Dense(name + mixture.router, width, count, mixture.router_bias),
        name=name + "experts.",
        count=count,
        active=fields.number("num_experts_per_tok"),
        d_model=width,
        d_expert=fields.number(mixture.width),
        bias=mixture.stacked_bias,
        flipped=mixture.flipped,
        shared=shared,
        shared_gate=Dense(name + "shared_expert_gate", width, 1) if shared else None,
    )


def _dense_feed_forward(fields: Fields, style: Style, block: str, inner: int) -> FeedForward:
    width, bias = fields.number("hidden_size"), is_on(fields, style.mlp_bias)
    up = tuple(Dense(f"{block}.{name}", width, inner, bias) for name in style.up)
    if style.fused_up:
        up = (Dense(f"{block}.gate_up_proj", width, 2 * inner, bias),)
    return FeedForward(up=up, down=(Dense(f"{block}.{style.down}", inner, width, bias),))


def _sparse(fields: Fields, index: int) -> bool:
    return (
        index not in fields.numbers("mlp_only_layers")
        and (index + 1) % fields.number("decoder_sparse_step", default=1) == 0
    )


def _rotary(fields: Fields, index: int) -> bool:
    listed = fields.numbers("no_rope_layers")
    return bool(listed[index]) if listed else (index + 1) % fields.number("no_rope_layer_interval", default=4) != 0


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
