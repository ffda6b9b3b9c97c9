"""Amounts of work in closed form, against the mask drawn out and steps run one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etude.flops.operations import Chunks, Convolved, Pairs, Per
from etude.flops.work import CachedSteps, Pass, UncachedSteps, band, chunked_sum, clipped_sum

small = st.integers(0, 24)
windows = st.none() | st.integers(1, 12)
ALL_UNITS = [
    *Per,
    *(Pairs(mask=mask, window=w) for mask in ("causal", "bidirectional", "cross", "source") for w in (None, 1, 3, 9)),
]
STEP_UNITS = [
    Per.TOKEN,
    Per.SEEN,
    *(Pairs(mask=mask, window=w) for mask in ("causal", "cross") for w in (None, 1, 3, 9)),
]


@given(small, small, windows)
def test_causal_pairs_are_those_that_the_mask_allows(tokens: int, cached: int, window: int | None) -> None:
    drawn = sum(
        key <= query and (window is None or key > query - window)
        for query in range(cached, cached + tokens)
        for key in range(cached + tokens)
    )
    assert Pass(tokens, cached).amount(Pairs(mask="causal", window=window), exact=True) == drawn


@given(small, windows)
def test_local_pairs_are_those_within_reach(length: int, reach: int | None) -> None:
    drawn = sum(reach is None or abs(a - b) <= reach for a in range(length) for b in range(length))
    assert band(length, reach) == drawn


@given(small, small, windows)
def test_the_rectangle_holds_all_keys_that_a_sliding_cache_keeps(tokens: int, cached: int, window: int | None) -> None:
    kept = len(range(cached)[-(window - 1) or cached :] if window else range(cached))
    assert Pass(tokens, cached).amount(Pairs(mask="causal", window=window), exact=False) == tokens * (kept + tokens)


@given(st.integers(-5, 30), st.integers(-5, 30), st.none() | st.integers(0, 20))
def test_a_clipped_sum_is_the_sum_of_clipped_numbers(first: int, last: int, limit: int | None) -> None:
    assert clipped_sum(first, last, limit) == sum(m if limit is None else min(m, limit) for m in range(first, last + 1))


@given(small, small, small)
def test_cached_steps_are_passes_of_one_token_each(start: int, steps: int, context: int) -> None:
    together = CachedSteps(start, steps, context)
    each = [Pass(1, start + done, 1, context=context) for done in range(steps)]
    for unit in STEP_UNITS:
        for exact in (False, True):
            assert together.amount(unit, exact) == sum(step.amount(unit, exact) for step in each)


@given(st.integers(1, 24), small, small, st.booleans())
def test_uncached_steps_are_passes_over_ever_longer_sequences(start: int, steps: int, context: int, last: bool) -> None:
    together = UncachedSteps(start, steps, context, last)
    lengths = range(start, start + steps)
    each = [Pass(n, 0, 1 if last else n, memory=context, context=context) for n in lengths]
    for unit in ALL_UNITS:
        if unit is Per.SPECTRUM or (isinstance(unit, Pairs) and unit.mask in ("source", "bidirectional")):
            continue
        for exact in (False, True):
            assert together.amount(unit, exact) == sum(step.amount(unit, exact) for step in each), unit


LINEAR = [Chunks(size=5), Chunks(size=5, carried=True), Convolved(kernel=1), Convolved(kernel=4)]
"""Units of linear attention."""


@given(st.integers(1, 24), small, st.sampled_from(LINEAR))
def test_steps_of_linear_attention_are_its_passes(start: int, steps: int, unit: Chunks | Convolved) -> None:
    cached = [Pass(1, start + done) for done in range(steps)]
    assert CachedSteps(start, steps).amount(unit, exact=True) == sum(step.amount(unit, True) for step in cached)
    whole = [Pass(start + done, keeps=False) for done in range(steps)]
    assert UncachedSteps(start, steps).amount(unit, exact=True) == sum(step.amount(unit, True) for step in whole)


@given(st.builds(Pass, small, small, small, small, small, small), st.sampled_from(ALL_UNITS))
def test_the_mask_allows_no_more_than_the_rectangle_holds(work: Pass, unit: Per | Pairs) -> None:
    assert 0 <= work.amount(unit, exact=True) <= work.amount(unit, exact=False)


@given(st.integers(0, 40), st.integers(1, 9))
def test_pairs_within_chunks_are_counted_one_by_one(length: int, chunk: int) -> None:
    seen = sum(key // chunk == query // chunk for query in range(length) for key in range(query + 1))
    assert chunked_sum(length, chunk) == seen


@given(st.integers(1, 12), st.integers(1, 8), st.integers(1, 6))
def test_steps_over_chunks_are_the_sum_of_their_passes(start: int, steps: int, chunk: int) -> None:
    pairs = Pairs(mask="causal", chunk=chunk)
    for exact in (True, False):
        cached = sum(Pass(1, start + step).amount(pairs, exact) for step in range(steps))
        assert CachedSteps(start, steps).amount(pairs, exact) == cached
        again = sum(Pass(start + step).amount(pairs, exact) for step in range(steps))
        assert UncachedSteps(start, steps).amount(pairs, exact) == again
