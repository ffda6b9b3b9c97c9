"""What a step takes and gives, read from its annotations."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from etude import Context, InputFile, placement, step
from etude.graph.signature import NotAStep, Signature, signature_of


@step
def train(
    data: list[str],
    extra: dict[str, int] | None = None,
    *,
    ctx: Context,
    pooling: Literal["mean", "max"],
    rate: Annotated[float, Field(gt=0)] = 0.1,
    sizes: tuple[int, ...] = (1, 2),
    flag: bool = False,
    batch: Annotated[int, placement] = 8,
    words: InputFile | None = None,
) -> dict[str, float]:
    return {}


SIGNATURE = signature_of("here:train", train)


def test_positional_parameters_are_inputs_and_keyword_only_ones_are_settings() -> None:
    assert [(given.name, given.required) for given in SIGNATURE.inputs] == [("data", True), ("extra", False)]
    assert list(SIGNATURE.settings) == ["pooling", "rate", "sizes", "flag", "batch", "words"]


def test_the_context_is_neither() -> None:
    assert SIGNATURE.context


def test_marks_are_read() -> None:
    assert SIGNATURE.settings["batch"].placement
    assert SIGNATURE.settings["words"].reads
    assert not SIGNATURE.settings["rate"].placement


def test_a_step_stays_an_ordinary_function() -> None:
    assert train([], ctx=None, pooling="max") == {}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "0.1"),
        ("rate", True),
        ("rate", -1),
        ("rate", None),
        ("flag", 1),
        ("flag", "true"),
        ("sizes", [1, "2"]),
        ("sizes", 3),
        ("pooling", "mode"),
        ("batch", 1.5),
    ],
)
def test_a_value_of_the_wrong_type_is_a_fault_at_its_place(name: str, value: object) -> None:
    given = {"pooling": "mean", name: value}
    (fault,) = SIGNATURE.settings_faults(given, "pipeline.model.with")
    assert fault.path.startswith(f"pipeline.model.with.{name}")


def test_a_whole_number_will_do_for_a_float_and_a_list_for_a_tuple() -> None:
    assert SIGNATURE.validated("rate", 1) == 1.0
    assert isinstance(SIGNATURE.validated("rate", 1), float)
    assert SIGNATURE.validated("sizes", [3, 4]) == (3, 4)


def test_all_faults_are_told_together() -> None:
    faults = SIGNATURE.settings_faults({"poolin": "mean", "rate": "x"}, "with")
    assert [fault.path for fault in faults] == ["with.poolin", "with", "with.rate"]
    assert "pooling" in faults[0].mend
    assert "'pooling'" in faults[1].reason


def test_an_input_given_as_a_setting_is_told_where_it_belongs() -> None:
    (fault,) = SIGNATURE.settings_faults({"pooling": "max", "data": "raw"}, "with")
    assert "from" in fault.mend


@step
def bare_path(*, path: Path) -> int:
    return 0


@step
def untyped(*, x) -> int:  # type: ignore[no-untyped-def]
    return 0


@step
def open_ended(**settings: int) -> int:
    return 0


@pytest.mark.parametrize(
    ("function", "mend"),
    [
        (bare_path, "InputFile"),
        (untyped, "annotate"),
        (open_ended, "name every setting"),
        (3, "name a function"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_the_mend(function: object, mend: str) -> None:
    with pytest.raises(NotAStep) as caught:
        signature_of("here:it", function)
    assert mend in str(caught.value)


def test_a_step_can_say_that_it_is_not_deterministic() -> None:
    @step(deterministic=False)
    def draw() -> int:
        return 4

    signature: Signature = signature_of("here:draw", draw)
    assert not signature.deterministic
    assert SIGNATURE.deterministic


async def awaited(*, x: int = 1) -> int:
    return x


def yielding(*, x: int = 1) -> list[int]:  # type: ignore[misc]
    yield x


class Made:
    def __init__(self, *, x: int = 1) -> None:
        self.x = x

    def __call__(self, *, x: int = 1) -> int:
        return x


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (awaited, "async"),
        (yielding, "yields"),
        (Made, "is a class"),
        (Made(), "is an object of Made"),
        (partial(awaited, x=1), "is an object of partial"),
    ],
)
def test_what_is_no_plain_function_is_refused(function: Any, said: str) -> None:
    with pytest.raises(NotAStep, match=said):
        signature_of("here:it", step(function))


def test_a_path_that_says_nothing_of_its_content_is_refused_also_under_other_marks() -> None:
    def bare(*, words: Path) -> int:
        return 0

    def marked(*, words: Annotated[Path, "where"]) -> int:
        return 0

    def placed(*, words: Annotated[Path, placement], text: Annotated[str, "what"] = "") -> int:
        return 0

    for function in (bare, marked):
        with pytest.raises(NotAStep, match="'words' is a Path, and a path alone says nothing of its content"):
            signature_of("here:it", step(function))
    assert signature_of("here:it", step(placed)).settings["words"].placement


def blend(first, weight, second, *, shift: float = 0.0):  # type: ignore[no-untyped-def]
    return first * weight + second + shift


def test_of_a_plain_function_what_a_study_gives_by_name_is_a_setting() -> None:
    signature = signature_of("here:blend", blend, {"weight": 2})
    assert [(given.name, given.by_name) for given in signature.inputs] == [("first", False), ("second", True)]
    assert list(signature.settings) == ["weight", "shift"]
    assert signature.settings["weight"].required
    assert signature.validated("weight", [1, "a"]) == [1, "a"]


def test_a_plain_function_takes_its_positional_parameters_as_inputs_where_no_setting_is_given() -> None:
    assert [given.name for given in signature_of("here:blend", blend).inputs] == ["first", "weight", "second"]
