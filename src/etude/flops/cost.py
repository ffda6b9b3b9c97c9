"""What work costs: FLOPs by part and by both conventions, useful against issued, with how they were got."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

Convention = Literal["torch", "causal_exact"]
"""`torch`: the full rectangle of query and key positions, which an eager product computes and FlopCounterMode counts.
`causal_exact`: only the pairs that the mask allows."""
Method = Literal["analytic", "counted", "analytic and counted"]
Quality = Literal["exact", "unverified", "lower bound"]
"""`exact`: every product of a described architecture. `unverified`: all that torch counted of another one, which may do
work in operations that are no products. `lower bound`: products ran that torch has no formula for."""
_WORST: tuple[Quality, ...] = ("lower bound", "unverified", "exact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flops:
    """Floating-point operations of some work; one multiply-add is 2. Norms, activations and look-ups count nothing.

    Values add (`+`, `sum`) and multiply with whole numbers, and carry the worst quality of their parts.
    """

    dense_flops: int = 0
    """Linear layers of the backbone."""
    expert_flops: int = 0
    """Feed-forward layers of routed experts."""
    head_flops: int = 0
    """Language-model or classification head, pooling included."""
    adapter_flops: int = 0
    """Unmerged LoRA matrices."""
    attention_torch_flops: int = 0
    """Scores and mixing of values over the full rectangle."""
    attention_exact_flops: int = 0
    """Scores and mixing of values over the pairs that the mask allows."""
    counted_flops: int = 0
    """What FlopCounterMode counted, where the work was measured."""
    spectral_flops: int = 0
    """Real operations of Fourier transforms, in neither total: 5 N log2 N for both transforms of N real points."""
    method: Method = "analytic"
    quality: Quality = "exact"
    uncounted: tuple[str, ...] = ()
    """Operations that ran and that FlopCounterMode has no formula for."""

    @property
    def torch_flops(self) -> int:
        """The total by the `torch` convention."""
        return self._without_attention + self.attention_torch_flops + self.counted_flops

    @property
    def causal_exact_flops(self) -> int | None:
        """The total by the `causal_exact` convention; None where anything was counted, which knows no mask."""
        return self._without_attention + self.attention_exact_flops if self.method == "analytic" else None

    @property
    def _without_attention(self) -> int:
        return self.dense_flops + self.expert_flops + self.head_flops + self.adapter_flops

    def of(self, convention: Convention) -> int | None:
        """The total by this convention."""
        return self.torch_flops if convention == "torch" else self.causal_exact_flops

    def __add__(self, other: Flops) -> Flops:
        return Flops(
            **{name: getattr(self, name) + getattr(other, name) for name in _NUMBERS},
            method=_joined(self, other),
            quality=min(self.quality, other.quality, key=_WORST.index),
            uncounted=tuple(sorted({*self.uncounted, *other.uncounted})),
        )

    def __mul__(self, times: int) -> Flops:
        if times == 1:
            return self
        return Flops(
            **{name: getattr(self, name) * times for name in _NUMBERS},
            method=self.method,
            quality=self.quality,
            uncounted=self.uncounted,
        )

    __rmul__ = __mul__


_NUMBERS = tuple(field.name for field in fields(Flops) if field.name.endswith("_flops"))
NOTHING = Flops()
"""No work."""


def _joined(one: Flops, other: Flops) -> Method:
    if one.method == other.method or other == NOTHING:
        return one.method
    return other.method if one == NOTHING else "analytic and counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a batch, or many, cost: what the samples needed, and what was run with padding to equal lengths."""

    useful: Flops
    """The work of the samples themselves, each at its own length."""
    issued: Flops
    """The work that ran: every sample as long as the longest of its batch, and every row until the last one ends."""
    samples: int
    useful_tokens: int
    """Positions of the samples themselves, in all stacks and passes together."""
    issued_tokens: int
    """Positions that ran."""

    @property
    def efficiency(self) -> float | None:
        """Useful / issued FLOPs (torch convention); None where nothing ran."""
        return self.useful.torch_flops / self.issued.torch_flops if self.issued.torch_flops else None

    @property
    def padding_fraction(self) -> float | None:
        """The share of the positions that were padding; None where nothing ran."""
        return 1 - self.useful_tokens / self.issued_tokens if self.issued_tokens else None

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            useful=self.useful + other.useful,
            issued=self.issued + other.issued,
            samples=self.samples + other.samples,
            useful_tokens=self.useful_tokens + other.useful_tokens,
            issued_tokens=self.issued_tokens + other.issued_tokens,
        )

    def __mul__(self, times: int) -> Cost:
        if times == 1:
            return self
        return Cost(
            useful=self.useful * times,
            issued=self.issued * times,
            samples=self.samples * times,
            useful_tokens=self.useful_tokens * times,
            issued_tokens=self.issued_tokens * times,
        )

    __rmul__ = __mul__


FREE = Cost(useful=NOTHING, issued=NOTHING, samples=0, useful_tokens=0, issued_tokens=0)
"""The cost of nothing: where a sum starts."""


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of costs: of the batches of a run, say."""
    return sum(costs, FREE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCost:
    """What training on a batch, or many, costs. Samples are counted once."""

    forward: Cost
    backward: Cost

    @property
    def total(self) -> Cost:
        """Forward and backward together; the samples and tokens of one forward pass."""
        return Cost(
            useful=self.forward.useful + self.backward.useful,
            issued=self.forward.issued + self.backward.issued,
            samples=self.forward.samples,
            useful_tokens=self.forward.useful_tokens,
            issued_tokens=self.forward.issued_tokens,
        )

    def __add__(self, other: TrainingCost) -> TrainingCost:
        return TrainingCost(forward=self.forward + other.forward, backward=self.backward + other.backward)

    def __mul__(self, times: int) -> TrainingCost:
        return TrainingCost(forward=self.forward * times, backward=self.backward * times)

    __rmul__ = __mul__


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationCost:
    """What generating text for a batch, or many, costs. The first new token belongs to the prefill."""

    prefill: Cost
    decode: Cost

    @property
    def total(self) -> Cost:
        """Prefill and decode together; samples are counted once."""
        both = self.prefill + self.decode
        return Cost(
            useful=both.useful,
            issued=both.issued,
            samples=self.prefill.samples,
            useful_tokens=both.useful_tokens,
            issued_tokens=both.issued_tokens,
        )

    def __add__(self, other: GenerationCost) -> GenerationCost:
        return GenerationCost(prefill=self.prefill + other.prefill, decode=self.decode + other.decode)

    def __mul__(self, times: int) -> GenerationCost:
        return GenerationCost(prefill=self.prefill * times, decode=self.decode * times)

    __rmul__ = __mul__
