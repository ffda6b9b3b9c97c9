"""Post-norm encoders: BERT and its kin, with rotary positions (Nomic BERT, Jina) and disentangled ones (DeBERTa)."""

from __future__ import annotations

from dataclasses import dataclass

from etude.flops.architecture.blueprint import (
    Attention,
    Blueprint,
    Branch,
    Convolution,
    Dense,
    Embedding,
    FeedForward,
    Head,
    Layer,
    Norm,
    Path,
    Positions,
    Stack,
    Sublayer,
    norm_sublayer,
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
_DEBERTA = _Names(
    attention=(
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
        "attention.output.dense",
    ),
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


def _post_norm(
    names: _Names, width: int, heads: int, inner: int, *, biased: bool = False, positions: Positions | None = None
) -> tuple[Sublayer, ...]:
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
        positions=positions,
    )
    thinking = FeedForward(
        up=(Dense(names.up, width, inner, bias=True),), down=(Dense(names.down, inner, width, bias=True),)
    )
    return (
        Sublayer(branches=(Branch(inner=attention),), closing=Norm(names.attention_norm, width, bias=True)),
        Sublayer(branches=(Branch(inner=thinking),), closing=Norm(names.output_norm, width, bias=True)),
    )


def _language(
    fields: Fields, prefix: str, names: tuple[str, str, str], *, bias: str = "", narrow: int | None = None
) -> Head:
    """A masked-language head: a linear layer, a norm, and the scores of the vocabulary from the embedding, if tied.

    Args:
        fields: The config.
        prefix: What the names of the backbone's parameters begin with in the model that has this head.
        names: Of these three modules.
        bias: Name of the last one's bias as long as its weight is tied, where that is not its own.
        narrow: Width of the embedding, where that is not the hidden state's.
    """
    transform, norm, output = names
    width, vocabulary = fields.number("dim", "hidden_size"), fields.number("vocab_size")
    narrow = narrow or width
    tied = "embeddings.word_embeddings.weight" if fields.flag("tie_word_embeddings", default=True) else ""
    path = (
        Dense(transform, width, narrow, bias=True),
        Norm(norm, narrow, bias=True),
        Dense(output, narrow, vocabulary, bias=True, bias_name=bias, tied_to=tied),
    )
    return Head(path=path, per="scored", prefix=prefix)


def _language_of_bert(fields: Fields, prefix: str, norm: str = "LayerNorm") -> Head:
    block = "cls.predictions"
    names = (f"{block}.transform.dense", f"{block}.transform.{norm}", f"{block}.decoder")
    return _language(fields, prefix, names, bias=f"{block}.bias")


def _language_of_roberta(fields: Fields, prefix: str) -> Head:
    return _language(fields, prefix, ("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder"), bias="lm_head.bias")


def _classifier(
    fields: Fields, prefix: str, hidden: str = "classifier.dense", last: str = "classifier.out_proj"
) -> Head:
    """Two layers on the first position."""
    width = fields.number("dim", "hidden_size")
    path = (Dense(hidden, width, width, bias=True), Dense(last, width, fields.labels(), bias=True))
    return Head(path=path, per="sequence", prefix=prefix)


def _numbered(prefix: str, layer: tuple[Sublayer, ...], count: int) -> tuple[Layer, ...]:
    return tuple(Layer(prefix=f"{prefix}{index}.", sublayers=layer) for index in range(count))


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
    logits = Dense("classifier", fields.number("hidden_size"), fields.labels(), bias=True)
    return _bert_like(
        fields,
        language=_language_of_bert(fields, "bert."),
        classifier=Head(path=(logits,), per="sequence", prefix="bert.", pooled=True),
    )


def roberta(fields: Fields) -> Blueprint:
    """RoBERTa and its kin (XLM-RoBERTa, CamemBERT): BERT with a two-layer classification head on the first position."""
    return _bert_like(
        fields, language=_language_of_roberta(fields, "roberta."), classifier=_classifier(fields, "roberta.")
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
            layers=_numbered("encoder.layer.", layer, fields.number("num_hidden_layers")),
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
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=(words, Embedding(positions.name, positions.rows, width, frozen=fixed)),
            entry=(Norm("embeddings.LayerNorm", width, bias=True),),
            layers=_numbered("transformer.layer.", layer, count),
        ),
        language=_language(fields, "distilbert.", ("vocab_transform", "vocab_layer_norm", "vocab_projector")),
        classifier=_classifier(fields, "distilbert.", "pre_classifier", "classifier"),
    )


