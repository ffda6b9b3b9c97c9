"""OPT and XGLM."""

from __future__ import annotations

from etude.flops.architecture.blueprint import (
    Attention,
    Blueprint,
    Dense,
    Embedding,
    FeedForward,
    Head,
    Layer,
    Norm,
    Path,
    Stack,
    Sublayer,
    normed,
)
from etude.flops.architecture.fields import Fields, each


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
            layers=tuple(Layer(f"decoder.layers.{index}.", layer) for index in range(count)),
            exit=exits + ((Dense("decoder.project_out", width, narrow),) if projected else ()),
        ),
        language=Head((head,), "scored", "model."),
        classifier=Head((Dense("score", narrow, fields.labels()),), "token", "model."),
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
            layers=tuple(Layer(f"layers.{index}.", layer) for index in range(count)),
            exit=(Norm("layer_norm", width, bias=True),),
        ),
        language=Head((head,), "scored", "model."),
        classifier=Head((Dense("score", width, fields.labels()),), "token", "model."),
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
        normed(attention, Norm("self_attn_layer_norm", width, bias=affine, weight=affine), first=before),
        normed(thinking, Norm("final_layer_norm", width, bias=affine, weight=affine), first=before),
    )
