"""Post-norm encoders with rotary positions: Nomic BERT and Jina embeddings v3, as transformers has them."""

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
    normed,
)
from etude.flops.architecture.fields import Fields, each

_WORDS = "embeddings.word_embeddings.weight"


def nomic_bert(fields: Fields) -> Blueprint:
    """Nomic BERT: gated feed-forward layers without biases; a pooler for its classification head alone."""
    width = fields.number("hidden_size")
    before: Path = (
        Dense("cls.predictions.transform.dense", width, width, bias=True),
        Norm("cls.predictions.transform.layer_norm", width, bias=True),
    )
    return _encoder(
        fields,
        bias=False,
        up=("gate_proj", "up_proj"),
        down="down_proj",
        types=2,
        language=Head((*before, _decoder(fields, "cls.predictions")), "scored", "nomic_bert."),
        classifier=Head(
            (
                Dense("nomic_bert.pooler.dense", width, width, bias=True),
                Dense("classifier", width, fields.labels(), bias=True),
            ),
            "sequence",
            "nomic_bert.",
        ),
        pooler=(),
    )


def jina_embeddings_v3(fields: Fields) -> Blueprint:
    """Jina embeddings v3: XLM-RoBERTa's sizes and heads. Its adapters for tasks are not in it."""
    width = fields.number("hidden_size")
    before: Path = (Dense("lm_head.dense", width, width, bias=True), Norm("lm_head.layer_norm", width, bias=True))
    return _encoder(
        fields,
        bias=True,
        up=("fc1",),
        down="fc2",
        types=1,
        language=Head((*before, _decoder(fields, "lm_head")), "scored", "roberta."),
        classifier=Head(
            (
                Dense("classifier.dense", width, width, bias=True),
                Dense("classifier.out_proj", width, fields.labels(), bias=True),
            ),
            "sequence",
            "roberta.",
        ),
        pooler=(Dense("pooler.dense", width, width, bias=True),),
    )


def _decoder(fields: Fields, block: str) -> Dense:
    tied = _WORDS if fields.flag("tie_word_embeddings", default=True) else ""
    width, vocabulary = fields.number("hidden_size"), fields.number("vocab_size")
    return Dense(f"{block}.decoder", width, vocabulary, bias=True, bias_name=f"{block}.bias", tied_to=tied)


def _encoder(
    fields: Fields,
    *,
    bias: bool,
    up: tuple[str, ...],
    down: str,
    types: int,
    language: Head,
    classifier: Head,
    pooler: Path,
) -> Blueprint:
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    dim = fields.optional("head_dim") or each(width, heads)
    inner = fields.number("intermediate_size")
    query, key, value = ((Dense(f"self_attn.{name}_proj", width, heads * dim, bias),) for name in "qkv")
    attention = Attention(
        heads=heads,
        key_dim=dim,
        value_dim=dim,
        query=query,
        key=key,
        value=value,
        output=(Dense("self_attn.o_proj", heads * dim, width, bias),),
        mask="bidirectional",
        cached=0,
    )
    thinking = FeedForward(
        up=tuple(Dense(f"mlp.{name}", width, inner, bias) for name in up),
        down=(Dense(f"mlp.{down}", inner, width, bias),),
    )
    layer = (
        normed(attention, Norm("post_attention_layernorm", width, bias=True), first=False),
        normed(thinking, Norm("post_mlp_layernorm", width, bias=True), first=False),
    )
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=(
                Embedding("embeddings.word_embeddings", fields.number("vocab_size"), width),
                Embedding("embeddings.token_type_embeddings", fields.number("type_vocab_size", default=types), width),
            ),
            entry=(Norm("embeddings.LayerNorm", width, bias=True),),
            layers=tuple(Layer(f"layers.{index}.", layer) for index in range(fields.number("num_hidden_layers"))),
        ),
        pooler=pooler,
        language=language,
        classifier=classifier,
    )
