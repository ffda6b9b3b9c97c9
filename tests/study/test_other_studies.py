"""Studies that build on other studies: a node of one, the best variants of another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etude.errors import ConfigError
from etude.study.execution import Execution
from etude.study.prepare import Options, PreparedStudy, prepare
from etude.study.result_history import read_history
from etude.study.study import NodeSpec, Source, Study, Top, Vary
from projects import CALLED, Project

STEPS = (
    CALLED
    + """
from dataclasses import dataclass

@dataclass(frozen=True)
class Scores:
    value: float

@step
def number(*, x: int, seed: int = 0) -> Scores:
    called(f"number{x}")
    return Scores(10.0 * x - x * x + seed)

@step
def double(scores: Scores) -> float:
    called("double")
    return 2 * scores.value
"""
)


@pytest.fixture
def first(project: Project) -> Study:
    study = project.write(STEPS).study(
        {"n": ("number", None, {"x": "${x}", "seed": "${seed}"})},
        params={"x": 3, "seed": 0},
        vary=Vary(grid={"x": (1, 4, 5, 9)}, repeat={"seed": (0, 1)}),
    )
    return replace(study, name="first")


def prepared(study: Study, first: Study) -> PreparedStudy:
    return prepare(study, other_study=lambda name: {"first": first}[name])


def run(study: Study, first: Study) -> PreparedStudy:
    ready = prepared(study, first)
    assert Execution(ready, Options(), lambda _event: None).run().succeeded
    return ready


def test_a_node_of_another_study_is_the_same_node_with_that_studys_own_params(project: Project, first: Study) -> None:
    double = NodeSpec(name="d", step=f"{project.module}:double", sources={"": Source(node="n", study="first")})
    ready = run(replace(first, name="second", pipeline={"d": double}, vary=Vary()), first)
    assert project.calls() == ["number3", "double"]
    (node,) = ready.expansion.named("d")
    assert ready.store.read(node.fingerprint) == 2 * 21.0


def test_an_unknown_node_of_another_study_is_a_fault(project: Project, first: Study) -> None:
    double = NodeSpec(name="d", step=f"{project.module}:double", sources={"": Source(node="m", study="first")})
    with pytest.raises(ConfigError, match="no node 'm'"):
        prepared(replace(first, name="second", pipeline={"d": double}, vary=Vary()), first)


def second(first: Study, **top: object) -> Study:
    chosen = Top(**{"of": "first", "by": "n.value", "k": 2, "direction": "maximize", **top})  # type: ignore[arg-type]
    return replace(first, name="second", vary=Vary(top=chosen, repeat={"seed": (5,)}))


def test_the_best_variants_of_another_study_are_the_points_of_this_one_best_first(first: Study) -> None:
    run(first, first)
    ready = prepared(second(first), first)
    assert [(variant.params["x"], variant.params["seed"]) for variant in ready.expansion.variants] == [(5, 5), (4, 5)]
    assert [node.label() for node in ready.expansion.named("n")] == ["n x=5 seed=5", "n x=4 seed=5"]


def test_the_best_can_be_the_smallest(first: Study) -> None:
    run(first, first)
    ready = prepared(second(first, direction="minimize", k=1), first)
    assert {variant.params["x"] for variant in ready.expansion.variants} <= {1, 9}


def test_which_end_is_the_best_is_never_guessed(first: Study) -> None:
    run(first, first)
    with pytest.raises(ConfigError, match=r"vary\.top\.direction: nothing says whether more or less of 'n\.value'"):
        prepared(second(first, direction=None), first)
    cheapest = prepared(second(first, by="n.cost.wall_s", direction=None, k=1), first)
    assert len(cheapest.expansion.variants) == 1


@pytest.mark.parametrize(
    ("top", "words"), [({"by": "n.valeu"}, "n.value"), ({"k": 9}, "4 finished"), ({"by": "quality.auc"}, "n.value")]
)
def test_what_cannot_be_chosen_is_told(first: Study, top: dict[str, object], words: str) -> None:
    run(first, first)
    with pytest.raises(ConfigError, match=words):
        prepared(second(first, **top), first)


def test_a_study_that_was_not_run_is_told_to_be_run_first(first: Study) -> None:
    with pytest.raises(ConfigError, match="run it first"):
        prepared(second(first), first)


def test_the_best_of_the_best_are_those_of_the_study_between(first: Study) -> None:
    studies = {"first": first, "second": replace(second(first, k=3), name="second")}
    third = replace(
        first,
        name="third",
        vary=Vary(top=Top(of="second", by="n.value", k=1, direction="maximize"), repeat={"seed": (7,)}),
    )

    def ready(study: Study) -> PreparedStudy:
        return prepare(study, other_study=lambda name: studies[name])

    for study in studies.values():
        assert Execution(ready(study), Options(), lambda _event: None).run().succeeded
    assert [variant.params["x"] for variant in ready(third).expansion.variants] == [5]


def test_studies_that_read_each_other_are_told_with_their_circle(project: Project, first: Study) -> None:
    def reading(name: str, other: str) -> Study:
        spec = NodeSpec(name="d", step=f"{project.module}:double", sources={"": Source(node="d", study=other)})
        return replace(first, name=name, pipeline={"d": spec}, vary=Vary())

    studies = {"a": reading("a", "b"), "b": reading("b", "a")}
    with pytest.raises(ConfigError, match="a ← b ← a"):
        prepare(studies["a"], other_study=lambda name: studies[name])
    best = replace(first, name="first", vary=Vary(top=Top(of="first", by="n.value", k=1, direction="maximize")))
    with pytest.raises(ConfigError, match="first ← first"):
        prepare(best, other_study=lambda name: best)


def test_a_node_of_another_study_is_told_from_one_of_the_same_name_here(project: Project, first: Study) -> None:
    here = NodeSpec(name="n", step=f"{project.module}:double", sources={"": Source(node="n", study="first")})
    ready = run(replace(first, name="second", pipeline={"n": here}, vary=Vary()), first)
    labels = {action.node.label() for action in ready.plan.actions}
    assert {"n", "@first/n x=3 seed=0"} <= labels
    kept = read_history(ready.workplace.etude, "second").results
    assert {kept["n"], kept["@first/n x=3 seed=0"]} <= {action.node.fingerprint for action in ready.plan.actions}


def test_values_that_print_alike_keep_results_of_their_own(project: Project, first: Study) -> None:
    text = "\n@step\ndef same(*, value: object) -> object:\n    return value\n"
    study = project.write(STEPS + text).study(
        {"s": ("same", None, {"value": "${value}"})},
        params={"value": 1},
        vary=Vary(grid={"value": (1, "1", True, "true", None, "null", [1], "[1]")}),
    )
    project.run(study)
    assert len(set(read_history(project.folder / ".etude", "test").results.values())) == 8 + 1


ACROSS = """
@step
def total(all: Across[Scores]) -> float:
    return sum(scores.value for scores in all.values())

