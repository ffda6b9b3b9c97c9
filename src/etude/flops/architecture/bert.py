"""Post-norm encoders: BERT, RoBERTa and its kin, DistilBERT, ELECTRA, ALBERT, MPNet."""

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
)
from etude.flops.architecture.fields import Fields, each


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What a post-norm encoder calls its modules."""

    attention: tuple[str, str, str, str]
    attention_norm: str
    up: str
    down: str
    output_norm: str


_BERT = _Names(
    attention=("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    attention_norm="attention.output.LayerNorm",
    up="intermediate.dense",
    down="output.dense",
    output_norm="output.LayerNorm",
)
_MPNET = _Names(
    attention=("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"),
    attention_norm="attention.LayerNorm",
    up="intermediate.dense",
    down="output.dense",
    output_norm="output.LayerNorm",
)
_DISTILBERT = _Names(
    attention=("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
    attention_norm="sa_layer_norm",
    up="ffn.lin1",
    down="ffn.lin2",
    output_norm="output_layer_norm",
)
_ALBERT = _Names(
    attention=("attention.query", "attention.key", "attention.value", "attention.dense"),
    attention_norm="attention.LayerNorm",
    up="ffn",
    down="ffn_output",
    output_norm="full_layer_layer_norm",
)


def _post_norm(names: _Names, width: int, heads: int, inner: int, *, biased: bool = False) -> tuple[Sublayer, ...]:
    query, key, value, output = (Dense(name, width, width, bias=True) for name in names.attention)
    attention = Attention(
        heads=heads,
        key_dim=each(width, heads),
        value_dim=each(width, heads),
        query=(query,),
        key=(key,),
        value=(value,),
        output=(output,),
        mask="bidirectional",
        cached=0,
        biased=biased,
    )
    thinking = FeedForward(
        up=(Dense(names.up, width, inner, bias=True),), down=(Dense(names.down, inner, width, bias=True),)
    )
    return (
        Sublayer(branches=(Branch(inner=attention),), closing=Norm(names.attention_norm, width, bias=True)),
        Sublayer(branches=(Branch(inner=thinking),), closing=Norm(names.output_norm, width, bias=True)),
    )


def _tied(fields: Fields) -> str:
    return "embeddings.word_embeddings.weight" if fields.flag("tie_word_embeddings", default=True) else ""


def _embeddings(fields: Fields, width: int, *, types: bool = True) -> tuple[Embedding, ...]:
    tables = (
        Embedding("embeddings.word_embeddings", fields.number("vocab_size"), width),
        Embedding("embeddings.position_embeddings", fields.number("max_position_embeddings", default=512), width),
    )
    if not types:
        return tables
    return (*tables, Embedding("embeddings.token_type_embeddings", fields.number("type_vocab_size", default=2), width))


def bert(fields: Fields) -> Blueprint:
    """BERT."""
    width = fields.number("hidden_size")
    transform = (
        Dense("cls.predictions.transform.dense", width, width, bias=True),
        Norm("cls.predictions.transform.LayerNorm", width, bias=True),
    )
    output = Dense(
        "cls.predictions.decoder",
        width,
        fields.number("vocab_size"),
        bias=True,
        bias_name="cls.predictions.bias",
        tied_to=_tied(fields),
    )
    return _bert_like(
        fields,
        language=Head((*transform, output), "scored", "bert."),
        classifier=Head((Dense("classifier", width, fields.labels(), bias=True),), "sequence", "bert.", pooled=True),
    )


def roberta(fields: Fields) -> Blueprint:
    """RoBERTa and its kin (XLM-RoBERTa, CamemBERT): BERT with a two-layer classification head on the first position."""
    width = fields.number("hidden_size")
    language = (
        Dense("lm_head.dense", width, width, bias=True),
        Norm("lm_head.layer_norm", width, bias=True),
        Dense(
            "lm_head.decoder",
            width,
            fields.number("vocab_size"),
            bias=True,
            bias_name="lm_head.bias",
            tied_to=_tied(fields),
        ),
    )
    return _bert_like(
        fields,
        language=Head(language, "scored", "roberta."),
        classifier=Head(_two_layers(fields, width), "sequence", "roberta."),
    )


def _two_layers(fields: Fields, width: int) -> Path:
    return (
        Dense("classifier.dense", width, width, bias=True),
        Dense("classifier.out_proj", width, fields.labels(), bias=True),
    )


def _bert_like(fields: Fields, *, language: Head, classifier: Head) -> Blueprint:
    fields.refuse("is_decoder", "an encoder turned decoder is not described")
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    layer = _post_norm(_BERT, width, heads, fields.number("intermediate_size"))
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=_embeddings(fields, width),
            entry=(Norm("embeddings.LayerNorm", width, bias=True),),
            layers=tuple(
                Layer(f"encoder.layer.{index}.", layer) for index in range(fields.number("num_hidden_layers"))
            ),
        ),
        pooler=(Dense("pooler.dense", width, width, bias=True),),
        language=language,
        classifier=classifier,
    )


def distilbert(fields: Fields) -> Blueprint:
    """DistilBERT: no token types, no pooler."""
    width, heads = fields.number("dim", "hidden_size"), fields.number("n_heads", "num_attention_heads")
    layer = _post_norm(_DISTILBERT, width, heads, fields.number("hidden_dim", "intermediate_size"))
    words, positions = _embeddings(fields, width, types=False)
    fixed = fields.flag("sinusoidal_pos_embds")
    count = fields.number("n_layers", "num_hidden_layers")
    language = (
        Dense("vocab_transform", width, width, bias=True),
        Norm("vocab_layer_norm", width, bias=True),
        Dense("vocab_projector", width, fields.number("vocab_size"), bias=True, tied_to=_tied(fields)),
    )
    classifier = (
        Dense("pre_classifier", width, width, bias=True),
        Dense("classifier", width, fields.labels(), bias=True),
    )
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=(words, Embedding(positions.name, positions.rows, width, frozen=fixed)),
            entry=(Norm("embeddings.LayerNorm", width, bias=True),),
            layers=tuple(Layer(f"transformer.layer.{index}.", layer) for index in range(count)),
        ),
        language=Head(language, "scored", "distilbert."),
        classifier=Head(classifier, "sequence", "distilbert."),
    )


def electra(fields: Fields) -> Blueprint:
    """ELECTRA: BERT's layers behind a projection from narrower embeddings."""
    width, narrow = fields.number("hidden_size"), fields.number("embedding_size", default=128)
    heads, vocabulary = fields.number("num_attention_heads"), fields.number("vocab_size")
    layer = _post_norm(_BERT, width, heads, fields.number("intermediate_size"))
    entry: Path = (Norm("embeddings.LayerNorm", narrow, bias=True),)
    if narrow != width:
        entry += (Dense("embeddings_project", narrow, width, bias=True),)
    language = (
        Dense("generator_predictions.dense", width, narrow, bias=True),
        Norm("generator_predictions.LayerNorm", narrow, bias=True),
        Dense("generator_lm_head", narrow, vocabulary, bias=True, tied_to=_tied(fields)),
    )
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=_embeddings(fields, narrow),
            entry=entry,
            layers=tuple(
                Layer(f"encoder.layer.{index}.", layer) for index in range(fields.number("num_hidden_layers"))
            ),
        ),
        language=Head(language, "scored", "electra."),
        classifier=Head(_two_layers(fields, width), "sequence", "electra."),
    )


