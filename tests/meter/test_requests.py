"""A request pays for its own prompt and its own tokens; padding and idling have accounts of their own."""

from __future__ import annotations

from math import fsum, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import MeterError
from etude.meter.requests import Batch, Row, divide


def test_a_prompt_pays_for_its_length() -> None:
    batch = Batch(
        prefill_j=90.0,
        decode_j=0.0,
        rows=(
            Row(request="short", prefill_flops=1e9, decode_steps=0),
            Row(request="long", prefill_flops=2e9, decode_steps=0),
        ),
        issued_flops=3e9,
        issued_steps=0,
    )
    assert divide(90.0, [batch]).requests == {"short": pytest.approx(30.0), "long": pytest.approx(60.0)}


def test_two_requests_of_equal_output_and_unequal_prompts_do_not_cost_the_same() -> None:
    rows = (
        Row(request="short", prefill_flops=1e9, decode_steps=10),
        Row(request="long", prefill_flops=30e9, decode_steps=10),
    )
    batch = Batch(prefill_j=310.0, decode_j=100.0, rows=rows, issued_flops=31e9, issued_steps=20)
    told = divide(410.0, [batch]).requests
    assert told["long"] == pytest.approx(350.0)
    assert told["short"] == pytest.approx(60.0)


def test_what_padding_computed_is_paddings() -> None:
    batch = Batch(
        prefill_j=100.0,
        decode_j=0.0,
        rows=(Row(request="a", prefill_flops=1e9, decode_steps=0),),
        issued_flops=4e9,
        issued_steps=0,
    )
    shares = divide(100.0, [batch])
    assert shares.padding_j == pytest.approx(75.0)
    assert shares.requests["a"] == pytest.approx(25.0)


def test_a_row_that_has_ended_is_padding_for_the_rest_of_the_batch() -> None:
    rows = (
        Row(request="short", prefill_flops=0.0, decode_steps=10),
        Row(request="long", prefill_flops=0.0, decode_steps=40),
    )
    batch = Batch(prefill_j=0.0, decode_j=80.0, rows=rows, issued_flops=0.0, issued_steps=80)
    shares = divide(80.0, [batch])
    assert shares.requests == {"short": pytest.approx(10.0), "long": pytest.approx(40.0)}
    assert shares.padding_j == pytest.approx(30.0)


def test_what_no_batch_used_is_idling() -> None:
    batch = Batch(
        prefill_j=10.0,
        decode_j=20.0,
        rows=(Row(request="a", prefill_flops=1.0, decode_steps=1),),
        issued_flops=1.0,
        issued_steps=1,
    )
    assert divide(100.0, [batch]).idle_j == pytest.approx(70.0)


def test_a_request_in_several_batches_pays_in_each() -> None:
    one = Batch(
        prefill_j=10.0,
        decode_j=0.0,
        rows=(Row(request="a", prefill_flops=1.0, decode_steps=0),),
        issued_flops=1.0,
        issued_steps=0,
    )
    assert divide(20.0, [one, one]).requests["a"] == pytest.approx(20.0)


def test_a_batch_whose_energy_is_not_known_leaves_its_requests_unknown_and_others_known() -> None:
    known = Batch(
        prefill_j=10.0,
        decode_j=0.0,
        rows=(Row(request="a", prefill_flops=1.0, decode_steps=0),),
        issued_flops=1.0,
        issued_steps=0,
    )
    blind = Batch(
        prefill_j=None,
        decode_j=5.0,
        rows=(Row(request="b", prefill_flops=1.0, decode_steps=0),),
        issued_flops=1.0,
        issued_steps=0,
    )
    shares = divide(100.0, [known, blind])
    assert shares.requests == {"a": pytest.approx(10.0), "b": None}
    assert (shares.padding_j, shares.idle_j, shares.closure_error) == (None, None, None)


def test_batches_that_used_more_than_the_run_are_refused() -> None:
    batch = Batch(prefill_j=10.0, decode_j=20.0, rows=(), issued_flops=1.0, issued_steps=1)
    with pytest.raises(MeterError, match="more than the run's 20 J"):
        divide(20.0, [batch])


def test_more_useful_work_than_was_issued_is_refused() -> None:
    with pytest.raises(MeterError, match="issued_flops"):
        Batch(
            prefill_j=1.0,
            decode_j=1.0,
            rows=(Row(request="a", prefill_flops=5.0, decode_steps=0),),
            issued_flops=4.0,
            issued_steps=0,
        )
    with pytest.raises(MeterError, match="issued_steps"):
        Batch(
            prefill_j=1.0,
            decode_j=1.0,
            rows=(Row(request="a", prefill_flops=0.0, decode_steps=5),),
            issued_flops=4.0,
            issued_steps=4,
        )


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    made = []
    for _ in range(draw(st.integers(0, 6))):
        rows = draw(
            st.lists(
                st.builds(
                    Row,
                    request=st.sampled_from("abcdef"),
                    prefill_flops=st.floats(0, 1e15),
                    decode_steps=st.integers(0, 500),
                ),
                max_size=6,
            )
        )
        made.append(
            Batch(
                prefill_j=draw(st.floats(0, 1e4)),
                decode_j=draw(st.floats(0, 1e4)),
                rows=tuple(rows),
                issued_flops=fsum(row.prefill_flops for row in rows) + draw(st.floats(0, 1e15)),
                issued_steps=sum(row.decode_steps for row in rows) + draw(st.integers(0, 500)),
            )
        )
    return made


@given(batches(), st.floats(0, 1e4))
def test_requests_padding_and_idling_add_up_to_the_run(made: list[Batch], idle: float) -> None:
    run = fsum([*((batch.prefill_j or 0) + (batch.decode_j or 0) for batch in made), idle])
    shares = divide(run, made)
    parts = [*(value or 0.0 for value in shares.requests.values()), shares.padding_j or 0.0, shares.idle_j or 0.0]
    assert isclose(fsum(parts), run, rel_tol=1e-9, abs_tol=1e-9)
    assert shares.closure_error is not None
    assert shares.closure_error <= 1e-9 or run < 1e-9
