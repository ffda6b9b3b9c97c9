"""When equal bytes upstream spare a node, and when they must not: an input can bring code of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.store.codecs import classes_in
from etude.study.study import Study, Vary
from projects import CALLED, Project

CODE = (
    CALLED
    + """
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

class HasArea(Protocol):
    def area(self) -> int: ...

@dataclass(frozen=True)
class Shape:
    side: int

    def shown(self):
        return self.area()

@dataclass(frozen=True)
class Square(Shape):
    def area(self):
        return self.side * self.side

@dataclass(frozen=True)
class Holder:
    shape: Square

class Kind(Enum):
    BIG = "big"

    def area(self):
        return 2 * 2

@step
def square(*, side: int = 3) -> Square:
    called("square")
    return Square(side)

@step
def holder() -> Holder:
    return Holder(Square(3))

@step
def kind() -> Kind:
    return Kind.BIG

@step
def passed_on(shape: Any) -> Any:
    return shape

@step
def by_name(shape: Square) -> int:
    called("by_name")
    return shape.area()

@step
def by_base(shape: Shape) -> int:
    return shape.shown()

@step
def by_protocol(shape: HasArea) -> int:
    return shape.area()

@step
def by_anything(shape: Any) -> int:
    called("by_anything")
    return shape.area()

@step
def untyped(shape) -> int:
    return shape.area()

@step
def several(shapes: list) -> int:
    return sum(shape.area() for shape in shapes)

@step
def across(shapes) -> int:
    return sum(shape.area() for shape in shapes.values())

@step
def plain(*, value: int = 3) -> int:
    return value

@step
def doubled(value) -> int:
    called("doubled")
    return 2 * value
"""
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path).write(CODE)


def value_after_edit(project: Project, study: Study, name: str, old: str, new: str) -> object:
    project.run(study)
    project.write(CODE.replace(old, new))
    return project.run(study).value(name)


@pytest.mark.parametrize("reader", ["by_name", "by_base", "by_protocol", "by_anything", "untyped"])
def test_a_changed_method_of_an_input_is_heeded_however_the_reader_names_the_input(
    project: Project, reader: str
) -> None:
    study = project.study({"shape": ("square",), "area": (reader, "shape")})
    assert value_after_edit(project, study, "area", "self.side * self.side", "self.side * 10") == 30


def test_it_is_heeded_in_an_item_of_a_result(project: Project) -> None:
    study = project.study({"held": ("holder",), "area": ("untyped", "held.shape")})
    assert value_after_edit(project, study, "area", "self.side * self.side", "self.side * 10") == 30


def test_it_is_heeded_in_an_enum(project: Project) -> None:
    study = project.study({"shape": ("kind",), "area": ("untyped", "shape")})
    assert value_after_edit(project, study, "area", "2 * 2", "2 * 5") == 10


def test_it_is_heeded_behind_a_step_that_passes_the_input_on(project: Project) -> None:
    study = project.study({"shape": ("square",), "same": ("passed_on", "shape"), "area": ("untyped", "same")})
    assert value_after_edit(project, study, "area", "self.side * self.side", "self.side * 10") == 30


def test_it_is_heeded_in_a_list_of_inputs(project: Project) -> None:
    study = project.study({"shape": ("square",), "area": ("several", {"shapes": ["shape", "shape"]})})
    assert value_after_edit(project, study, "area", "self.side * self.side", "self.side * 10") == 60


def test_it_is_heeded_across_variants(project: Project) -> None:
    study = project.study(
        {"shape": ("square", None, {"side": "${side}"})},
        collect={"area": ("across", {"shapes": "shape[*]"})},
        params={"side": 1},
        vary=Vary(grid={"side": (1, 2)}),
    )
    assert value_after_edit(project, study, "area", "self.side * self.side", "self.side * 10") == 30


def test_equal_bytes_still_spare_a_reader_that_names_the_class(project: Project) -> None:
    study = project.study({"shape": ("square",), "area": ("by_name", "shape")})
    project.run(study)
    project.write(CODE.replace("return Square(side)", "return Square(side + 0)"))
    project.run(study)
    assert project.calls() == ["square", "by_name", "square"]


def test_equal_bytes_still_spare_an_untyped_reader_of_plain_values(project: Project) -> None:
    study = project.study({"value": ("plain",), "twice": ("doubled", "value")})
    project.run(study)
    project.write(CODE.replace("return value\n", "return value + 0\n"))
    project.run(study)
    assert project.calls() == ["doubled"]


def test_a_second_run_with_an_untyped_reader_does_nothing(project: Project) -> None:
    study = project.study({"shape": ("square",), "area": ("by_anything", "shape")})
    project.run(study)
    assert project.prepare(study).plan.todo == ()


def test_the_classes_of_a_value_are_those_that_its_codec_tree_names() -> None:
    tree = {
        "codec": "composite",
        "of": "record",
        "type": "shapes:Pair",
        "items": [
            ["x", {"codec": "json", "type": ["dict", "str", "shapes:Point"], "text": "{}"}],
            ["y", {"codec": "npy"}],
        ],
    }
    assert classes_in(tree) == {"shapes:Pair", "shapes:Point"}
    assert classes_in({"codec": "json", "type": ["Literal", "a:b"], "text": '"a:b"'}) == frozenset()
