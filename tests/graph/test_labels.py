"""Values as labels show them: read by people, told apart by `--only-variant` and by the history of a study."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.graph.labels import full_text, is_meant, text_of
from etude.identity.canonical import canonical

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.0, "1.0"),
        (1e-05, "1e-05"),
        (float("inf"), ".inf"),
        ("max", "max"),
        ("meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B"),
        ("é", "é"),
        ("1", '"1"'),
        ("1e3", '"1e3"'),
        ("0x1f", '"0x1f"'),
        (".inf", '".inf"'),
        ("true", '"true"'),
        ("null", '"null"'),
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ("[/bold]", '"[/bold]"'),
        ([1, "a"], '[1, "a"]'),
    ],
)
def test_a_value_is_written_as_yaml_reads_it(value: object, text: str) -> None:
    assert text_of(value) == text


@given(st.lists(values, min_size=2, max_size=2, unique_by=canonical))
def test_other_values_have_other_texts(pair: list[object]) -> None:
    assert text_of(pair[0]) != text_of(pair[1])


@given(values)
def test_no_text_is_long_and_none_breaks_a_line(value: object) -> None:
    assert len(text_of(value)) <= 40
    assert "\n" not in text_of(value)


@given(values)
def test_a_value_is_meant_by_each_of_its_texts(value: object) -> None:
    assert is_meant(value, text_of(value))
    assert is_meant(value, full_text(value))


def test_text_may_be_asked_for_without_quotes() -> None:
    assert is_meant("a b", "a b")
    assert is_meant(True, "True")
    assert not is_meant("a b", "a")
