from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etude.nn.schedule import warm_cosine


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_step_size_rises_to_its_peak_then_falls_and_is_never_zero_on_the_way(steps: int, warm_up: float) -> None:
    shares = [warm_cosine(step, steps=steps, warm_up=warm_up) for step in range(steps)]
    rising = round(warm_up * steps)
    assert shares[:rising] == sorted(shares[:rising])
    assert shares[rising:] == sorted(shares[rising:], reverse=True)
    assert all(0 < share <= 1 for share in shares)


def test_without_warm_up_training_starts_at_the_peak_and_ends_at_zero() -> None:
    assert warm_cosine(0, steps=10, warm_up=0.0) == 1.0
    assert warm_cosine(5, steps=10, warm_up=0.0) == 0.5
    assert warm_cosine(10, steps=10, warm_up=0.0) == 0.0