@step
def names(all: Across[Scores]) -> str:
    return " ".join(str(params["x"]) for params, _ in all)

@step
def plus_one(value: float) -> float:
    return value + 1

@step
def rows(records: object) -> int:
    return records.num_rows
"""


@pytest.fixture
def varied(project: Project, first: Study) -> Study:
    """A study with variants, a node and collect nodes."""
    project.write(STEPS + ACROSS)
    total = NodeSpec(name="t", step=f"{project.module}:total", sources={"": Source(node="n", across=True)})
    return replace(first, collect={"t": total})


def reading(project: Project, first: Study, step: str, source: Source) -> Study:
    """A study with variants of its own, a node `n` as well, and a collect node that reads another study."""
    spec = NodeSpec(name="c", step=f"{project.module}:{step}", sources={"": source})
    return replace(first, name="second", vary=Vary(grid={"x": (100, 200)}), collect={"c": spec})


@pytest.mark.parametrize(
    ("step", "source", "value"),
    [
        ("total", Source(node="n", across=True, study="first"), 2 * (9 + 24 + 25 + 9) + 4),
        ("total", Source(node="n", across=True), -(100 * 90) - 200 * 190),
        ("names", Source(node="n", across=True, study="first"), "1 1 4 4 5 5 9 9"),
        ("plus_one", Source(node="t", study="first"), 2 * (9 + 24 + 25 + 9) + 4 + 1),
        ("rows", Source(node="records", study="first"), 8),
    ],
)
def test_a_source_of_another_study_is_of_that_studys_variants(
    project: Project, varied: Study, step: str, source: Source, value: object
) -> None:
    ready = run(reading(project, varied, step, source), varied)
    (node,) = ready.expansion.named("c")
    assert ready.store.read(node.fingerprint) == value


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source(node="m", across=True, study="first"), "no node 'm'"),
        (Source(node="t", across=True, study="first"), "runs once"),
        (Source(node="records", across=True, study="first"), "runs once"),
    ],
)
def test_a_source_across_another_study_that_means_nothing_is_a_fault(
    project: Project, varied: Study, source: Source, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        prepared(reading(project, varied, "total", source), varied)


def test_the_best_of_a_third_study_are_the_variants_that_are_read_across(project: Project, varied: Study) -> None:
    run(varied, varied)
    best = replace(
        varied, name="best", collect={}, vary=Vary(top=Top(of="first", by="n.value", k=2, direction="maximize"))
    )
    studies = {"first": varied, "best": best}
    study = reading(project, varied, "names", Source(node="n", across=True, study="best"))
    ready = prepare(study, other_study=lambda name: studies[name])
    assert Execution(ready, Options(), lambda _event: None).run().succeeded
    assert ready.store.read(ready.expansion.named("c")[0].fingerprint) == "5 4"


def test_params_of_a_node_here_are_not_those_of_its_namesake_elsewhere(project: Project, first: Study) -> None:
    double = NodeSpec(name="d", step=f"{project.module}:double", sources={"": Source(node="n", study="first")})
    study = replace(first, name="second", pipeline={**first.pipeline, "d": double}, vary=Vary(grid={"x": (1, 4)}))
    (node,) = prepared(study, first).expansion.named("d")
    assert node.label() == "d"