def electra(fields: Fields) -> Blueprint:
    """ELECTRA: BERT's layers behind a projection from narrower embeddings."""
    width, narrow = fields.number("hidden_size"), fields.number("embedding_size", default=128)
    heads = fields.number("num_attention_heads")
    layer = _post_norm(_BERT, width, heads, fields.number("intermediate_size"))
    entry: Path = (Norm("embeddings.LayerNorm", narrow, bias=True),)
    if narrow != width:
        entry += (Dense("embeddings_project", narrow, width, bias=True),)
    names = ("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head")
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=_embeddings(fields, narrow),
            entry=entry,
            layers=_numbered("encoder.layer.", layer, fields.number("num_hidden_layers")),
        ),
        language=_language(fields, "electra.", names, narrow=narrow),
        classifier=_classifier(fields, "electra."),
    )


def albert(fields: Fields) -> Blueprint:
    """ALBERT: all layers of a group are one layer used again."""
    width, narrow = fields.number("hidden_size"), fields.number("embedding_size", default=128)
    heads = fields.number("num_attention_heads")
    layer = _post_norm(_ALBERT, width, heads, fields.number("intermediate_size"))
    count, groups = fields.number("num_hidden_layers"), fields.number("num_hidden_groups", default=1)
    inner = fields.number("inner_group_num", default=1)
    layers = tuple(
        Layer(prefix=f"encoder.albert_layer_groups.{index * groups // count}.albert_layers.{part}.", sublayers=layer)
        for index in range(count)
        for part in range(inner)
    )
    names = ("predictions.dense", "predictions.LayerNorm", "predictions.decoder")
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
        language=_language(fields, "albert.", names, bias="predictions.bias", narrow=narrow),
        classifier=Head(
            path=(Dense("classifier", width, fields.labels(), bias=True),),
            per="sequence",
            prefix="albert.",
            pooled=True,
        ),
    )


def mpnet(fields: Fields) -> Blueprint:
    """MPNet: BERT with learned relative biases on the scores and no token types."""
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    inner, buckets = fields.number("intermediate_size"), fields.number("relative_attention_num_buckets", default=32)
    layer = _post_norm(_MPNET, width, heads, inner, biased=True)
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=_embeddings(fields, width, types=False),
            entry=(Norm("embeddings.LayerNorm", width, bias=True),),
            relative=Embedding("encoder.relative_attention_bias", buckets, heads),
            layers=_numbered("encoder.layer.", layer, fields.number("num_hidden_layers")),
        ),
        pooler=(Dense("pooler.dense", width, width, bias=True),),
        language=_language_of_roberta(fields, "mpnet."),
        classifier=_classifier(fields, "mpnet."),
    )


def nomic_bert(fields: Fields) -> Blueprint:
    """Nomic BERT: gated feed-forward layers without biases; a pooler for its classification head alone."""
    return _rotary(
        fields,
        bias=False,
        up=("gate_proj", "up_proj"),
        down="down_proj",
        types=2,
        language=_language_of_bert(fields, "nomic_bert.", "layer_norm"),
        classifier=_classifier(fields, "nomic_bert.", "nomic_bert.pooler.dense", "classifier"),
        pooler=(),
    )


def jina_embeddings_v3(fields: Fields) -> Blueprint:
    """Jina embeddings v3: XLM-RoBERTa's sizes and heads. Its adapters for tasks are not in it."""
    width = fields.number("hidden_size")
    return _rotary(
        fields,
        bias=True,
        up=("fc1",),
        down="fc2",
        types=1,
        language=_language_of_roberta(fields, "roberta."),
        classifier=_classifier(fields, "roberta."),
        pooler=(Dense("pooler.dense", width, width, bias=True),),
    )


def _rotary(
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
        norm_sublayer(attention, Norm("post_attention_layernorm", width, bias=True), first=False),
        norm_sublayer(thinking, Norm("post_mlp_layernorm", width, bias=True), first=False),
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
            layers=_numbered("layers.", layer, fields.number("num_hidden_layers")),
        ),
        pooler=pooler,
        language=language,
        classifier=classifier,
    )


