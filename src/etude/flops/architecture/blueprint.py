"""The words in which an architecture is described: what layers it has, how large, in which order. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from etude.errors import require

Kind = Literal["decoder", "encoder", "encoder-decoder"]
Mask = Literal["causal", "bidirectional", "cross"]


# positional: a line of an architecture reads as name, in, out
@dataclass(frozen=True, slots=True)
class Dense:
    """A linear layer."""

    name: str
    d_in: int
    d_out: int
    bias: bool = False
    flipped: bool = False
    """Stored as (d_in, d_out), as GPT-2 does."""
    tied_to: str = ""
    """The backbone's parameter that serves as its weight; empty where it has its own."""
    bias_name: str = ""
    """Full name of its bias as long as its weight is tied, where that is not `name.bias`."""


# positional: a line of an architecture reads as name, size
@dataclass(frozen=True, slots=True)
class Norm:
    """A normalisation with a learned scale, and a shift where `bias`; `weight=False` for one without parameters."""

    name: str
    size: int
    bias: bool = False
    weight: bool = True


Path = tuple[Dense | Norm, ...]
"""Modules applied one after the other."""


# positional: a line of an architecture reads as name, rows, width
@dataclass(frozen=True, slots=True)
class Embedding:
    """A look-up table."""

    name: str
    rows: int
    width: int
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Scores of contents against relative positions, whose table each pass projects once (disentangled attention)."""

    rows: int
    """Positions in the table."""
    keys: Dense | None
    """From the table to what queries meet; None where that is not computed."""
    queries: Dense | None
    """From the table to what keys meet."""
    content_to_position: bool
    position_to_content: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A convolution of the embeddings along the tokens, added to what the first layer gives and normed."""

    name: str
    width: int
    kernel: int
    groups: int
    norm: Norm


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Scaled dot-product attention, with the projections before and after it."""

    heads: int
    key_dim: int
    value_dim: int
    query: Path
    key: Path | None
    """None where the key is a part of what the query's path gives (a fused projection)."""
    value: Path | None
    """None where the value is a part of what the key's path gives."""
    output: Path
    mask: Mask = "causal"
    window: int | None = None
    chunk: int | None = None
    """Positions of a chunk outside of which nothing is seen."""
    cached: int
    """Numbers that the cache stores for each token: keys and values, or what these are expanded from."""
    latent: bool = False
    """The cache stores what the last module of the key's path expands anew, for all tokens, in every pass."""
    relative: Embedding | None = None
    """A table of learned biases on the scores, from here on."""
    biased: bool = False
    """The scores take the biases of this layer, or of the last one that has them."""
    positions: Positions | None = None
    """The scores take those of contents against the stack's table of relative positions."""
    sinks: str = ""
    """Name of a learned vector, one number for each head, that joins the scores (attention sinks)."""
    keeps_as: str = ""
    """Later layers that share keys and values find this layer's under this name."""
    shares: str = ""
    """Keys and values are those that an earlier layer keeps under this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRule:
    """Linear attention by a gated delta rule, behind a convolution of each channel along the tokens."""

    heads: int
    """Of the values; those of queries and keys are repeated to as many."""
    key_dim: int
    value_dim: int
    projection: Dense
    """Queries, keys, values and the gate of the output."""
    rates: Dense
    """Two rates for each head: how fast it forgets, and how fast it learns."""
    decay: tuple[str, ...]
    """Names of learned vectors, one number for each head, that the rate of forgetting takes too."""
    convolution: str
    kernel: int
    channels: int
    """Of queries, keys and values together."""
    norm: Norm
    output: Dense


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """Two layers, or three where a gate multiplies: all of `up` read the same input, `down` reads their product."""

    up: tuple[Dense, ...]
    down: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A router, experts stored as stacked matrices, and optionally experts that every token passes."""

    router: Dense
    name: str
    count: int
    active: int
    d_model: int
    d_expert: int
    bias: bool = False
    flipped: bool = False
    scaled_first: bool = False
    """The router's scores multiply what goes into the experts, not what comes out."""
    shared: FeedForward | None = None
    shared_gate: Dense | None = None

    def __post_init__(self) -> None:
        require(self.active <= self.count, "config.num_experts_per_tok", self.active, f"at most {self.count} experts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One of the things that a sublayer adds to the residual stream."""

    inner: Attention | DeltaRule | FeedForward | Experts
    before: Norm | None = None
    after: Norm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sublayer:
    """Branches that read the same residual stream and are added to it; several where a model runs them in parallel."""

    branches: tuple[Branch, ...]
    before: Norm | None = None
    """Shared by all branches."""
    closing: Norm | None = None
    """Applied to the sum (post-norm models)."""


def norm_sublayer(inner: Attention | FeedForward | Experts, norm: Norm, *, first: bool) -> Sublayer:
    """A sublayer of one branch, with its norm before the branch, or after the sum."""
    return Sublayer(branches=(Branch(inner=inner, before=norm if first else None),), closing=None if first else norm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Sublayers under a common name."""

    prefix: str
    sublayers: tuple[Sublayer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AltUp:
    """Several residual streams, of which layers compute on one and predict and correct the others (AltUp), each layer
    with a low-rank residual (LAuReL) and an embedding of its own for each token. Names are those within a layer.
    """

    streams: int
    width: int
    router: Path
    prediction: Dense
    correction: Dense
    scale: str
    """Name of a learned vector on the corrected stream."""
    scaled: bool
    """Whether that vector is used."""
    low_rank: Path
    gate: Dense
    projection: Path
    entry: tuple[Dense, ...]
    """From the embedding to all streams but the first; outside of the layers."""
    exit: tuple[Dense, ...]
    """From all streams but the first to what is summed in the end; outside of the layers."""
    table: Embedding
    """Embeddings of a token for all layers; outside of the layers, as is the path that is added to it."""
    context: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Embeddings that are summed, modules on their sum, layers, and modules on the result."""

    embeddings: tuple[Embedding, ...]
    projection: Path = ()
    """Modules on the first embedding, before the others are added."""
    entry: Path = ()
    relative: Embedding | None = None
    """A table that all layers share: of learned biases on the scores, or of relative positions that they project."""
    relative_norm: Norm | None = None
    """On that table, once for each pass."""
    convolution: Convolution | None = None
    layers: tuple[Layer, ...]
    altup: AltUp | None = None
    """Layers have one attention and one feed-forward sublayer then, of one branch each."""
    exit: Path = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Modules on the last hidden state, or on the pooler's output, under names of their own."""

    path: Path
    per: Literal["scored", "token", "sequence"]
    """How often they run: for each scored position, for each token, or once for each sequence."""
    prefix: str
    """What the names of the backbone's parameters begin with in the model that has this head (`model.`)."""
    pooled: bool = False
    """Reads the pooler's output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """An architecture with its sizes. Names are those of the backbone alone, as `AutoModel` builds it."""

    kind: Kind
    width: int
    """Size of the last hidden state."""
    stack: Stack
    """The decoder, or the only stack."""
    encoder: Stack | None = None
    """Encoder-decoders only."""
    pooler: Path = ()
    """Modules that `AutoModel` runs on the first position of an encoder."""
    language: Head | None = None
    classifier: Head | None = None
    idle: tuple[Embedding, ...] = ()
    """Tables that the model has and that nothing reads."""
    keeps_last_logits: bool = True
    """Whether generation applies the head to the last position only."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures should know: parts of the model that are left out."""
