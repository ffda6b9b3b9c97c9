from __future__ import annotations

from datetime import date
from re import ASCII, IGNORECASE

import pytest
from hypothesis import given

from etude.errors import IdentityError
from etude.identity.canonical import canonical
from etude.identity.difference import Difference, differences, readable
from strategies import Colour, Pair, Point, settings, values


def told(old: object, new: object) -> list[str]:
    return [str(difference) for difference in differences(canonical(old), canonical(new))]


@given(values())
def test_a_value_does_not_differ_from_itself(value: object) -> None:
    assert differences(canonical(value), canonical(value)) == ()


@given(values(), values())
def test_there_is_a_difference_if_and_only_if_the_texts_differ(old: object, new: object) -> None:
    before, after = canonical(old), canonical(new)
    assert bool(differences(before, after)) == (before != after)


@given(settings(), settings())
def test_every_difference_shows_two_unequal_sides(old: dict[str, object], new: dict[str, object]) -> None:
    for difference in differences(canonical(old), canonical(new)):
        assert difference.old != difference.new


@given(settings(), values())
def test_one_changed_setting_is_the_one_place_that_is_told(old: dict[str, object], value: object) -> None:
    new = {**old, "epochs": value}
    for difference in differences(canonical(old), canonical(new)):
        assert difference.path.startswith("epochs")


@given(values())
def test_whatever_can_be_written_can_be_read(value: object) -> None:
    assert readable(canonical(value))


def test_a_changed_setting_is_told_by_name_with_both_values() -> None:
    (difference,) = differences(canonical({"epochs": 3, "rate": 0.1}), canonical({"epochs": 5, "rate": 0.1}))
    assert difference == Difference(path="epochs", old="3", new="5")


def test_nested_places_are_dotted_paths() -> None:
    old = {"train": {"betas": [0.9, 0.99], "spec": Point({"k": 1})}}
    new = {"train": {"betas": [0.9, 0.999], "spec": Point({"k": 2})}}
    assert told(old, new) == ["train.betas[1]: 0.99 → 0.999", "train.spec.x.k: 1 → 2"]


def test_added_and_removed_keys_are_told_as_such() -> None:
    assert told({"a": 1, "b": 2}, {"b": 2, "c": [True]}) == ["a: removed 1", "c: added [true]"]


def test_longer_and_shorter_lists_are_told_by_place() -> None:
    assert told([1, 2], [1, 2, 3]) == ["[2]: added 3"]
    assert told((1, 2), (1,)) == ["[1]: removed 2"]


def test_elements_of_sets_come_and_go() -> None:
    assert told({"tags": {"a", "b"}}, {"tags": {"b", "c"}}) == ['tags{}: removed "a"', 'tags{}: added "c"']


def test_a_change_of_type_alone_is_a_difference_that_shows() -> None:
    assert told({"x": 1}, {"x": True}) == ["x: 1 → true"]
    assert told({"x": 1}, {"x": "1"}) == ['x: 1 → "1"']
    assert told({"x": 1}, {"x": 1.0}) == ["x: 1 → 1.0"]
    assert told({"x": [1]}, {"x": (1,)}) == ["x: [1] → (1)"]


def test_another_class_with_the_same_fields_is_one_difference() -> None:
    assert told(Point(1, 2), Pair(1, 2)) == ["Point(x = 1, y = 2) → Pair(x = 1, y = 2)"]


def test_classes_of_one_name_in_two_modules_are_told_with_their_modules() -> None:
    (difference,) = differences('enum("a:Mode","MEAN")', 'enum("b:Mode","MEAN")')
    assert (difference.old, difference.new) == ('enum("a:Mode","MEAN")', 'enum("b:Mode","MEAN")')


def test_keys_that_are_no_names_stand_in_brackets() -> None:
    assert told({"two words": 1, 3: 1}, {"two words": 2, 3: 2}) == ['["two words"]: 1 → 2', "[3]: 1 → 2"]


def test_long_texts_are_cut_around_the_place_where_they_part() -> None:
    (difference,) = differences(canonical("a" * 500 + "X" + "b" * 500), canonical("a" * 500 + "Y" + "b" * 500))
    assert "X" in str(difference.old)
    assert "Y" in str(difference.new)
    assert len(str(difference)) < 400


def test_a_readable_text_looks_like_what_people_write() -> None:
    value = {"rate": 0.1, "mode": Colour.RED, "flags": ASCII | IGNORECASE, "when": date(2024, 1, 2), "raw": b"a"}
    assert readable(canonical(value)) == (
        "{flags: RegexFlag.ASCII|IGNORECASE, mode: Colour.RED, rate: 0.1, raw: b'a', when: date(\"2024-01-02\")}"
    )


@pytest.mark.parametrize("text", ["", "{", '{"a"=}', "[int:1", "[int:1]]", "(int:1 int:2)", '"open', "[,]"])
def test_a_text_that_canonical_did_not_write_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(IdentityError, match="at character"):
        readable(text)
