"""YAML 1.2: what scalars mean, and what a file may not do."""

from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from etude.config import yaml12
from etude.config.document import MAX_DEPTH
from etude.config.yaml12 import parse_yaml
from etude.config.yaml_tree import core_scalar
from etude.errors import ConfigError, Fault

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="\x7f\x85\xa0\xad"))
PRINTABLE = PRINTABLE.filter(lambda text: all(char.isprintable() for char in text))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PRINTABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
    max_leaves=15,
)


def refused(text: str) -> Fault:
    with pytest.raises(ConfigError) as raised:
        parse_yaml(text, "s.yaml")
    (fault,) = raised.value.faults
    assert fault.file == "s.yaml"
    return fault


# The table of section 10.3.2 of YAML 1.2.2, with what version 1.1 reads otherwise.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("0", 0),
        ("-19", -19),
        ("+12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0x3A", 58),
        ("0.", 0.0),
        ("-0.0", -0.0),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("+12e03", 12000.0),
        ("-2E+05", -200000.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("1:30:00", "1:30:00"),
        ("2001-12-14", "2001-12-14"),
        ("0b1", "0b1"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("nul", "nul"),
        ("-", "-"),
        (".", "."),
        ("e3", "e3"),
        ("-0o7", "-0o7"),
    ],
)
def test_a_plain_scalar_means_what_version_1_2_says(text: str, value: object) -> None:
    found = core_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_number_that_is_none() -> None:
    assert math.isnan(core_scalar(".nan"))  # type: ignore[arg-type]


@given(st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none())
def test_a_scalar_written_by_python_is_read_back_with_its_type(value: object) -> None:
    found = core_scalar(json.dumps(value).replace("Infinity", ".inf"))
    assert found == value
    assert type(found) is type(value)


@given(TREES)
def test_yaml_reads_every_json_tree_as_json_does(tree: object) -> None:
    assert parse_yaml(json.dumps(tree, ensure_ascii=False), "s.yaml").tree == tree


def test_keys_are_text_as_written() -> None:
    assert parse_yaml("on: 1\n1: 2\ntrue: 3\n1.0: 4\nnull: 5", "s").tree == {
        "on": 1,
        "1": 2,
        "true": 3,
        "1.0": 4,
        "null": 5,
    }


def test_quotes_and_the_text_tag_keep_text() -> None:
    assert parse_yaml("[\"1\", 'null', !!str 1, ! true]", "s").tree == ["1", "null", "1", "true"]


def test_known_tags_convert() -> None:
    assert parse_yaml("[!!int 3, !!float 3, !!bool true, !!null null, !!seq [], !!map {}]", "s").tree == [
        3,
        3.0,
        True,
        None,
        [],
        {},
    ]


def test_every_value_has_its_line() -> None:
    document = parse_yaml("a: 1\nb:\n  c:\n  - x\n  - y: 2\n", "s.yaml")
    lines = {path: line.line for path, line in document.lines.items()}
    assert lines == {"": 1, "a": 1, "b": 2, "b.c": 3, "b.c.0": 4, "b.c.1": 5, "b.c.1.y": 5}


def test_merge_keys_fill_in_what_is_not_said() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd:\n  <<: *a\n  y: 4"
    tree = parse_yaml(text, "s").tree
    assert isinstance(tree, dict)
    assert tree["c"] == {"x": 3, "y": 1, "z": 2}
    assert tree["d"] == {"x": 1, "y": 4}


def test_what_a_merge_key_brings_stands_at_its_own_line() -> None:
    lines = parse_yaml("a: &a\n  x: 1\nb:\n  <<: *a\n  y: 4", "s").lines
    assert lines["b.x"].line == 2
    assert lines["b.y"].line == 5


def test_a_quoted_merge_key_is_a_key_like_any_other() -> None:
    assert parse_yaml('{"<<": 1}', "s").tree == {"<<": 1}


def test_an_alias_shares_nothing_with_what_it_stands_for() -> None:
    tree = parse_yaml("a: &a [[1]]\nb: *a", "s").tree
    assert isinstance(tree, dict)
    tree["b"][0].append(2)
    assert tree["a"] == [[1]]


