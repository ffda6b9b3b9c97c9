"""A model as a straight list of operations, each at most one matrix product: what costs are computed from.

Operations pass values along named wires, like registers: writing a wire replaces what it held. A product multiplies the
value on its left wire with the value on its right wire, or with a parameter; its cost is proportional to one count of
the work (tokens, sequences, pairs of attending positions ...).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Literal


class Part(enum.Enum):
    """What a product belongs to, as costs are told apart."""

    DENSE = "dense"
    """Linear layers of the backbone: attention projections, feed-forward layers, routers, embedding projections; the
    convolutions and chunks of linear attention."""
    EXPERTS = "experts"
    """Feed-forward layers of experts that a router chose."""
    ATTENTION = "attention"
    """Scores and the mixing of values: the only part in which the two conventions differ."""
    HEAD = "head"
    """Language-model or classification head, pooling included."""
    ADAPTER = "adapter"
    """Unmerged LoRA matrices."""
    SPECTRAL = "spectral"
    """Fourier transforms: no matrix products, and in no total."""


class Per(enum.Enum):
    """The counts of one sample that products are proportional to."""

    TOKEN = "token"
    """New tokens of the decoder, or of the only stack there is."""
    SEEN = "seen"
    """Cached and new tokens together: what a latent cache has to expand in every pass."""
    SCORED = "scored"
    """Positions that the head is applied to."""
    SEQUENCE = "sequence"
    """Once for each sample."""
    SOURCE = "source"
    """Tokens that the encoder of an encoder-decoder reads."""
    SPECTRUM = "spectrum"
    """Real operations of one channel of a spectral filter along the tokens."""
    MEMORY = "memory"
    """Encoder positions that are projected to keys and values for cross-attention; 0 where these are cached."""
    PASS = "pass"
    """Once for a pass over a batch, whatever the batch holds: no sample has a share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of a query position and a key position: what attention is proportional to."""

    mask: Literal["causal", "bidirectional", "cross", "source"]
    """`source` is bidirectional attention within the encoder of an encoder-decoder."""
    window: int | None = None
    """Causal: keys that a query sees, itself included. Bidirectional: the farthest distance seen. None for no limit."""
    chunk: int | None = None
    """Causal: queries see only keys of their own chunk of so many positions; the cache keeps what a window would."""

    @property
    def reach(self) -> int | None:
        """Keys that a query has at most, itself included, in the cache's eyes; None for no limit."""
        return self.chunk or self.window


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """Chunks that linear attention fills up and runs whole; a single token beside a cached state needs none."""

    size: int
    carried: bool = False
    """Only those that start from the state of another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolved:
    """Positions that a causal convolution puts out, those of its padding and of what it has cached included."""

    kernel: int


Unit = Per | Pairs | Chunks | Convolved


class Role(enum.Enum):
    """What a parameter is to storage: quantisation stores each kind its own way."""

    LINEAR = "linear"
    EXPERT = "expert"
    LOOKUP = "lookup"
    NORM = "norm"
    BIAS = "bias"
    HEAD = "head"
    ADAPTER = "adapter"
    OTHER = "other"


# positional: reads as name, shape, role
@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter tensor, named as `named_parameters()` of the model names it."""

    name: str
    shape: tuple[int, ...]
    role: Role
    frozen: bool = False
    """Never trained, because the model itself says so (sinusoidal positions)."""
    used_share: float = 1.0
    """The share of the tensor that one token uses: active / all experts; 1 for everything else."""

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


# positional: reads as left, right, price, unit, part
@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product: `flops` for each unit, with a multiply-add counted as 2."""

    left: str
    right: str
    flops: int
    per: Unit
    part: Part
    backward_only: bool = False
    """What only the gradient needs: the forward pass does it without a product, or has it in another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """Keys and values that an attention layer keeps between decode steps."""

    elements_per_token: int
    pairs: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentState:
    """What linear attention keeps of a sequence between decode steps, whatever its length."""

    elements: int
    """In the type of the cache."""
    float32_elements: int = 0
    """In float32, whatever the type of the cache."""


# positional: an operation reads as what goes in, what comes out, with which parameters
@dataclass(frozen=True, slots=True)
class Op:
    """One operation: reads wires, uses parameters, writes a wire."""

    reads: tuple[str, ...]
    writes: str
    parameters: tuple[Parameter, ...] = ()
    product: Product | None = None
    moved: int = 0
    """Elements of activations that go in and come out, for each `moved_per`."""
    moved_per: Per = Per.TOKEN
    cached: Cached | None = None
    state: RecurrentState | None = None
    looked_up: int = 0
    """Elements of a look-up table read for each `moved_per`."""
    module: str = ""
    """Name of the module, where adapters and quantisation may have it."""
    linear: tuple[int, int] | None = None
    """Sizes in and out of a linear layer that an adapter can be put on."""
