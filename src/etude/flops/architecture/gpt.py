"""Decoder-only models of the GPT kind: GPT-2, GPT-BigCode, GPT-J, GPT-NeoX, BLOOM, Falcon, OPT and XGLM."""

from __future__ import annotations

from dataclasses import dataclass

from etude.flops.architecture.blueprint import (
    Attention,
    Blueprint,
    Branch,
    Dense,
    Embedding,
    FeedForward,
    Head,
    Layer,
    Norm,
    Path,
    Stack,
    Sublayer,
    norm_sublayer,
)
from etude.flops.architecture.fields import Fields, each


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderFrame:
    """What surrounds the layers of a decoder."""

    prefix: str
    tokens: str
    tied: bool
    head: str = "lm_head"
    head_bias: bool = False
    positions: Embedding | None = None
    entry: Path = ()
    exit: Path


def decoder_in(fields: Fields, frame: DecoderFrame, width: int, layers: tuple[Layer, ...]) -> Blueprint:
    """A decoder of these layers within this frame."""
    vocabulary = fields.number("vocab_size")
    tied = frame.tokens + ".weight" if fields.flag("tie_word_embeddings", default=frame.tied) else ""
    embeddings = (Embedding(frame.tokens, vocabulary, width),)
    return Blueprint(
        kind="decoder",
        width=width,
        stack=Stack(
            embeddings=embeddings + ((frame.positions,) if frame.positions else ()),
            entry=frame.entry,
            layers=layers,
            exit=frame.exit,
        ),
        language=Head(
            path=(Dense(frame.head, width, vocabulary, frame.head_bias, tied_to=tied),),
            per="scored",
            prefix=frame.prefix,
        ),
        classifier=Head(path=(Dense("score", width, fields.labels()),), per="token", prefix=frame.prefix),
    )


def _fused(name: str, width: int, heads: int, kv_heads: int, bias: bool, *, flipped: bool = False) -> Dense:
    return Dense(name, width, width + 2 * kv_heads * each(width, heads), bias, flipped=flipped)


def _self_attention(heads: int, width: int, fused: Dense, output: Dense, *, cached_heads: int) -> Attention:
    dim = each(width, heads)
    return Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=(fused,),
        key=None,
        value=None,
        output=(output,),
        cached=2 * cached_heads * dim,
    )


def _in_turn(attention: Attention, first: Norm, thinking: FeedForward, second: Norm) -> tuple[Sublayer, ...]:
    return (
        Sublayer(branches=(Branch(inner=attention, before=first),)),
        Sublayer(branches=(Branch(inner=thinking, before=second),)),
    )


def gpt2(fields: Fields) -> Blueprint:
    """GPT-2: fused projections stored the other way round, learned positions."""
    fields.refuse("add_cross_attention", "GPT-2 with cross-attention is not described")
    return _gpt2_like(fields, kv_heads=None, flipped=True)


def gpt_bigcode(fields: Fields) -> Blueprint:
    """GPT-BigCode (StarCoder): GPT-2 with one key and value head for all query heads."""
    fields.refuse("add_cross_attention", "GPT-BigCode with cross-attention is not described")
    return _gpt2_like(fields, kv_heads=1 if fields.flag("multi_query", default=True) else None, flipped=False)


def _gpt2_like(fields: Fields, kv_heads: int | None, flipped: bool) -> Blueprint:
    width, heads = fields.number("n_embd", "hidden_size"), fields.number("n_head", "num_attention_heads")
    inner = fields.number("n_inner", default=4 * width)
    kept = kv_heads or heads
    attention = _self_attention(
        heads,
        width,
        _fused("attn.c_attn", width, heads, kept, bias=True, flipped=flipped),
        Dense("attn.c_proj", width, width, bias=True, flipped=flipped),
        cached_heads=kept,
    )
    thinking = FeedForward(
        up=(Dense("mlp.c_fc", width, inner, bias=True, flipped=flipped),),
        down=(Dense("mlp.c_proj", inner, width, bias=True, flipped=flipped),),
    )
    layer = _in_turn(attention, Norm("ln_1", width, bias=True), thinking, Norm("ln_2", width, bias=True))
    frame = DecoderFrame(
        prefix="transformer.",
        tokens="wte",
        tied=True,
        positions=Embedding("wpe", fields.number("n_positions", "max_position_embeddings", default=1024), width),
        exit=(Norm("ln_f", width, bias=True),),
    )
    count = fields.number("n_layer", "num_hidden_layers")
    return decoder_in(
        fields, frame, width, tuple(Layer(prefix=f"h.{index}.", sublayers=layer) for index in range(count))
    )


