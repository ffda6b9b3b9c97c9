from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.nn.schedule import ScheduleKind, warm

KINDS = st.sampled_from(["cosine", "linear", "constant"])


@given(KINDS, st.integers(1, 500), st.floats(0, 1))
def test_the_step_size_rises_to_its_peak_then_falls_and_is_never_zero_on_the_way(
    kind: ScheduleKind, steps: int, warm_up: float
) -> None:
    shares = [warm(step, kind=kind, steps=steps, warm_up=warm_up) for step in range(steps)]
    rising = round(warm_up * steps)
    assert shares[:rising] == sorted(shares[:rising])
    assert shares[rising:] == sorted(shares[rising:], reverse=True)
    assert all(0 < share <= 1 for share in shares)


@pytest.mark.parametrize(
    ("kind", "shares"),
    [("cosine", [1.0, 0.854, 0.5, 0.146, 0.0]), ("linear", [1.0, 0.75, 0.5, 0.25, 0.0]), ("constant", [1.0] * 5)],
)
def test_without_warm_up_training_starts_at_the_peak(kind: ScheduleKind, shares: list[float]) -> None:
    found = [warm(step, kind=kind, steps=8, warm_up=0.0) for step in (0, 2, 4, 6, 8)]
    assert found == pytest.approx(shares, abs=1e-3)


@given(KINDS, st.integers(1, 99))
def test_all_kinds_rise_alike(kind: ScheduleKind, step: int) -> None:
    assert warm(step, kind=kind, steps=200, warm_up=0.5) == pytest.approx((step + 1) / 101)