def deberta_v2(fields: Fields) -> Blueprint:
    """DeBERTa v2 and v3: scores of contents against relative positions, whose table each pass projects once."""
    width, heads = fields.number("hidden_size"), fields.number("num_attention_heads")
    narrow = fields.number("embedding_size", default=width)
    for name, only in (("attention_head_size", each(width, heads)), ("pooler_hidden_size", width)):
        if fields.number(name, default=only) != only:
            raise fields.fault(name, fields.number(name), f"the model runs with {only} alone")
    table = _relative_positions(fields, width)
    positions = None if table is None else _positions(fields, width, table.rows)
    layer = _post_norm(_DEBERTA, width, heads, fields.number("intermediate_size"), positions=positions)
    entry: Path = (Norm("embeddings.LayerNorm", width, bias=True),)
    if narrow != width:
        entry = (Dense("embeddings.embed_proj", narrow, width), *entry)
    normed_table = "layer_norm" in fields.text("norm_rel_ebd", "none").lower().replace(" ", "").split("|")
    return Blueprint(
        kind="encoder",
        width=width,
        stack=Stack(
            embeddings=_embeddings_of_deberta(fields, narrow),
            entry=entry,
            relative=table,
            relative_norm=Norm("encoder.LayerNorm", width, bias=True) if normed_table else None,
            convolution=_convolution(fields, width),
            layers=_numbered("encoder.layer.", layer, fields.number("num_hidden_layers")),
        ),
        language=_language_of_deberta(fields, narrow),
        classifier=_classifier(fields, "deberta.", "pooler.dense", "classifier"),
    )


def _relative_positions(fields: Fields, width: int) -> Embedding | None:
    if not fields.flag("relative_attention"):
        return None
    span = fields.span("position_buckets") or fields.span("max_relative_positions")
    rows = 2 * (span or fields.number("max_position_embeddings", default=512))
    return Embedding("encoder.rel_embeddings", rows, width)


def _positions(fields: Fields, width: int, rows: int) -> Positions:
    """A layer that shares its projections with the contents runs both, whatever it makes of them."""
    kinds, shared = fields.words("pos_att_type"), fields.flag("share_att_key")
    names = ("key_proj", "query_proj") if shared else ("pos_key_proj", "pos_query_proj")
    keys, queries = (
        Dense(f"attention.self.{name}", width, width, bias=True) if shared or kind in kinds else None
        for name, kind in zip(names, ("c2p", "p2c"), strict=True)
    )
    return Positions(
        rows=rows,
        keys=keys,
        queries=queries,
        content_to_position="c2p" in kinds,
        position_to_content="p2c" in kinds,
    )


def _convolution(fields: Fields, width: int) -> Convolution | None:
    kernel = fields.whole("conv_kernel_size", 0)
    if not kernel:
        return None
    groups = fields.number("conv_groups", default=1)
    if kernel % 2 == 0:
        raise fields.fault("conv_kernel_size", kernel, "expected an odd number: with another one the model cannot run")
    if width % groups:
        raise fields.fault("conv_groups", groups, f"expected a divisor of {width}")
    norm = Norm("encoder.conv.LayerNorm", width, bias=True)
    return Convolution(name="encoder.conv.conv", width=width, kernel=kernel, groups=groups, norm=norm)


def _embeddings_of_deberta(fields: Fields, narrow: int) -> tuple[Embedding, ...]:
    words, positions = _embeddings(fields, narrow, types=False)
    tables = (words, positions) if fields.flag("position_biased_input", default=True) else (words,)
    types = fields.whole("type_vocab_size", 0)
    return (*tables, Embedding("embeddings.token_type_embeddings", types, narrow)) if types else tables


def _language_of_deberta(fields: Fields, narrow: int) -> Head | None:
    if fields.flag("legacy", default=True):
        block = "cls.predictions"
        names = (f"{block}.transform.dense", f"{block}.transform.LayerNorm", f"{block}.decoder")
        return _language(fields, "deberta.", names, bias=f"{block}.bias", narrow=narrow)
    width, block = fields.number("hidden_size"), "lm_predictions.lm_head"
    if narrow != width:
        return None
    words = "embeddings.word_embeddings.weight"
    output = Dense(block, width, fields.number("vocab_size"), bias=True, tied_to=words)
    path = (Dense(f"{block}.dense", width, width, bias=True), Norm(f"{block}.LayerNorm", width, bias=True), output)
    return Head(path=path, per="scored", prefix="deberta.")
