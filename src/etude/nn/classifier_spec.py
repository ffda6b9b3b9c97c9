"""What a classifier on a backbone is made of, as values, and how many numbers it has. Read without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from etude.errors import require

PoolingKind: TypeAlias = Literal["cls", "first", "last", "mean", "max", "attention", "weighted_mean", "mean_max"]


SpectralKind = Literal["low", "high", "band", "legacy"]
SpectralName = Literal["low", "high", "legacy"]
"""A filter by its kind alone, with the cut-off at 0.4 cycles per token and everything else as it is by default."""
NAMED_CUTOFF = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralSpec:
    """A filter along the tokens of each text. Frequencies are in cycles per token, 0 to 0.5."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    kind: SpectralKind
    """What passes: frequencies up to the cut-off, those above it, or those between it and `upper`.

    `legacy` is a low pass over the whole padded rectangle, two-sided and circular: what it gives depends on the
    padding. It is there for comparison alone."""
    cutoff: float
    """Above 0, up to 0.5."""
    upper: float | None = None
    """With `band`: the end of the band, above the cut-off."""
    edge: Literal["hard", "smooth"] = "hard"
    """`hard`: all or nothing. `smooth`: Butterworth's gain, 1/√2 at the cut-off."""
    order: int = 4
    """Of the smooth edge: the higher, the steeper."""
    learned: bool = False
    """Whether the cut-offs are trained, from the given ones on; needs the smooth edge."""
    boundary: Literal["reflect", "circular"] = "reflect"
    """`reflect`: the text is followed by its mirror image, so that its two ends stay apart. `circular`: the first
    token follows the last."""
    length: int | None = None
    """With `legacy`: tokens of the rectangle that is filtered; None for those of the batch as it comes."""

    def __post_init__(self) -> None:
        for holds, message in (
            (0 < self.cutoff <= 0.5, f"cutoff: expected above 0 and up to 0.5 cycles per token, got {self.cutoff!r}"),
            ((self.upper is not None) == (self.kind == "band"), "upper: goes with kind band, and band needs it"),
            (
                self.upper is None or self.cutoff < self.upper <= 0.5,
                f"upper: expected above the cutoff and up to 0.5 cycles per token, got {self.upper!r}",
            ),
            (1 <= self.order <= 32, f"order: expected 1 to 32, got {self.order!r}"),
            (not self.learned or self.edge == "smooth", "learned: a hard edge has no gradient; set edge: smooth"),
            (self.length is None or self.kind == "legacy", "length: goes with kind legacy alone"),
            (self.length is None or self.length >= 1, f"length: expected 1 or more, got {self.length!r}"),
            (
                self.kind != "legacy" or (self.edge, self.learned) == ("hard", False),
                "kind legacy has a hard edge and a fixed cutoff",
            ),
        ):
            if not holds:
                raise ValueError(message)


def spectral_spec(wanted: SpectralName | SpectralSpec | None) -> SpectralSpec | None:
    """The filter that a study asks for, by name or in full."""
    return SpectralSpec(kind=wanted, cutoff=NAMED_CUTOFF) if isinstance(wanted, str) else wanted


HeadKind: TypeAlias = Literal["linear", "mlp", "cosine", "default"]
TuningMethod: TypeAlias = Literal[
    "full", "probe", "bitfit", "layernorm", "lora", "dora", "rslora", "ia3", "prefix", "prompt"
]

