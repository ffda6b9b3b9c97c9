"""The text part of Llama 4: chunks of attention, and experts that transformers runs on every token."""

from __future__ import annotations

from etude.flops.architecture.blueprint import (
    Attention,
    Blueprint,
    Branch,
    Dense,
    Embedding,
    Experts,
    FeedForward,
    Head,
    Layer,
    Norm,
    Stack,
    Sublayer,
)
from etude.flops.architecture.fields import Fields, each

_ALL_EXPERTS = (
    "every expert runs on every token, as transformers has it: a server that runs only those the router chose does less"
)


def llama4_text(fields: Fields) -> Blueprint:
    """Llama 4's decoder: most layers attend within chunks, and all or some have experts beside a shared one."""
    width, vocabulary = fields.number("hidden_size"), fields.number("vocab_size")
    tied = fields.flag("tie_word_embeddings")
    head = Dense("lm_head", width, vocabulary, tied_to="embed_tokens.weight" if tied else "")
    return Blueprint(
        kind="decoder",
        width=width,
        stack=Stack(
            embeddings=(Embedding("embed_tokens", vocabulary, width),),
            layers=tuple(
                Layer(prefix=f"layers.{index}.", sublayers=_sublayers(fields, chunk, experts=experts))
                for index, (chunk, experts) in enumerate(zip(_chunks(fields), _mixtures(fields), strict=True))
            ),
            exit=(Norm("norm", width),),
        ),
        language=Head(path=(head,), per="scored", prefix="model."),
        classifier=Head(path=(Dense("score", width, fields.labels()),), per="token", prefix="model."),
        notes=(_ALL_EXPERTS,),
    )


def _chunks(fields: Fields) -> list[int | None]:
    """For each layer the size of its chunks; None for full attention."""
    count, size = fields.number("num_hidden_layers"), fields.nullable("attention_chunk_size", 8192)
    kinds = fields.layer_types(count, ("full_attention", "chunked_attention"))
    if kinds is None:
        interval, listed = fields.number("no_rope_layer_interval", default=4), fields.numbers("no_rope_layers")
        rotary = [bool(each) for each in listed] or [(index + 1) % interval != 0 for index in range(count)]
        return [size if turns else None for turns in rotary]
    return [size if kind == "chunked_attention" else None for kind in kinds]


def _mixtures(fields: Fields) -> list[bool]:
    """For each layer whether it has experts."""
    count, step = fields.number("num_hidden_layers"), fields.number("interleave_moe_layer_step", default=1)
    if fields.values.get("moe_layers") is not None:
        return [index in fields.numbers("moe_layers") for index in range(count)]
    return [(index + 1) % step == 0 for index in range(count)]


def _sublayers(fields: Fields, chunk: int | None, *, experts: bool) -> tuple[Sublayer, ...]:
    width = fields.number("hidden_size")
    thinking = _experts(fields) if experts else _gated(fields, "feed_forward", "intermediate_size_mlp", 16384)
    return (
        Sublayer(branches=(Branch(inner=_attention(fields, chunk), before=Norm("input_layernorm", width)),)),
        Sublayer(branches=(Branch(inner=thinking, before=Norm("post_attention_layernorm", width)),)),
    )


def _attention(fields: Fields, chunk: int | None) -> Attention:
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    kv_heads = fields.number("num_key_value_heads", default=8)
    dim = fields.number("head_dim", default=128) if "head_dim" not in fields.values else fields.optional("head_dim")
    dim = dim or each(width, heads)
    each(heads, kv_heads)
    bias = fields.flag("attention_bias")
    query, key, value = (
        (Dense(f"self_attn.{name}_proj", width, (heads if name == "q" else kv_heads) * dim, bias),) for name in "qkv"
    )
    return Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=query,
        key=key,
        value=value,
        output=(Dense("self_attn.o_proj", heads * dim, width, bias),),
        chunk=chunk,
        cached=2 * kv_heads * dim,
    )


def _experts(fields: Fields) -> Experts:
    width, count = fields.number("hidden_size"), fields.number("num_local_experts", default=16)
    return Experts(
        router=Dense("feed_forward.router", width, count),
        name="feed_forward.experts.",
        count=count,
        active=count,
        d_model=width,
        d_expert=fields.number("intermediate_size"),
        flipped=True,
        scaled_first=True,
        shared=_gated(fields, "feed_forward.shared_expert", "intermediate_size", None),
    )


def _gated(fields: Fields, block: str, size: str, default: int | None) -> FeedForward:
    width, inner = fields.number("hidden_size"), fields.number(size, default=default)
    return FeedForward(
        up=(Dense(f"{block}.gate_proj", width, inner), Dense(f"{block}.up_proj", width, inner)),
        down=(Dense(f"{block}.down_proj", inner, width),),
    )
