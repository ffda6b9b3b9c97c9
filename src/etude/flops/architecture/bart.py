"""BART and its kin (mBART, Pegasus, Marian, Blenderbot)."""

from __future__ import annotations

from dataclasses import dataclass

from etude.flops.architecture.blueprint import (
    Attention,
    Blueprint,
    Dense,
    Embedding,
    FeedForward,
    Head,
    Layer,
    Mask,
    Norm,
    Path,
    Stack,
    Sublayer,
    norm_sublayer,
)
from etude.flops.architecture.fields import Fields, each


@dataclass(frozen=True, slots=True, kw_only=True)
class BartStyle:
    """How a model differs from BART."""

    order: str = "post"
    """`post`: norms after each sublayer; `pre`: before."""
    entry_norm: bool = True
    exit_norm: bool = False
    offset: int = 2
    """Extra rows of the position table."""
    positions: int = 1024
    """Default of `max_position_embeddings`."""
    fixed_positions: bool = False
    """Positions are sinusoidal and never trained."""
    position_table: bool = True
    """Whether the positions are a parameter at all."""
    own_vocabulary: bool = False
    """The decoder may have a vocabulary of its own (`share_encoder_decoder_embeddings` off)."""


BART_STYLES: dict[str, BartStyle] = {
    "bart": BartStyle(),
    "mbart": BartStyle(order="pre", exit_norm=True),
    "pegasus": BartStyle(order="pre", entry_norm=False, exit_norm=True, offset=0, fixed_positions=True),
    "marian": BartStyle(entry_norm=False, offset=0, fixed_positions=True, own_vocabulary=True),
    "m2m_100": BartStyle(order="pre", entry_norm=False, exit_norm=True, position_table=False),
    "blenderbot": BartStyle(order="pre", entry_norm=False, exit_norm=True, offset=0, positions=128),
}
"""Model type → how it differs from BART."""


def bart(fields: Fields, style: BartStyle) -> Blueprint:
    """BART and its kin: biases everywhere, learned or sinusoidal positions.

    Untied, encoder and decoder have tables of their own, and the shared one is there and read by nobody.
    """
    width, vocabulary = fields.number("d_model", "hidden_size"), fields.number("vocab_size")
    tied = fields.flag("tie_word_embeddings", default=True)
    apart = style.own_vocabulary and not fields.flag("share_encoder_decoder_embeddings", default=True)
    decoded = fields.number("decoder_vocab_size", default=vocabulary) if apart else vocabulary
    rows = fields.number("max_position_embeddings", default=style.positions) + style.offset

    def stack(name: str) -> Stack:
        entry: Path = (Norm(f"{name}.layernorm_embedding", width, bias=True),) if style.entry_norm else ()
        leave: Path = (Norm(f"{name}.layer_norm", width, bias=True),) if style.exit_norm else ()
        layer = _bart_layer(fields, style, name)
        return Stack(
            embeddings=(
                Embedding(
                    "shared" if tied and not apart else f"{name}.embed_tokens",
                    decoded if name == "decoder" else vocabulary,
                    width,
                ),
                *(
                    (Embedding(f"{name}.embed_positions", rows, width, frozen=style.fixed_positions),)
                    if style.position_table
                    else ()
                ),
            ),
            entry=entry,
            layers=tuple(
                Layer(prefix=f"{name}.layers.{index}.", sublayers=layer)
                for index in range(fields.number(f"{name}_layers"))
            ),
            exit=leave,
        )

    head = (
        Dense("classification_head.dense", width, width, bias=True),
        Dense("classification_head.out_proj", width, fields.labels(default=3), bias=True),
    )
    return Blueprint(
        kind="encoder-decoder",
        width=width,
        encoder=stack("encoder"),
        stack=stack("decoder"),
        language=Head(
            path=(Dense("lm_head", width, decoded, tied_to=_output(tied, apart)),), per="scored", prefix="model."
        ),
        classifier=Head(path=head, per="sequence", prefix="model."),
        keeps_last_logits=False,
        idle=() if tied or apart else (Embedding("shared", vocabulary, width),),
    )


def _output(tied: bool, apart: bool) -> str:
    if not tied:
        return ""
    return "decoder.embed_tokens.weight" if apart else "shared.weight"


def _bart_layer(fields: Fields, style: BartStyle, name: str) -> tuple[Sublayer, ...]:
    width, inner = fields.number("d_model", "hidden_size"), fields.number(f"{name}_ffn_dim")
    thinking = FeedForward(up=(Dense("fc1", width, inner, bias=True),), down=(Dense("fc2", inner, width, bias=True),))
    parts: list[tuple[Attention | FeedForward, str]] = [(thinking, "final_layer_norm")]
    if name == "decoder":
        parts.insert(0, (_bart_attention(fields, name, "encoder_attn", "cross"), "encoder_attn_layer_norm"))
    mask: Mask = "causal" if name == "decoder" else "bidirectional"
    parts.insert(0, (_bart_attention(fields, name, "self_attn", mask), "self_attn_layer_norm"))
    return tuple(norm_sublayer(part, Norm(norm, width, bias=True), first=style.order == "pre") for part, norm in parts)


def _bart_attention(fields: Fields, stack: str, name: str, mask: Mask) -> Attention:
    width, heads = fields.number("d_model", "hidden_size"), fields.number(f"{stack}_attention_heads")
    query, key, value = ((Dense(f"{name}.{part}_proj", width, width, bias=True),) for part in "qkv")
    return Attention(
        heads=heads,
        key_dim=each(width, heads),
        value_dim=each(width, heads),
        query=query,
        key=key,
        value=value,
        output=(Dense(f"{name}.out_proj", width, width, bias=True),),
        mask=mask,
        cached=2 * width,
    )
