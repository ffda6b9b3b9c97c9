"""What a classifier on a backbone is made of, as values. Read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from etude.errors import require
from etude.nn.pooling_kind import PoolingKind
from etude.nn.spectral_spec import SpectralSpec

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