def gptj(fields: Fields) -> Blueprint:
    """GPT-J: attention and feed-forward in parallel behind one norm; the head has a bias."""
    width, heads = fields.number("n_embd", "hidden_size"), fields.number("n_head", "num_attention_heads")
    inner, dim = fields.number("n_inner", default=4 * width), each(width, heads)
    query, key, value = ((Dense(f"attn.{name}_proj", width, width),) for name in "qkv")
    attention = Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=query,
        key=key,
        value=value,
        output=(Dense("attn.out_proj", width, width),),
        cached=2 * width,
    )
    thinking = FeedForward(
        up=(Dense("mlp.fc_in", width, inner, bias=True),), down=(Dense("mlp.fc_out", inner, width, bias=True),)
    )
    layer = (
        Sublayer(before=Norm("ln_1", width, bias=True), branches=(Branch(inner=attention), Branch(inner=thinking))),
    )
    frame = DecoderFrame(
        prefix="transformer.", tokens="wte", tied=False, head_bias=True, exit=(Norm("ln_f", width, bias=True),)
    )
    count = fields.number("n_layer", "num_hidden_layers")
    return decoder_in(
        fields, frame, width, tuple(Layer(prefix=f"h.{index}.", sublayers=layer) for index in range(count))
    )


def gpt_neox(fields: Fields) -> Blueprint:
    """GPT-NeoX (Pythia): fused projections, parallel branches with a norm each."""
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    inner, bias = fields.number("intermediate_size"), fields.flag("attention_bias", default=True)
    attention = _self_attention(
        heads,
        width,
        _fused("attention.query_key_value", width, heads, heads, bias),
        Dense("attention.dense", width, width, bias),
        cached_heads=heads,
    )
    thinking = _megatron_mlp(width, inner, bias=True)
    first, second = Norm("input_layernorm", width, bias=True), Norm("post_attention_layernorm", width, bias=True)
    layer = _in_turn(attention, first, thinking, second)
    if fields.flag("use_parallel_residual", default=True):
        layer = (Sublayer(branches=tuple(branch for sublayer in layer for branch in sublayer.branches)),)
    frame = DecoderFrame(
        prefix="gpt_neox.", tokens="embed_in", tied=False, exit=(Norm("final_layer_norm", width, bias=True),)
    )
    count = fields.number("num_hidden_layers")
    return decoder_in(
        fields, frame, width, tuple(Layer(prefix=f"layers.{index}.", sublayers=layer) for index in range(count))
    )


def _megatron_mlp(width: int, inner: int, *, bias: bool) -> FeedForward:
    return FeedForward(
        up=(Dense("mlp.dense_h_to_4h", width, inner, bias),), down=(Dense("mlp.dense_4h_to_h", inner, width, bias),)
    )


def bloom(fields: Fields) -> Blueprint:
    """BLOOM: fused projections, a norm on the embeddings, positions as fixed biases on the scores."""
    width, heads = fields.number("hidden_size", "n_embed"), fields.number("n_head", "num_attention_heads")
    attention = _self_attention(
        heads,
        width,
        _fused("self_attention.query_key_value", width, heads, heads, bias=True),
        Dense("self_attention.dense", width, width, bias=True),
        cached_heads=heads,
    )
    layer = _in_turn(
        attention,
        Norm("input_layernorm", width, bias=True),
        _megatron_mlp(width, 4 * width, bias=True),
        Norm("post_attention_layernorm", width, bias=True),
    )
    frame = DecoderFrame(
        prefix="transformer.",
        tokens="word_embeddings",
        tied=True,
        entry=(Norm("word_embeddings_layernorm", width, bias=True),),
        exit=(Norm("ln_f", width, bias=True),),
    )
    count = fields.number("n_layer", "num_hidden_layers")
    return decoder_in(
        fields, frame, width, tuple(Layer(prefix=f"h.{index}.", sublayers=layer) for index in range(count))
    )


def falcon(fields: Fields) -> Blueprint:
    """Falcon: the new architecture (grouped heads), or the old with one or all key heads; parallel or in turn."""
    width, heads = fields.number("hidden_size", "n_embed"), fields.number("num_attention_heads")
    count = fields.number("num_hidden_layers")
    new, bias = fields.flag("new_decoder_architecture"), fields.flag("bias")
    if new:
        kv_heads = fields.number("num_kv_heads", default=heads)
    else:
        kv_heads = 1 if fields.flag("multi_query", default=True) else heads
    attention = _self_attention(
        heads,
        width,
        _fused("self_attention.query_key_value", width, heads, kv_heads, bias),
        Dense("self_attention.dense", width, width, bias),
        cached_heads=heads if new else kv_heads,
    )
    thinking = _megatron_mlp(width, fields.number("ffn_hidden_size", default=4 * width), bias=bias)
    layer = _falcon_layer(fields, attention, thinking, width, two_norms=new)
    frame = DecoderFrame(
        prefix="transformer.", tokens="word_embeddings", tied=True, exit=(Norm("ln_f", width, bias=True),)
    )
    return decoder_in(
        fields, frame, width, tuple(Layer(prefix=f"h.{index}.", sublayers=layer) for index in range(count))
    )


