"""A number is shown in the digits that its uncertainty allows, and never as another number."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.digits import between_text, number, number_text, signed_text, spread, spread_text
from etude.units import readable_seconds

REALS = st.floats(min_value=-1e307, max_value=1e307)
UNSURE = st.floats(min_value=5e-324, max_value=1e300)
NORMAL = st.floats(min_value=1e-300, max_value=1e300)


def read(text: str) -> float:
    return float(text)


def read_both(text: str) -> tuple[float, float]:
    """The value and the uncertainty that a text tells."""
    shared = re.fullmatch(r"\((.+) ± (.+)\)(e.+)", text)
    if shared:
        return float(shared[1] + shared[3]), float(shared[2] + shared[3])
    value, _, unsure = text.partition(" ± ")
    return float(value), float(unsure)


@pytest.mark.parametrize(
    ("value", "uncertainty", "shown"),
    [
        (2.46e-07, 1e-08, "(2.46 ± 0.10)e-07"),
        (0.00126, None, "0.001260"),
        (0.00126, 0.00011, "0.00126 ± 0.00011"),
        (105.0, 7.0, "105.0 ± 7.0"),
        (1296288000000.0, 61728000000.0, "(1.296 ± 0.062)e+12"),
        (0.809, 0.0126, "0.809 ± 0.013"),
        (0.5, 0.0, "0.5000 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (0.0, 0.014, "0.000 ± 0.014"),
        (1e-05, 0.014, "1e-05 ± 0.014"),
        (13750.0, 1234.0, "13800 ± 1200"),
        (0.9996, 0.0996, "1.00 ± 0.10"),
        (123456.0, None, "123456"),
        (9.9996, None, "10.00"),
        (-0.0, None, "0"),
        (math.nan, None, "nan"),
        (-math.inf, None, "-inf"),
        (0.5, math.nan, "0.5000 ± nan"),
        (None, 0.1, "–"),
    ],
)
def test_two_digits_of_the_uncertainty_say_where_a_value_ends(
    value: float | None, uncertainty: float | None, shown: str
) -> None:
    assert spread_text(value, uncertainty) == shown


@given(REALS, st.integers(1, 15))
def test_what_is_shown_is_the_value_but_for_half_of_its_last_digit(value: float, digits: int) -> None:
    assert math.isclose(read(number_text(value, digits=digits)), value, rel_tol=0.5001 * 10.0 ** (1 - digits))


@given(NORMAL, NORMAL)
def test_a_rounded_value_is_off_by_less_than_a_tenth_of_its_uncertainty(value: float, uncertainty: float) -> None:
    told, unsure = read_both(spread_text(value, uncertainty))
    assert abs(told - value) <= 0.0501 * uncertainty + 5.1e-15 * value
    assert math.isclose(unsure, uncertainty, rel_tol=0.0501)


@given(REALS, st.none() | UNSURE)
def test_only_zero_is_shown_as_zero_and_every_sign_is_kept(value: float, uncertainty: float | None) -> None:
    text = str(number(value, uncertainty))
    assert (not re.search("[1-9]", text.partition("e")[0])) == (value == 0)
    assert text.startswith("-") == (value < 0)


@given(REALS, REALS, st.none() | UNSURE)
def test_a_larger_number_is_never_shown_as_a_smaller_one(one: float, other: float, uncertainty: float | None) -> None:
    low, high = sorted((one, other))
    assert read(number_text(low, uncertainty)) <= read(number_text(high, uncertainty))


@given(st.floats(), st.floats(min_value=0), st.none() | st.floats(min_value=0))
def test_what_is_no_number_is_shown_as_what_it_is(value: float, other: float, uncertainty: float | None) -> None:
    text = spread_text(value, uncertainty)
    assert math.isnan(value) == text.startswith("nan")
    assert math.isinf(value) == text.startswith(("inf", "-inf"))
    assert (uncertainty is None) == ("±" not in text)
    assert number_text(None) not in (text, number_text(other))


@given(st.floats(min_value=1e-290, max_value=1e290), st.floats(min_value=1, max_value=1e10))
def test_value_and_uncertainty_end_at_the_same_place(value: float, certainty: float) -> None:
    found = spread(value, value / certainty)
    assert found.uncertainty is not None
    assert found.value.power == found.uncertainty.power
    places = [each.digits.partition(".")[2] for each in found if each is not None]
    assert len(places[0]) == len(places[1])


@given(REALS, REALS)
def test_an_interval_is_told_in_the_digits_of_its_width(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ends = [read(end) for end in between_text(low, high).split(" to ")]
    half = high / 2 - low / 2
    assert abs(ends[0] - low) <= 0.0501 * half + 1e-3 * abs(low) * (not half) + 1e-14 * abs(low)
    assert abs(ends[1] - high) <= 0.0501 * half + 1e-3 * abs(high) * (not half) + 1e-14 * abs(high)
    assert between_text(0.14, 1.53) == "0.14 to 1.53"
    assert between_text(None, 1.0) == "–"


@given(REALS)
def test_a_difference_tells_its_sign(value: float) -> None:
    assert signed_text(value)[:1] == ("+" if value > 0 else "-" if value < 0 else "0")


@pytest.mark.parametrize(
    ("duration_s", "shown"),
    [
        (0.0, "0 s"),
        (2e-5, "20 µs"),
        (0.0123, "12 ms"),
        (0.84, "0.84 s"),
        (7.25, "7.2 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (-0.002, "-2.0 ms"),
        (65, "1 min 05 s"),
    ],
)
def test_a_short_time_is_told_in_a_smaller_unit_and_not_as_none(duration_s: float, shown: str) -> None:
    assert readable_seconds(duration_s) == shown
