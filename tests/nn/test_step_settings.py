"""A dataclass of settings is written once, and each step that takes it has its fields as settings of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated

import pytest
from pydantic import Field

from etude import step
from etude.graph.signature import signature_of
from etude.nn.step_settings import settings_from
from etude.nn.training_spec import TrainingSpec
from etude.text import steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    rate: Annotated[float, Field(gt=0)]
    epochs: int = 3
    clip: float | None = None


@step
@settings_from(Spec, epochs=5)
def fitted(data: str, *, width: int = 2, spec: Spec) -> str:
    """What it does."""
    return f"{data} {width} {spec.rate} {spec.epochs} {spec.clip}"


def test_each_field_is_a_setting_with_its_type_and_the_default_of_the_step() -> None:
    signature = signature_of("here:fitted", fitted)
    assert {name: setting.default for name, setting in signature.settings.items() if not setting.required} == {
        "width": 2,
        "epochs": 5,
        "clip": None,
    }
    assert [given.name for given in signature.inputs] == ["data"]
    assert signature.returns is str
    assert "rate" in str(*signature.settings_faults({"rate": -1.0}, "with"))


def test_the_step_works_with_one_value_of_the_class() -> None:
    assert fitted("x", rate=0.5) == "x 2 0.5 5 None"
    assert fitted("x", rate=0.5, epochs=1, clip=1.0, width=7) == "x 7 0.5 1 1.0"
    assert fitted.__doc__ == "What it does."


def test_a_setting_that_has_no_default_is_asked_for_by_name() -> None:
    with pytest.raises(TypeError, match="rate"):
        fitted("x")


def other(data: str, *, rate: float, spec: Spec) -> str:
    return data


def without(data: str) -> str:
    return data


@pytest.mark.parametrize("function", [other, without])
def test_a_field_that_is_a_setting_already_and_a_step_without_the_class_are_refused(
    function: Callable[..., str],
) -> None:
    with pytest.raises(TypeError, match="Spec"):
        settings_from(Spec)(function)


@pytest.mark.parametrize("name", ["train", "finetune"])
def test_every_step_that_trains_has_every_option_of_training(name: str) -> None:
    settings = signature_of(f"etude.text.steps:{name}", getattr(steps, name)).settings
    assert {field.name for field in fields(TrainingSpec)} <= settings.keys()
    assert "training" not in settings