def albert(fields: Fields) -> Blueprint:
    """ALBERT: all layers of a group are one layer used again."""
    width, narrow = fields.number("hidden_size"), fields.number("embedding_size", default=128)
    heads, vocabulary = fields.number("num_attention_heads"), fields.number("vocab_size")
    layer = _post_norm(_ALBERT, width, heads, fields.number("intermediate_size"))
    count, groups = fields.number("num_hidden_layers"), fields.number("num_hidden_groups", default=1)
    inner = fields.number("inner_group_num", default=1)
    layers = tuple(
        Layer(f"encoder.albert_layer_groups.{index * groups // count}.albert_layers.{part}.", layer)
        for index in range(count)
        for part in range(inner)
    )
    language = (
        Dense("predictions.dense", width, narrow, bias=True),
        Norm("predictions.LayerNorm", narrow, bias=True),
        Dense(
            "predictions.decoder", narrow, vocabulary, bias=True, bias_name="predictions.bias", tied_to=_tied(fields)
        ),
    )
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=_embeddings(fields, narrow),
            entry=(
                Norm("embeddings.LayerNorm", narrow, bias=True),
                Dense("encoder.embedding_hidden_mapping_in", narrow, width, bias=True),
            ),
            layers=layers,
        ),
        pooler=(Dense("pooler", width, width, bias=True),),
        language=Head(language, "scored", "albert."),
        classifier=Head((Dense("classifier", width, fields.labels(), bias=True),), "sequence", "albert.", pooled=True),
    )


def mpnet(fields: Fields) -> Blueprint:
    """MPNet: BERT with learned relative biases on the scores and no token types."""
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    inner, buckets = fields.number("intermediate_size"), fields.number("relative_attention_num_buckets", default=32)
    layer = _post_norm(_MPNET, width, heads, inner, biased=True)
    language = (
        Dense("lm_head.dense", width, width, bias=True),
        Norm("lm_head.layer_norm", width, bias=True),
        Dense(
            "lm_head.decoder",
            width,
            fields.number("vocab_size"),
            bias=True,
            bias_name="lm_head.bias",
            tied_to=_tied(fields),
        ),
    )
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=_embeddings(fields, width, types=False),
            entry=(Norm("embeddings.LayerNorm", width, bias=True),),
            relative=Embedding("encoder.relative_attention_bias", buckets, heads),
            layers=tuple(
                Layer(f"encoder.layer.{index}.", layer) for index in range(fields.number("num_hidden_layers"))
            ),
        ),
        pooler=(Dense("pooler.dense", width, width, bias=True),),
        language=Head(language, "scored", "mpnet."),
        classifier=Head(_two_layers(fields, width), "sequence", "mpnet."),
    )
