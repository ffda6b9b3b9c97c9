"""`${name}` in settings: types are kept, text is written as YAML, faults name the place."""

from __future__ import annotations

import math
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import ConfigError
from etude.study.interpolation import escape, params_in, references, resolve, texts_in, unknown

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
PLAIN_TEXT = st.text().filter(lambda text: "${" not in text)
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def escaped(value: object) -> object:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {key: escaped(inner) for key, inner in value.items()}
    return [escaped(inner) for inner in value] if isinstance(value, list) else value


@given(NAMES, VALUES)
def test_a_name_alone_keeps_the_value_and_its_type(name: str, value: object) -> None:
    found = resolve(f"${{{name}}}", {name: value})
    assert found == value
    assert type(found) is type(value)


@given(st.text())
def test_escaped_text_resolves_to_itself_whatever_it_holds(text: str) -> None:
    assert resolve(escape(text), {}) == text
    assert params_in(escape(text)) == frozenset()


@given(VALUES)
def test_an_escaped_nested_value_resolves_to_itself(value: object) -> None:
    assert resolve(escaped(value), {}) == value


@given(LITERALS, st.dictionaries(NAMES, SCALARS))
def test_a_value_without_references_is_left_alone(value: object, params: dict[str, object]) -> None:
    assert resolve(value, params) == value
    assert params_in(value) == frozenset()


@given(PLAIN_TEXT.filter(lambda text: not text.endswith("$")), st.text(), PLAIN_TEXT.filter(bool))
def test_inside_text_a_text_is_put_in_as_it_is(before: str, value: str, after: str) -> None:
    assert resolve(f"{before}${{x}}{after}", {"x": value}) == before + value + after


@given(st.dictionaries(NAMES, st.integers(), min_size=1))
def test_the_params_of_a_template_are_exactly_those_it_names(params: dict[str, int]) -> None:
    template = [{"a": f"${{{name}}}", "b": f"x-${{{name}}}-$${{literal}}"} for name in params]
    assert params_in(template) == set(params)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (3, "3"),
        (-0.5, "-0.5"),
        (1e-05, "1e-05"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
    ],
)
def test_inside_text_a_value_is_written_as_yaml_writes_it(value: object, written: str) -> None:
    assert resolve("run-${x}.", {"x": value}) == f"run-{written}."


def test_a_dotted_name_reads_into_mappings_and_lists() -> None:
    params = {"model": MappingProxyType({"widths": [64, 128]})}
    assert resolve({"width": "${model.widths.1}"}, params) == {"width": 128}


def test_a_dotted_name_counts_as_the_param_it_reads_into() -> None:
    assert params_in(["${model.width}", "${seed}"]) == {"model", "seed"}


def test_several_references_in_one_text_are_all_filled_in() -> None:
    assert resolve("${a}/${b}-${a}", {"a": 1, "b": "x"}) == "1/x-1"


def test_keys_are_never_filled_in() -> None:
    assert resolve({"${a}": "${a}"}, {"a": 1}) == {"${a}": 1}


def test_what_is_filled_in_is_not_read_again() -> None:
    assert resolve("${a}", {"a": "${b}", "b": 1}) == "${b}"


def test_a_resolved_value_shares_no_container_with_params_or_template() -> None:
    params = {"layers": [[1], [2]]}
    template = {"deep": {"fixed": [3], "layers": "${layers}"}}
    found = resolve(template, params)
    found["deep"]["fixed"].append(4)
    found["deep"]["layers"][0].append(5)
    assert params == {"layers": [[1], [2]]}
    assert template == {"deep": {"fixed": [3], "layers": "${layers}"}}


@pytest.mark.parametrize(
    ("text", "reason", "mend"),
    [
        ("${sede}", "'sede'", "'seed'"),
        ("${model.widht}", "'widht'", "'width'"),
        ("${seed.x}", "nothing inside", "${seed}"),
        ("${seed.0}", "nothing inside", "${seed}"),
        ("${lr.0}", "'lr' has nothing inside", "${lr}"),
        ("x ${lr.0}", "'lr' has nothing inside", "${lr}"),
        ("${name.0}", "'name' has nothing inside", "${name}"),
        ("${name.upper}", "'name' has nothing inside", "${name}"),
        ("${flag.0}", "'flag' has nothing inside", "${flag}"),
        ("${nil.0}", "'nil' has nothing inside", "${nil}"),
        ("${model.layers.0.0}", "'model.layers.0' has nothing inside", "${model.layers.0}"),
        ("${model.layers.-1}", "holds no name", "${seed}"),
        ("${model.layers." + "9" * 5000 + "}", "'model.layers' has no", "0, 1"),
        ("${model.layers.7}", "'7'", "known: 0, 1"),
        ("x ${model}", "mapping", '"${model}"'),
        ("x ${model.layers}", "list", "alone"),
        ("${seed", "never closed", "$${"),
        ("${seed:-1}", "`${seed:-1}` holds no name", "${seed}"),
        ("${}", "`${}` holds no name", "${seed}"),
        ("${a b}", "`${a b}` holds no name", "${seed}"),
    ],
)
def test_what_cannot_be_filled_in_is_told_with_value_and_mend(text: str, reason: str, mend: str) -> None:
    params = {"seed": 1, "model": {"width": 3, "layers": [1, 2]}, "lr": 0.1, "name": "0.1", "flag": True, "nil": None}
    with pytest.raises(ConfigError) as raised:
        resolve({"schedule": [1, text]}, params)
    (fault,) = raised.value.faults
    assert fault.path == "schedule.1"
    assert fault.value == text
    assert reason in fault.reason
    assert mend in fault.mend


def test_all_unknown_names_are_told_together() -> None:
    with pytest.raises(ConfigError) as raised:
        resolve({"a": "${x}", "b": ["${ok}", "${y}"]}, {"ok": 1})
    assert [fault.path for fault in raised.value.faults] == ["a", "b.1"]


def test_a_reference_can_be_tried_without_raising() -> None:
    assert unknown("seed", {"seed": None}) is None
    assert unknown("seeds", {"seed": None}) == ("no param is called 'seeds'", "did you mean 'seed'?")


def test_without_any_param_the_mend_is_to_add_it() -> None:
    assert unknown("seed", {}) == ("no param is called 'seed'", "add seed to params")


def test_references_come_in_the_order_of_the_text() -> None:
    assert references("${b} $${c} ${a.x}") == ("b", "a.x")


def test_texts_come_with_their_dotted_places() -> None:
    assert list(texts_in({"a": ["x", {"b": "y"}], "c": 1})) == [("a.0", "x"), ("a.1.b", "y")]


def test_an_index_at_the_end_of_a_list_is_told_with_those_there_are() -> None:
    assert unknown("lr.1", {"lr": [1, 2]}) is None
    assert unknown("lr.2", {"lr": [1, 2]}) == ("the param 'lr' has no '2' inside", "known: 0, 1")
