"""A key of a study file is said once, at the field of the spec that holds its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from etude.errors import Fault
from etude.keys import DURATION, FileKey, Integer, SectionText, section_of, spec_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Oven:
    SECTION: ClassVar = SectionText(what="an oven", elsewhere={"degrees": "write heat"})

    heat: Annotated[int, Integer(least=50), FileKey("How hot it is.", 180)]
    bake_s: Annotated[float, DURATION, FileKey("How long. Default {default}.", "1h")] = 5400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    SECTION: ClassVar = SectionText(what="a recipe")

    oven: Annotated[Oven | None, FileKey("Where it is baked.", {"heat": 180})] = None
    kind: Annotated[Literal["bread", "cake"], FileKey("Default {default}.", "cake")] = "bread"
    tools: Annotated[tuple[str, ...], FileKey("Default {default}.", ["bowl"])] = ("bowl", "whisk")
    amounts: Annotated[Mapping[str, float], FileKey("How much of each.", {"flour": 0.5})] = field(default_factory=dict)
    vegan: Annotated[bool, FileKey("Whether it is.", True, name="plants")] = False
    tasted: int = 0


def test_a_field_gives_its_key_a_name_without_the_unit_a_default_and_a_type() -> None:
    keys = section_of(Oven).keys
    assert list(keys) == ["heat", "bake"]
    assert (keys["heat"].required, keys["bake"].required) == (True, False)
    assert keys["bake"].meaning == "How long. Default 90m."
    assert section_of(Recipe).keys["tools"].meaning == "Default [bowl, whisk]."


def test_a_field_without_a_key_is_none_that_a_file_can_set() -> None:
    assert list(section_of(Recipe).keys) == ["oven", "kind", "tools", "amounts", "plants"]


def test_the_schema_follows_the_fields_types() -> None:
    properties = section_of(Recipe).schema()["properties"]
    assert isinstance(properties, dict)
    assert properties["kind"]["enum"] == ["bread", "cake", None]
    assert properties["tools"]["type"] == ["array", "null"]
    assert properties["amounts"]["additionalProperties"] == {"type": "number"}
    assert properties["oven"]["required"] == ["heat"]


def test_what_is_read_becomes_the_spec_with_its_inner_specs() -> None:
    faults: list[Fault] = []
    tree = {"oven": {"heat": 200, "bake": "2m"}, "tools": ["pan"], "amounts": {"salt": 2}, "plants": True}
    read = section_of(Recipe).read(tree, "", faults)
    assert isinstance(read, dict)
    assert faults == []
    assert spec_of(Recipe, read, tasted=3) == Recipe(
        oven=Oven(heat=200, bake_s=120.0), tools=("pan",), amounts={"salt": 2}, vegan=True, tasted=3
    )


def test_an_inner_spec_that_lacks_what_it_needs_is_left_out_and_told() -> None:
    faults: list[Fault] = []
    read = section_of(Recipe).read({"oven": {"degrees": 200}}, "", faults)
    assert isinstance(read, dict)
    assert [(fault.path, fault.mend) for fault in faults] == [
        ("oven.degrees", "write heat"),
        ("oven.heat", "add heat. How hot it is."),
    ]
    assert spec_of(Recipe, read) == Recipe()
