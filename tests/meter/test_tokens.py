from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import MeterError
from etude.meter.tokens import TokenTimes, gaps


def request(due_s: float, prefill_s: float, step_s: float, tokens: int) -> TokenTimes:
    return TokenTimes(due_s=due_s, token_s=tuple(due_s + prefill_s + index * step_s for index in range(tokens)))


def test_gaps_over_many_repetitions_are_one_fewer_than_tokens_each() -> None:
    """Where earlier repetitions are kept and a gap is drawn from one to the next, 10 × 100 tokens give 5,490."""
    requests = [request(100.0 * index, 2.0, 0.02, 100) for index in range(10)]
    assert len(gaps(requests)) == 990
    assert max(gaps(requests)) == pytest.approx(0.02)


def test_a_long_prefill_is_no_gap_between_tokens() -> None:
    requests = [request(100.0 * index, 2.0, 0.02, 16) for index in range(10)]
    assert sorted(gaps(requests))[int(0.95 * len(gaps(requests)))] == pytest.approx(0.02)


def test_the_first_token_belongs_to_the_prefill() -> None:
    assert request(5.0, 2.0, 0.02, 3).first_s == pytest.approx(2.0)


def test_time_per_token_of_one_token_is_unknown_and_not_zero() -> None:
    assert request(0.0, 2.0, 0.02, 1).per_token_s is None


def test_a_request_without_tokens_has_no_latency() -> None:
    assert (TokenTimes(due_s=0.0, token_s=()).first_s, TokenTimes(due_s=0.0, token_s=()).total_s) == (None, None)


def test_waiting_before_it_was_sent_counts() -> None:
    stalled = TokenTimes(due_s=0.0, token_s=(1.5, 1.6))
    assert stalled.first_s == pytest.approx(1.5)


def test_moments_that_go_back_are_refused() -> None:
    with pytest.raises(MeterError, match="must not go back"):
        TokenTimes(due_s=1.0, token_s=(2.0, 1.5))


@given(st.lists(st.integers(0, 50), max_size=20))
def test_there_are_as_many_gaps_as_tokens_after_the_first(counts: list[int]) -> None:
    assert len(gaps([request(0.0, 1.0, 0.1, count) for count in counts])) == sum(max(0, n - 1) for n in counts)
