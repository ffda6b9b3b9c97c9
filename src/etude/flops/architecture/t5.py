"""T5 and its kin (mT5, UMT5)."""

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
    Mask,
    Norm,
    Stack,
    Sublayer,
)
from etude.flops.architecture.fields import Fields


def t5(fields: Fields) -> Blueprint:
    """T5, mT5: pre-norm without biases; the first layer's relative biases serve all layers."""
    return _t5_like(fields, gated_default=False, relative_in_each=False)


def mt5(fields: Fields) -> Blueprint:
    """mT5: T5 with a gated feed-forward layer unless its config says otherwise."""
    return _t5_like(fields, gated_default=True, relative_in_each=False)


def umt5(fields: Fields) -> Blueprint:
    """UMT5: mT5 with relative biases of its own in every layer."""
    return _t5_like(fields, gated_default=True, relative_in_each=True)


def _t5_like(fields: Fields, *, gated_default: bool, relative_in_each: bool) -> Blueprint:
    width, vocabulary = fields.number("d_model", "hidden_size"), fields.number("vocab_size")
    layers = fields.number("num_layers", "num_hidden_layers")
    tied = fields.flag("tie_word_embeddings", default=True)
    table = Embedding("shared", vocabulary, width)
    gated = fields.text("feed_forward_proj", "gated-gelu" if gated_default else "relu").startswith("gated")

    def stack(name: str, count: int) -> Stack:
        return Stack(
            embeddings=(table,),
            layers=tuple(
                Layer(
                    prefix=f"{name}.block.{index}.",
                    sublayers=_t5_block(
                        fields, gated=gated, own=relative_in_each or index == 0, decoding=name == "decoder"
                    ),
                )
                for index in range(count)
            ),
            exit=(Norm(f"{name}.final_layer_norm", width),),
        )

    head = (
        Dense("classification_head.dense", width, width, bias=True),
        Dense("classification_head.out_proj", width, fields.labels(), bias=True),
    )
    return Blueprint(
        kind="encoder-decoder",
        width=width,
        encoder=stack("encoder", layers),
        stack=stack("decoder", fields.number("num_decoder_layers", default=layers)),
        language=Head(
            path=(Dense("lm_head", width, vocabulary, tied_to="shared.weight" if tied else ""),),
            per="scored",
            prefix="",
        ),
        classifier=Head(path=head, per="sequence", prefix="transformer."),
        keeps_last_logits=False,
    )


def _t5_block(fields: Fields, *, gated: bool, own: bool, decoding: bool) -> tuple[Sublayer, ...]:
    width, inner = fields.number("d_model", "hidden_size"), fields.number("d_ff", "intermediate_size")
    heads = fields.number("num_heads", "num_attention_heads")
    buckets = fields.number("relative_attention_num_buckets", default=32)
    biases = Embedding("layer.0.SelfAttention.relative_attention_bias", buckets, heads) if own else None
    inside = _t5_attention(fields, "layer.0.SelfAttention", "causal" if decoding else "bidirectional", biases)
    sublayers = [Sublayer(branches=(Branch(inner=inside, before=Norm("layer.0.layer_norm", width)),))]
    if decoding:
        across = _t5_attention(fields, "layer.1.EncDecAttention", "cross", None)
        sublayers.append(Sublayer(branches=(Branch(inner=across, before=Norm("layer.1.layer_norm", width)),)))
    last = f"layer.{len(sublayers)}"
    name = f"{last}.DenseReluDense"
    thinking = FeedForward(
        up=tuple(Dense(f"{name}.{part}", width, inner) for part in (("wi_0", "wi_1") if gated else ("wi",))),
        down=(Dense(f"{name}.wo", inner, width),),
    )
    sublayers.append(Sublayer(branches=(Branch(inner=thinking, before=Norm(f"{last}.layer_norm", width)),)))
    return tuple(sublayers)


def _t5_attention(fields: Fields, name: str, mask: Mask, relative: Embedding | None) -> Attention:
    width, dim = fields.number("d_model", "hidden_size"), fields.number("d_kv", default=64)
    heads = fields.number("num_heads", "num_attention_heads")
    query, key, value = ((Dense(f"{name}.{part}", width, heads * dim),) for part in "qkv")
    return Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=query,
        key=key,
        value=value,
        output=(Dense(f"{name}.o", heads * dim, width),),
        mask=mask,
        cached=2 * heads * dim,
        relative=relative,
        biased=mask != "cross",
    )
