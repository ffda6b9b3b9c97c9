"""What was overridden has a name, so that its results and history are told from those of the study itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etude.config.load import load_study

STUDY = """
name: heads
params: {pooling: mean, seed: 0, degree: 1}
env: {POOL: pooling}
pipeline: {data: {step: "steps:make", with: {pooling: "${pooling}", seed: "${seed}", degree: "${degree}"}}}
vary: {grid: {pooling: [mean, max]}, repeat: {seed: [0, 1]}}
profiles:
  tiny: {params: {degree: 0}, vary: {repeat: {seed: [0]}}}
  same: {params: {degree: 1}, place: {workers: 1}}
  own: {name: heads-own, params: {degree: 3}}
  elsewhere: {params: {degree: 4}, place: {results: out}}
  renamed: {name: heads, params: {degree: 5}}
  over: {params: {degree: 6}, place: {results: ./results/heads}}
groups: {inputs: [data]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "heads.yaml"
    path.write_text(STUDY)
    return path


@pytest.mark.parametrize(
    ("profile", "overrides", "environment", "title"),
    [
        (None, (), {}, "heads"),
        (None, ("degree=2",), {}, "heads@degree=2"),
        (None, ("params.degree=2",), {}, "heads@degree=2"),
        (None, ("degree=3", "degree=2"), {}, "heads@degree=2"),
        (None, ("seed=0", "degree=2"), {}, "heads@degree=2,seed=0"),
        (None, ("degree=2", "seed=0"), {}, "heads@degree=2,seed=0"),
        (None, ("vary.repeat.seed.0=5",), {}, "heads@vary.repeat.seed.0=5"),
        (None, ("pipeline.data.with.degree=7",), {}, "heads@pipeline.data.with.degree=7"),
        (None, (), {"POOL": "max"}, "heads@pooling=max"),
        ("tiny", (), {}, "heads@tiny"),
        ("tiny", ("degree=2",), {}, "heads@tiny,degree=2"),
        ("own", (), {}, "heads-own"),
        ("own", ("degree=9",), {}, "heads-own@degree=9"),
        (None, ("vary.grid.pooling=[max, 3]",), {}, "heads@vary.grid.pooling=max+3"),
        # What makes no difference is no form of its own.
        (None, ("degree=1",), {}, "heads"),
        (None, ("place.workers=1", "description=x"), {}, "heads"),
        ("same", (), {}, "heads"),
        (None, ("name=smoke", "degree=2"), {}, "smoke"),
        (None, ("groups.inputs=[records]",), {}, "heads"),
        # The same name once more tells nothing.
        ("renamed", (), {}, "heads@renamed"),
        (None, ("name=heads", "degree=2"), {}, "heads@degree=2"),
    ],
)
def test_a_form_is_named_by_what_was_overridden(
    file: Path, profile: str | None, overrides: tuple[str, ...], environment: dict[str, str], title: str
) -> None:
    study = load_study(file, overrides=overrides, profile=profile, environment=environment)
    assert study.title == title
    assert study.place.results == (None if study.form == "" else f"results/{title}")


def test_a_folder_of_results_that_is_asked_for_stays_unless_more_is_overridden(file: Path) -> None:
    assert load_study(file, profile="elsewhere").place.results == "out"
    assert load_study(file, profile="elsewhere", overrides=["seed=1"]).place.results == "out@elsewhere,seed=1"
    assert load_study(file, overrides=["seed=1", "place.results=mine"]).place.results == "mine"


def test_a_profile_that_asks_for_the_studys_own_folder_of_results_has_another(file: Path) -> None:
    assert load_study(file, profile="over").place.results == "./results/heads@over"


@pytest.mark.parametrize("changed", ["{params: {degree: 2}}", "{vary: {search: {trials: 2}}}"])
def test_what_the_quick_profile_gives_is_never_among_the_studys_own(tmp_path: Path, changed: str) -> None:
    search = "{space: {degree: {float: [0.0, 2.0]}}, objective: data.x, trials: 50}"
    file = tmp_path / "heads.yaml"
    file.write_text(
        "params: {degree: 1}\n"
        'pipeline: {data: {step: "steps:make", with: {degree: "${degree}"}}}\n'
        f"vary: {{search: {search}}}\n"
        f"profiles: {{quick: {changed}, slow: {changed}}}\n"
    )
    quick = load_study(file, profile="quick")
    assert (quick.title, quick.place.results) == ("heads@quick", "results/heads@quick")
    assert load_study(file, profile="slow").title == ("heads" if "search" in changed else "heads@slow")


def test_long_and_odd_values_are_shortened_and_still_told_apart(file: Path) -> None:
    forms = {
        load_study(file, overrides=[f"pooling={value}"]).form
        for value in ("a/b", "a b", "x" * 200, "x" * 201, "1", '"1"')
    }
    assert len(forms) == 6
    assert all(re.fullmatch(r"[A-Za-z0-9._=,+-]{1,80}", form) and form.startswith("pooling=") for form in forms)
