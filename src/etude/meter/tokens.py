"""Latencies of generation, from the moments at which tokens came: first token, gaps between tokens, time per token.

The first token belongs to the prefill, so n tokens have n - 1 gaps. Latency counts from the moment a request was *due*,
not from when a busy client got round to sending it; otherwise a stall hides the waiting that it causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from etude.errors import MeterError


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTimes:
    """One request: when it was due and when each of its tokens came, in seconds of one clock."""

    due_s: float
    token_s: tuple[float, ...]

    def __post_init__(self) -> None:
        moments = (self.due_s, *self.token_s)
        if any(later < earlier for earlier, later in pairwise(moments)):
            raise MeterError(f"a request's moments must not go back: due {self.due_s}, tokens {self.token_s[:5]}…")

    @property
    def first_s(self) -> float | None:
        """Time to the first token; None if none came."""
        return self.token_s[0] - self.due_s if self.token_s else None

    @property
    def total_s(self) -> float | None:
        """Time to the last token; None if none came."""
        return self.token_s[-1] - self.due_s if self.token_s else None

    @property
    def gaps_s(self) -> tuple[float, ...]:
        """Between one token and the next: one fewer than tokens."""
        return tuple(later - earlier for earlier, later in pairwise(self.token_s))

    @property
    def per_token_s(self) -> float | None:
        """Mean gap after the first token; None, not 0, where fewer than two tokens came."""
        count = len(self.token_s)
        return (self.token_s[-1] - self.token_s[0]) / (count - 1) if count > 1 else None


def gaps(requests: Sequence[TokenTimes]) -> list[float]:
    """All gaps of all requests, in order: the sum of (tokens - 1) of them, none from one request to another."""
    return [gap for request in requests for gap in request.gaps_s]
