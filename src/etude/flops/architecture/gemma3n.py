"""The text part of Gemma 3n: several residual streams, embeddings for each layer, layers that share keys and values."""

from __future__ import annotations

from etude.flops.architecture.blueprint import (
    AltUp,
    Attention,
    Blueprint,
    Branch,
    Dense,
    Embedding,
    FeedForward,
    Head,
    Layer,
    Norm,
    Stack,
    Sublayer,
)
from etude.flops.architecture.fields import Fields, each


def gemma3n_text(fields: Fields) -> Blueprint:
    """Gemma 3n's decoder."""
    width, vocabulary = fields.number("hidden_size"), fields.number("vocab_size")
    count = fields.number("num_hidden_layers")
    tied = fields.flag("tie_word_embeddings", default=True)
    head = Dense("lm_head", width, vocabulary, tied_to="embed_tokens.weight" if tied else "")
    attentions = _attentions(fields, count)
    return Blueprint(
        kind="decoder",
        width=width,
        stack=Stack(
            embeddings=(Embedding("embed_tokens", vocabulary, width),),
            altup=_altup(fields, count),
            layers=tuple(
                Layer(prefix=f"layers.{index}.", sublayers=_sublayers(width, attention, inner))
                for index, (attention, inner) in enumerate(zip(attentions, _inner(fields, count), strict=True))
            ),
            exit=(Norm("norm", width),),
        ),
        language=Head(path=(head,), per="scored", prefix="model."),
        classifier=Head(path=(Dense("score", width, fields.labels()),), per="token", prefix="model."),
    )


def _inner(fields: Fields, count: int) -> tuple[int, ...]:
    """For each layer the width of its feed-forward layer."""
    if isinstance(fields.values.get("intermediate_size"), list | tuple):
        return fields.numbers("intermediate_size")
    return (fields.number("intermediate_size"),) * count


def _altup(fields: Fields, count: int) -> AltUp:
    width, streams = fields.number("hidden_size"), fields.number("altup_num_inputs", default=4)
    own, rank = fields.number("hidden_size_per_layer_input", default=256), fields.number("laurel_rank", default=64)
    rows = fields.number("vocab_size_per_layer_input", default=262144)
    return AltUp(
        streams=streams,
        width=width,
        router=(Norm("altup.router_norm", width), Dense("altup.modality_router", width, streams)),
        prediction=Dense("altup.prediction_coefs", streams, streams**2),
        correction=Dense("altup.correction_coefs", streams, streams),
        scale="altup.correct_output_scale",
        scaled=fields.flag("altup_correct_scale", default=True),
        low_rank=(
            Dense("laurel.linear_left", width, rank),
            Dense("laurel.linear_right", rank, width),
            Norm("laurel.post_laurel_norm", width),
        ),
        gate=Dense("per_layer_input_gate", width, own),
        projection=(Dense("per_layer_projection", own, width), Norm("post_per_layer_input_norm", width)),
        entry=tuple(Dense(f"altup_projections.{index}", width, width) for index in range(streams - 1)),
        exit=tuple(Dense(f"altup_unembed_projections.{index}", width, width) for index in range(streams - 1)),
        table=Embedding("embed_tokens_per_layer", rows, count * own),
        context=(Dense("per_layer_model_projection", width, count * own), Norm("per_layer_projection_norm", own)),
    )


def _attentions(fields: Fields, count: int) -> list[Attention]:
    """The attention of each layer; the last ones share keys and values of the last before them of their kind."""
    kinds = fields.layer_types(count) or tuple(
        "sliding_attention" if (index + 1) % 5 else "full_attention" for index in range(count)
    )
    first_sharing = count - fields.whole("num_kv_shared_layers", 15)
    own = kinds[: max(first_sharing, 0)]
    if first_sharing < count and set(own) != set(kinds):
        raise fields.fault(
            "num_kv_shared_layers", count - first_sharing, "expected a layer of each kind that has keys of its own"
        )
    last = {kind: index for index, kind in enumerate(own)}
    return [
        _attention(
            fields,
            kind,
            keeps_as=kind if first_sharing < count and last[kind] == index else "",
            shares=kind if index >= first_sharing else "",
        )
        for index, kind in enumerate(kinds)
    ]


def _attention(fields: Fields, kind: str, *, keeps_as: str, shares: str) -> Attention:
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    kv_heads, dim = fields.number("num_key_value_heads", default=2), fields.number("head_dim", default=256)
    each(heads, kv_heads)
    bias = fields.flag("attention_bias")
    query, key, value = (
        Dense(f"self_attn.{name}_proj", width, (heads if name == "q" else kv_heads) * dim, bias) for name in "qkv"
    )
    return Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=(query, Norm("self_attn.q_norm", dim)),
        key=(key, Norm("self_attn.k_norm", dim)),
        value=(value, Norm("self_attn.v_norm", dim, weight=False)),
        output=(Dense("self_attn.o_proj", heads * dim, width, bias),),
        window=fields.nullable("sliding_window", 512) if kind == "sliding_attention" else None,
        cached=0 if shares else 2 * kv_heads * dim,
        keeps_as=keeps_as,
        shares=shares,
    )


def _sublayers(width: int, attention: Attention, inner: int) -> tuple[Sublayer, ...]:
    thinking = FeedForward(
        up=(Dense("mlp.gate_proj", width, inner), Dense("mlp.up_proj", width, inner)),
        down=(Dense("mlp.down_proj", inner, width),),
    )
    names = ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")
    first, second, third, fourth = (Norm(name, width) for name in names)
    return (
        Sublayer(branches=(Branch(inner=attention, before=first, after=second),)),
        Sublayer(branches=(Branch(inner=thinking, before=third, after=fourth),)),
    )
