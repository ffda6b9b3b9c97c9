"""ModernBERT."""

from __future__ import annotations

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
)
from etude.flops.architecture.fields import Fields, each


def modernbert(fields: Fields) -> Blueprint:
    """ModernBERT: pre-norm, fused projections, gated feed-forward, most layers attend locally."""
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    count, bias = fields.number("num_hidden_layers"), fields.flag("norm_bias")
    local = _local_layers(fields, count)
    reach = fields.number("local_attention", default=128) // 2
    head: Path = (Dense("head.dense", width, width, fields.flag("classifier_bias")), Norm("head.norm", width, bias))
    tied = "embeddings.tok_embeddings.weight" if fields.flag("tie_word_embeddings", default=True) else ""
    vocabulary = fields.number("vocab_size")
    output = Dense("decoder", width, vocabulary, fields.flag("decoder_bias", default=True), tied_to=tied)
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=(Embedding("embeddings.tok_embeddings", vocabulary, width),),
            entry=(Norm("embeddings.norm", width, bias),),
            layers=tuple(
                Layer(
                    prefix=f"layers.{index}.",
                    sublayers=_modernbert_layer(
                        fields, width, heads, reach if local[index] else None, first=index == 0
                    ),
                )
                for index in range(count)
            ),
            exit=(Norm("final_norm", width, bias),),
        ),
        language=Head(path=(*head, output), per="scored", prefix="model."),
        classifier=Head(
            path=(*head, Dense("classifier", width, fields.labels(), bias=True)), per="sequence", prefix="model."
        ),
    )


def _local_layers(fields: Fields, count: int) -> list[bool]:
    types = fields.layer_types(count)
    if types is not None:
        return [kind == "sliding_attention" for kind in types]
    period = fields.number("global_attn_every_n_layers", default=3)
    return [index % period != 0 for index in range(count)]


def _modernbert_layer(
    fields: Fields, width: int, heads: int, reach: int | None, *, first: bool
) -> tuple[Sublayer, ...]:
    inner, norm = fields.number("intermediate_size"), fields.flag("norm_bias")
    bias, mlp_bias = fields.flag("attention_bias"), fields.flag("mlp_bias")
    attention = Attention(
        heads=heads,
        key_dim=each(width, heads),
        value_dim=each(width, heads),
        query=(Dense("attn.Wqkv", width, 3 * width, bias),),
        key=None,
        value=None,
        output=(Dense("attn.Wo", width, width, bias),),
        mask="bidirectional",
        window=reach,
        cached=0,
    )
    thinking = FeedForward(
        up=(Dense("mlp.Wi", width, 2 * inner, mlp_bias),), down=(Dense("mlp.Wo", inner, width, mlp_bias),)
    )
    before = None if first else Norm("attn_norm", width, norm)
    return (
        Sublayer(branches=(Branch(inner=attention, before=before),)),
        Sublayer(branches=(Branch(inner=thinking, before=Norm("mlp_norm", width, norm)),)),
    )