def test_an_alias_means_the_last_anchor_before_it() -> None:
    assert parse_yaml("[&a 1, *a, &a 2, *a]", "s").tree == [1, 1, 2, 2]


def test_an_alias_can_be_a_key() -> None:
    assert parse_yaml("[&a x, {*a : 1}]", "s").tree == ["x", {"x": 1}]


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3", "{a: 1,\n b: 2,\n a: 3}"])
def test_a_key_given_twice_is_a_fault_with_both_lines(text: str) -> None:
    document = parse_yaml(text, "s.yaml")
    (fault,) = document.faults
    assert (fault.path, fault.line) == ("a", 3)
    assert "line 1" in fault.reason
    assert document.tree == {"a": 1, "b": 2}


def test_a_key_given_twice_deep_inside_has_its_path() -> None:
    (fault,) = parse_yaml("a:\n- {b: {c: 1, c: 2}}", "s.yaml").faults
    assert fault.path == "a.0.b.c"


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!mine", "!!binary", "!!set", "!!timestamp", "!!omap"]
)
def test_other_tags_are_refused_and_make_nothing(tag: str) -> None:
    document = parse_yaml(f"a: 1\nb: {tag} x", "s.yaml")
    (fault,) = document.faults
    assert (fault.path, fault.line) == ("b", 2)
    assert tag in fault.reason
    assert document.tree == {"a": 1, "b": "x"}


def test_a_tag_that_does_not_fit_its_value_is_a_fault() -> None:
    (fault,) = parse_yaml("a: !!int many", "s").faults
    assert (fault.path, fault.value) == ("a", "many")


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 5000])
def test_a_number_too_large_to_hold_is_a_fault(text: str) -> None:
    (fault,) = parse_yaml(f"a: {text}", "s").faults
    assert fault.path == "a"


def test_a_list_as_a_key_is_a_fault() -> None:
    document = parse_yaml("[x, y]: 1\nb: 2", "s")
    assert len(document.faults) == 1
    assert document.tree == {"b": 2}


def test_a_merge_of_a_plain_value_is_a_fault() -> None:
    (fault,) = parse_yaml("a: {<<: 3}", "s").faults
    assert "<<" in fault.reason


@pytest.mark.parametrize(
    ("text", "line", "mend"),
    [
        ("a:\n\tb: 1", 2, "tab"),
        ("a: 1\nb: {c: 1\nd: 2\n", 3, "line 2"),
        ("a: {step: x, from: scored[*]}", 1, "in quotes"),
        ("a: 1\nb: 'x\n", 2, "quote that opens on line 2"),
        ("a: 1\nb: x: y", 2, "colon in quotes"),
        ("a: 1\nb: @other/node", 2, "starts with @ in quotes"),
        ("a: 1\nb: `x`", 2, "starts with ` in quotes"),
        ("a: 1\nb: * ", 2, "* or & in quotes"),
        ("a: 1\nb\nc: 3", 3, "line 2 needs a colon"),
        ("a:\n  b: 1\n c: 2", 3, "indentation"),
        ("a: 1\nb: *c", 2, "&c"),
        ("a: 1\nb: &b [*b]", 2, "write the value out"),
        ("a: 1\nb: \x01", 2, "remove it"),
        ("a: 1\n---\nb: 1", 2, "one study per file"),
        ("# only\n# comments", None, "pipeline"),
    ],
)
@pytest.mark.parametrize("parser", [yaml12._PARSER, yaml.SafeLoader])
def test_what_is_no_yaml_is_told_with_line_and_mend(
    text: str, line: int | None, mend: str, parser: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml12, "_PARSER", parser)
    fault = refused(text)
    assert fault.line == line
    assert mend in fault.mend


def test_deep_nesting_is_refused_without_running_out_of_stack() -> None:
    assert "deep" in refused("a: " + "[" * 20_000 + "]" * 20_000).reason
    assert parse_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "s").faults == ()


def test_aliases_that_multiply_are_stopped() -> None:
    levels = [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi")]
    assert "200,000" in refused("a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "\n".join(levels)).reason