LOW_RANK = ("lora", "dora", "rslora")
PROMPTS = ("prefix", "prompt")
ADAPTERS = (*LOW_RANK, "ia3", *PROMPTS)
"""Methods that add tensors to the backbone, by the library peft."""
FROZEN = ("probe", *ADAPTERS)
"""Methods under which the backbone's own tensors stay as they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSpec:
    """What projects the pooled vector."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    kind: HeadKind = "linear"
    """`default` is the architecture's own sequence classification, with its own pooling."""
    bias: bool = True
    """Of the last layer; `cosine` and `default` go their own way."""
    hidden: int | None = None
    """Width of the inner layer of `mlp`; None for that of the pooled vector."""

    def __post_init__(self) -> None:
        if self.hidden is not None and (self.kind != "mlp" or self.hidden < 1):
            raise ValueError(f"hidden: a width of 1 or more, with kind mlp alone; got {self.hidden!r} with {self.kind}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSpec:
    """Which of the backbone's tensors are trained, or what is added to it. The head is always trained."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    method: TuningMethod = "full"
    rank: int | None = None
    """Of LoRA, DoRA and rsLoRA; None for 8."""
    alpha: float | None = None
    """Of the same: what they add is scaled by alpha / rank (rsLoRA: alpha / √rank); None for twice the rank."""
    dropout: float = 0.0
    """Of the same: on what the added matrices read, while training."""
    targets: str | tuple[str, ...] = "auto"
    """Layers that LoRA or IA3 acts on: `auto` for the usual ones of the architecture, `all-linear`, names or ends of
    names, or one regular expression for whole names."""
    tokens: int | None = None
    """Virtual tokens of `prefix` and `prompt`; None for 16."""

    def __post_init__(self) -> None:
        low_rank, prompts = self.method in LOW_RANK, self.method in PROMPTS
        for holds, message in (
            (self.rank is None or (low_rank and self.rank >= 1), f"rank: 1 or more with {LOW_RANK}"),
            (self.alpha is None or (low_rank and self.alpha > 0), f"alpha: above 0 with {LOW_RANK}"),
            (self.dropout == 0 or (low_rank and 0 < self.dropout < 1), f"dropout: 0 to 1 with {LOW_RANK}"),
            (
                self.targets == "auto" or (bool(self.targets) and (low_rank or self.method == "ia3")),
                f"targets: names or an expression with {(*LOW_RANK, 'ia3')}",
            ),
            (self.tokens is None or (prompts and self.tokens >= 1), f"tokens: 1 or more with {PROMPTS}"),
        ):
            if not holds:
                raise ValueError(f"{message}, and this is {self.method}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSpec:
    """A classifier: backbone → (layer mix) → (spectral filter) → pooling → head."""

    pooling: PoolingKind | None = "mean"
    """None with the model's own head alone, which brings its own."""
    pooling_heads: int = 1
    """With `attention`: how many means are learned."""
    layer_mix: bool = False
    """Whether the states of all layers are mixed with learned weights; otherwise those of the last are used."""
    spectral: SpectralSpec | None = None
    head: HeadSpec = field(default_factory=HeadSpec)
    dropout: float = 0.0
    """On what the head reads, while training."""
    embedded_dropout: float = 0.0
    """On the embedded tokens, while training."""
    tuning: TuningSpec = field(default_factory=TuningSpec)

    def __post_init__(self) -> None:
        if self.head.kind == "default":
            require(self.pooling is None, "pooling", self.pooling, "none with head default: it brings its own")
            require(not self.layer_mix, "layer_mix", self.layer_mix, "false with head default")
            require(self.spectral is None, "spectral", self.spectral, "none with head default")
            require(self.dropout == 0, "dropout", self.dropout, "0 with head default: the model's config has its own")
            return
        require(self.pooling is not None, "pooling", self.pooling, f"a pooling with head {self.head.kind}")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "0 or more and below 1")
        require(0 <= self.embedded_dropout < 1, "embedded_dropout", self.embedded_dropout, "0 or more and below 1")
        alone = self.spectral is not None and self.spectral.kind in ("high", "band") and self.pooling == "mean"
        require(
            not alone,
            "spectral.kind",
            self.spectral and self.spectral.kind,
            "low with pooling mean: without the lowest frequency the mean of every text is zero",
        )


CARD = "classifier.json"
"""What is written last into a classifier's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCounts:
    """Numbers in tensors, each tensor once."""

    backbone: int
    """Of the backbone itself, trained or not."""
    backbone_trained: int
    adapter: int
    """Added to it; all trained."""
    head: int
    """Layer mix, filter, pooling and head; all trained."""
    targets: tuple[str, ...]
    """Layers that the adapter acts on; empty for what acts on none in particular."""


def read_parameter_counts(folder: Path) -> ParameterCounts:
    """How many numbers the classifier in a folder has in its parts."""
    content = json.loads((folder / CARD).read_text(encoding="utf-8"))["counts"]
    return ParameterCounts(**{**content, "targets": tuple(content["targets"])})
