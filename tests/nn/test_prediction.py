"""Probabilities are kept in digits that the batch size cannot change, and small ones are not lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from etude.nn.prediction import DIGITS, DIGITS_OF_SMALL, round_values


@given(
    st.lists(st.integers(-100, 0).map(lambda power: float(2.0**power * 1.37) if power else 1.0), min_size=1, max_size=9)
)
def test_no_probability_becomes_zero_and_its_logarithm_is_kept(likely: list[float]) -> None:
    values = np.array(likely, dtype=np.float32)
    kept = round_values(values, DIGITS, DIGITS_OF_SMALL)
    assert (kept > 0).all()
    assert np.abs(np.log(kept.astype(float)) - np.log(values.astype(float))).max() < 10 ** (1 - DIGITS_OF_SMALL)
    assert np.abs(kept - values).max() <= 10.0**-DIGITS


def test_what_is_zero_stays_zero_and_what_differs_beyond_the_digits_is_the_same() -> None:
    values = np.array([0.0, 0.25, 1.2341e-9, 0.7500001], dtype=np.float32)
    again = np.array([0.0, 0.25000002, 1.23412e-9, 0.75000006], dtype=np.float32)
    assert round_values(values, DIGITS, DIGITS_OF_SMALL)[0] == 0.0
    kept, other = (round_values(one, DIGITS, DIGITS_OF_SMALL) for one in (values[:3], again[:3]))
    assert kept.tolist() == other.tolist()
