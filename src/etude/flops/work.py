"""Amounts of work in one sample: how many tokens, positions, sequences and attending pairs a pass touches.

S new tokens, K cached tokens, W window, X source tokens. `exact` counts the pairs that the mask allows; otherwise the
rectangle is counted that an eager matrix product computes (and that torch's FlopCounterMode therefore sees).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from etude.flops.operations import Chunks, Convolved, Pairs, Per, Unit


class Pass(NamedTuple):
    """One forward pass over one sample."""

    tokens: int
    """S: new tokens of the decoder, or of the only stack."""
    cached: int = 0
    """K: tokens before them whose keys and values are kept."""
    scored: int = 0
    """Positions that the head is applied to."""
    source: int = 0
    """Tokens that the encoder reads in this pass; 0 where its output is kept."""
    memory: int = 0
    """Encoder positions projected for cross-attention in this pass; 0 where these are kept."""
    context: int = 0
    """X: encoder positions that cross-attention looks at."""
    keeps: bool = True
    """Whether a cache is kept, or filled."""

    def amount(self, unit: Unit, exact: bool) -> int:
        """How many of this unit the pass has."""
        match unit:
            case Pairs():
                return self._pairs(unit, exact)
            case Chunks():
                return 0 if self.cached and self.tokens == 1 else _chunks(unit, self.tokens)
            case Convolved():
                return self._convolved(unit.kernel)
            case Per.TOKEN:
                return self.tokens
            case Per.SEEN:
                return self.cached + self.tokens
            case Per.SCORED:
                return self.scored
            case Per.SEQUENCE:
                return 1
            case Per.SOURCE:
                return self.source
            case Per.MEMORY:
                return self.memory
            case Per.SPECTRUM:
                return filter_operations(self.tokens)
            case Per.PASS:
                return 0

    def _convolved(self, kernel: int) -> int:
        """A cache keeps as many inputs as the kernel has, and is filled up with zeros at first."""
        if not self.tokens:
            return 0
        if self.cached:
            return 2 if self.tokens == 1 else self.tokens + 2 * kernel - 1
        return (max(self.tokens, kernel) if self.keeps else self.tokens) + kernel - 1

    def _pairs(self, pairs: Pairs, exact: bool) -> int:
        if pairs.mask == "cross":
            return self.tokens * self.context
        if pairs.mask == "causal":
            if exact and pairs.chunk is not None:
                return chunked_sum(self.cached + self.tokens, pairs.chunk) - chunked_sum(self.cached, pairs.chunk)
            if exact:
                return clipped_sum(self.cached + 1, self.cached + self.tokens, pairs.window)
            limit = pairs.reach
            kept = self.cached if limit is None else min(self.cached, limit - 1)
            return self.tokens * (kept + self.tokens)
        length = self.source if pairs.mask == "source" else self.tokens
        return band(length, pairs.window) if exact else length * length


class CachedSteps(NamedTuple):
    """Decode steps of one token each, with a cache that holds `start` tokens before the first of them."""

    start: int
    steps: int
    context: int = 0

    def amount(self, unit: Unit, exact: bool) -> int:
        """How many of this unit all steps have together. The conventions agree (one query has no masked pair), but for
        chunks, of which the cache keeps what is behind the last border.
        """
        if isinstance(unit, Pairs):
            last = self.start + self.steps
            if unit.mask == "causal" and unit.chunk is not None and exact:
                return chunked_sum(last, unit.chunk) - chunked_sum(self.start, unit.chunk)
            if unit.mask == "causal":
                return clipped_sum(self.start + 1, last, unit.reach)
            return self.steps * self.context if unit.mask == "cross" else 0
        if isinstance(unit, Convolved):
            return 2 * self.steps
        if unit is Per.SEEN:
            return clipped_sum(self.start + 1, self.start + self.steps, None)
        return self.steps if unit in (Per.TOKEN, Per.SCORED) else 0


class UncachedSteps(NamedTuple):
    """Decode steps without a cache: each runs the whole sequence again, `start` tokens in the first, one more in each.

    The encoder's output is kept, as `generate` keeps it; cross-attention projects it anew in each step.
    """

    start: int
    steps: int
    context: int = 0
    last_only: bool = True
    """Whether the head runs on the last position only."""

    def amount(self, unit: Unit, exact: bool) -> int:
        """How many of this unit all steps have together."""
        first, last = self.start, self.start + self.steps - 1
        tokens = clipped_sum(first, last, None)
        if isinstance(unit, Pairs):
            if unit.mask == "cross":
                return tokens * self.context
            if unit.mask == "source":
                return 0
            return self._pairs(unit, exact, first, last)
        match unit:
            case Chunks():
                return sum(_chunks(unit, length) for length in range(first, last + 1))
            case Convolved():
                return tokens + self.steps * (unit.kernel - 1)
            case Per.TOKEN | Per.SEEN:
                return tokens
            case Per.SCORED:
                return self.steps if self.last_only else tokens
            case Per.SEQUENCE:
                return self.steps
            case Per.MEMORY:
                return self.steps * self.context
            case Per.SOURCE | Per.SPECTRUM | Per.PASS:
                return 0

    def _pairs(self, pairs: Pairs, exact: bool, first: int, last: int) -> int:
        if not exact:
            return _squares(last) - _squares(first - 1)
        if pairs.chunk is not None:
            return sum(chunked_sum(length, pairs.chunk) for length in range(first, last + 1))
        return _triangles(last, pairs.window) - _triangles(first - 1, pairs.window)


class BatchPasses(NamedTuple):
    """What passes over a batch have beside the samples in it."""

    passes: int = 1

    def amount(self, unit: Unit, exact: bool) -> int:
        """How many of this unit the passes have together, whatever the batch holds."""
        return self.passes if unit is Per.PASS else 0


Work = Pass | CachedSteps | UncachedSteps | BatchPasses


def clipped_sum(first: int, last: int, limit: int | None) -> int:
    """The sum of min(m, limit) over m from `first` to `last`; 0 where that range is empty."""
    if last < first:
        return 0
    if limit is None or last <= limit:
        return (first + last) * (last - first + 1) // 2
    if first > limit:
        return limit * (last - first + 1)
    return (first + limit) * (limit - first + 1) // 2 + limit * (last - limit)


def chunked_sum(length: int, chunk: int) -> int:
    """Pairs of a sequence whose queries see themselves and what is before them in their own chunk."""
    chunks, rest = divmod(length, chunk)
    return chunks * (chunk * (chunk + 1) // 2) + rest * (rest + 1) // 2


def band(length: int, reach: int | None) -> int:
    """Pairs of positions at most `reach` apart among `length` positions; all pairs where it is None."""
    if reach is None:
        return length * length
    return length + 2 * clipped_sum(0, length - 1, reach)


def filter_operations(length: int) -> int:
    """Real operations of a filter in the frequency domain along `length` real numbers, rounded to a whole number.

    A forward and an inverse transform of N real points at 2.5 N log2 N each, half of the 5 N log2 N that is customary
    for a complex transform (Frigo and Johnson, benchFFT), and two multiplications for each of the N/2 + 1 coefficients.
    """
    if length < 1:
        return 0
    return round(5 * length * math.log2(length)) + 2 * (length // 2 + 1)


def _chunks(unit: Chunks, length: int) -> int:
    return max(-(-length // unit.size) - unit.carried, 0)


def _squares(n: int) -> int:
    return n * (n + 1) * (2 * n + 1) // 6


def _triangles(n: int, window: int | None) -> int:
    """The sum over m from 1 to n of the causal pairs in a sequence of m tokens."""
    whole = n if window is None else min(n, window)
    total = whole * (whole + 1) * (whole + 2) // 6
    if window is not None and n > window:
        beyond = n - window
        total += beyond * (window * (window + 1) // 2) + window * (beyond * (beyond + 1) // 2)
    return total