def _falcon_layer(
    fields: Fields, attention: Attention, thinking: FeedForward, width: int, *, two_norms: bool
) -> tuple[Sublayer, ...]:
    first = Norm("input_layernorm", width, bias=True)
    if not fields.flag("parallel_attn", default=True):
        return _in_turn(attention, first, thinking, Norm("post_attention_layernorm", width, bias=True))
    if two_norms and fields.number("num_ln_in_parallel_attn", default=2) == 2:
        own = Norm("ln_attn", width, bias=True), Norm("ln_mlp", width, bias=True)
        return (Sublayer(branches=(Branch(inner=attention, before=own[0]), Branch(inner=thinking, before=own[1]))),)
    return (Sublayer(before=first, branches=(Branch(inner=attention), Branch(inner=thinking))),)


def opt(fields: Fields) -> Blueprint:
    """OPT: learned positions, optional projections around a narrower embedding, norms before or after."""
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    narrow = fields.number("word_embed_proj_dim", default=width)
    vocabulary, count = fields.number("vocab_size"), fields.number("num_hidden_layers")
    bias, before = fields.flag("enable_bias", default=True), fields.flag("do_layer_norm_before", default=True)
    affine = fields.flag("layer_norm_elementwise_affine", default=True)
    layer = _opt_layer(fields, width, heads, bias=bias, before=before, affine=affine)
    final = before and not fields.flag("_remove_final_layer_norm")
    exits: Path = (Norm("decoder.final_layer_norm", width, bias=affine, weight=affine),) if final else ()
    projected = narrow != width
    tied = fields.flag("tie_word_embeddings", default=True)
    head = Dense("lm_head", narrow, vocabulary, tied_to="decoder.embed_tokens.weight" if tied else "")
    return Blueprint(
        kind="decoder",
        width=narrow,
        stack=Stack(
            embeddings=(
                Embedding("decoder.embed_tokens", vocabulary, narrow),
                Embedding("decoder.embed_positions", fields.number("max_position_embeddings", default=2048) + 2, width),
            ),
            projection=(Dense("decoder.project_in", narrow, width),) if projected else (),
            layers=tuple(Layer(prefix=f"decoder.layers.{index}.", sublayers=layer) for index in range(count)),
            exit=exits + ((Dense("decoder.project_out", width, narrow),) if projected else ()),
        ),
        language=Head(path=(head,), per="scored", prefix="model."),
        classifier=Head(path=(Dense("score", narrow, fields.labels()),), per="token", prefix="model."),
    )


def xglm(fields: Fields) -> Blueprint:
    """XGLM: OPT's layers with norms before them and sinusoidal positions that are no parameter."""
    fields.refuse("add_cross_attention", "a decoder that reads an encoder is not described")
    width, vocabulary = fields.number("d_model", "hidden_size"), fields.number("vocab_size")
    heads = fields.number("attention_heads", "num_attention_heads")
    layer = _opt_layer(fields, width, heads, bias=True, before=True, affine=True)
    tied = fields.flag("tie_word_embeddings", default=True)
    head = Dense("lm_head", width, vocabulary, tied_to="embed_tokens.weight" if tied else "")
    count = fields.number("num_layers", "num_hidden_layers")
    return Blueprint(
        kind="decoder",
        width=width,
        stack=Stack(
            embeddings=(Embedding("embed_tokens", vocabulary, width),),
            layers=tuple(Layer(prefix=f"layers.{index}.", sublayers=layer) for index in range(count)),
            exit=(Norm("layer_norm", width, bias=True),),
        ),
        language=Head(path=(head,), per="scored", prefix="model."),
        classifier=Head(path=(Dense("score", width, fields.labels()),), per="token", prefix="model."),
    )


def _opt_layer(
    fields: Fields, width: int, heads: int, *, bias: bool, before: bool, affine: bool
) -> tuple[Sublayer, ...]:
    dim, inner = each(width, heads), fields.number("ffn_dim")
    query, key, value = ((Dense(f"self_attn.{name}_proj", width, width, bias),) for name in "qkv")
    attention = Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=query,
        key=key,
        value=value,
        output=(Dense("self_attn.out_proj", width, width, bias),),
        cached=2 * width,
    )
    thinking = FeedForward(up=(Dense("fc1", width, inner, bias),), down=(Dense("fc2", inner, width, bias),))
    return (
        norm_sublayer(attention, Norm("self_attn_layer_norm", width, bias=affine, weight=affine), first=before),
        norm_sublayer(thinking, Norm("final_layer_norm", width, bias=affine, weight=affine), first=before),
    )
