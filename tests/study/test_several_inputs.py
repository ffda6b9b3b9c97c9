"""A step with `*inputs`, from the study to the stored result: in the order written, whatever is made first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etude.study.study import NodeSpec, Source, Vary
from projects import CALLED, Project, source

STEPS = (
    CALLED
    + """
@step
def letter(*, which: str) -> dict[str, str]:
    called(which)
    return {"text": which, "twice": 2 * which}

@step
def join(*parts: dict[str, str], sep: str = "") -> str:
    return sep.join(part["text"] for part in parts)

@step
def after(head: str, *tails: dict[str, str]) -> str:
    return head + ":" + "".join(tail["text"] for tail in tails)
"""
)
LETTERS = {name: ("letter", None, {"which": name}) for name in "cab"}


def value(project: Project, step: str, sources: dict[str, Source | tuple[Source, ...]]) -> object:
    study = project.write(STEPS).study(LETTERS)
    spec = NodeSpec(name="it", step=f"{project.module}:{step}", sources=sources)
    result = project.run(replace(study, pipeline={**study.pipeline, "it": spec}))
    assert result.succeeded
    (node,) = result.prepared.expansion.named("it")
    return result.prepared.store.read(node.fingerprint)


A, B, C = map(source, "abc")


@pytest.mark.parametrize(
    ("step", "sources", "expected"),
    [
        ("join", {"": A}, "a"),
        ("join", {"0": C, "1": A, "2": B}, "cab"),
        ("join", {"0": B, "1": B}, "bb"),
        ("join", {"parts": (B, C)}, "bc"),
        ("join", {}, ""),
        ("after", {"0": source("a.text"), "1": B, "2": C}, "a:bc"),
        ("after", {"": source("b.twice")}, "bb:"),
        ("after", {"head": source("c.text"), "tails": (A, B)}, "c:ab"),
    ],
)
def test_several_inputs_arrive_in_the_order_written(
    project: Project, step: str, sources: dict[str, Source | tuple[Source, ...]], expected: str
) -> None:
    assert value(project, step, sources) == expected


def test_another_order_of_inputs_is_another_result(project: Project) -> None:
    study = project.write(STEPS).study(LETTERS)
    made = {}
    for name, sources in (("it", {"0": A, "1": B}), ("ti", {"0": B, "1": A})):
        made[name] = NodeSpec(name=name, step=f"{project.module}:join", sources=sources)
    expansion = project.prepare(replace(study, pipeline={**study.pipeline, **made})).expansion
    assert expansion.named("it")[0].fingerprint != expansion.named("ti")[0].fingerprint


def test_only_what_feeds_several_inputs_and_changed_makes_them_anew(project: Project) -> None:
    study = project.write(STEPS).study(
        {**LETTERS, "a": ("letter", None, {"which": "${x}"}), "it": ("join", {"0": "a", "1": "b"})},
        params={"x": "a"},
        vary=Vary(grid={"x": ("a", "z")}),
    )
    result = project.run(study)
    texts = {
        node.label(): result.prepared.store.read(node.fingerprint) for node in result.prepared.expansion.named("it")
    }
    assert texts == {"it x=a": "ab", "it x=z": "zb"}
    assert sorted(project.calls()) == ["a", "b", "c", "z"]
