"""JSON: the same tree as Python reads, with lines, and faults where JSON is broken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config.json_text import parse_json
from etude.errors import ConfigError, Fault

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


def refused(text: str) -> Fault:
    with pytest.raises(ConfigError) as raised:
        parse_json(text, "s.json")
    return raised.value.faults[0]


@given(TREES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_a_tree_comes_back_as_it_was(tree: object, indent: int | str | None, ascii_only: bool) -> None:
    assert parse_json(json.dumps(tree, indent=indent, ensure_ascii=ascii_only), "s").tree == tree


@given(st.recursive(st.just(1), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner)))
def test_every_value_has_a_line(tree: object) -> None:
    document = parse_json(json.dumps(tree), "s")
    places = ["", *_places(tree, "")]
    assert set(document.lines) == set(places)


def _places(tree: object, path: str) -> list[str]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [
        found
        for key, inner in items
        for place in [f"{path}.{key}" if path else str(key)]
        for found in (place, *_places(inner, place))
    ]


def test_lines_are_those_of_the_keys() -> None:
    lines = parse_json('{\n "a": 1,\n "b": {"c":\n [\n1,\n"}"]}}', "s").lines
    assert {path: line.line for path, line in lines.items()} == {
        "": 1,
        "a": 2,
        "b": 3,
        "b.c": 3,
        "b.c.0": 5,
        "b.c.1": 6,
    }


def test_a_key_given_twice_is_a_fault_with_both_lines() -> None:
    (fault,) = parse_json('{"x": {"a": 1,\n"b": 2,\n"a": 3}}', "s").faults
    assert (fault.path, fault.line) == ("x.a", 3)
    assert "line 1" in fault.reason


@pytest.mark.parametrize(
    ("text", "line"),
    [('{"a": 1,\n}', 2), ("{\n'a': 1}", 2), ('{"a": 1} // no', 1), ('{\n"a": 1\n"b": 2}', 3), ('["\n"]', 1)],
)
def test_what_is_no_json_is_told_with_its_line(text: str, line: int) -> None:
    fault = refused(text)
    assert fault.line == line
    assert "not JSON" in fault.reason
    assert "YAML or Jsonnet" in fault.mend


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": Infinity}', '{"a": -Infinity}'])
def test_numbers_that_json_does_not_have_are_refused(text: str) -> None:
    assert "no JSON number" in refused(text).reason


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    assert "digit" in refused('{"a": ' + "9" * 10_000 + "}").reason


@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    assert "deep" in refused("[" * depth + "]" * depth).reason


def test_text_of_keys_and_values_is_decoded() -> None:
    document = parse_json('{"\\u00e9\\n": "\\ud83d\\ude00\\/"}', "s")
    assert document.tree == {"é\n": "😀/"}
    assert "é\n" in document.lines
