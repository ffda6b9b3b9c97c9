"""How token states are filtered by frequency before they are pooled. Read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

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


def spectral_spec(said: SpectralName | SpectralSpec | None) -> SpectralSpec | None:
    """The filter that a study asks for, by name or in full."""
    return SpectralSpec(kind=said, cutoff=NAMED_CUTOFF) if isinstance(said, str) else said
