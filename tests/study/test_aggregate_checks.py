"""What a table of means is asked for is checked when the study is planned, not after everything was computed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etude.config.load import load_study
from etude.errors import ConfigError
from etude.study.prepare import prepare

STEPS = """
from dataclasses import dataclass
from etude import step

@dataclass(frozen=True)
class Scores:
    accuracy: float
    top: dict[str, float]

@step
def scores(*, dropout: float | str, seed: int) -> Scores: ...

@step
def loose(*, seed: int) -> dict[str, float]: ...
"""

STUDY = """
name: s
params: {dropout: 0, seed: 0, width: 3}
pipeline:
  q: {step: "MODULE:scores", with: {dropout: "${dropout}", seed: "${seed}"}}
  r: {step: "MODULE:loose", with: {seed: "${seed}"}}
vary: {grid: {dropout: [0, 0.1, auto]}, repeat: {seed: [0, 1, 2]}}
collect: {table: {step: analysis.aggregate, from: records, with: {SETTINGS}}}
"""


def planned(folder: Path, settings: str) -> None:
    (folder / "etude.toml").touch()
    module = f"claimed_{abs(hash(settings))}"
    (folder / f"{module}.py").write_text(STEPS)
    (folder / "s.yaml").write_text(STUDY.replace("SETTINGS", settings).replace("MODULE", module))
    prepare(load_study(folder / "s.yaml"))


@pytest.mark.parametrize(
    "settings",
    [
        "baseline: {dropout: 0}",
        "baseline: {dropout: 0.0}",
        "baseline: {dropout: auto}",
        "by: [dropout]",
        "replicate: seed",
        "metrics: [q.accuracy, q.top.5, r.anything, q.cost.energy_j, q.cost.window.x.wall_s]",
        "lower_is_better: [q.accuracy]",
        "references: {r: something}",
    ],
)
def test_what_the_records_will_have_can_be_asked_for(tmp_path: Path, settings: str) -> None:
    planned(tmp_path, settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("baseline: {droput: 0}", r"collect\.table\.with\.baseline.*no param 'droput'.*did you mean 'dropout'"),
        ("baseline: {dropout: 0.2}", "no group has dropout=0.2.*there are dropout=0; dropout=0.1; dropout=auto"),
        ("baseline: {dropout: '0'}", "no group has dropout=0"),
        ("baseline: {seed: 0}", "groups do not differ in 'seed'"),
        ("by: [droput]", r"with\.by.*no param 'droput'"),
        ("replicate: sed", r"with\.replicate.*no param 'sed'"),
        ("metrics: [q.acuracy]", "no metric 'acuracy'.*did you mean 'q.accuracy'"),
        ("metrics: [q.accuracy2]", "no metric 'accuracy2'"),
        ("metrics: [qu.accuracy]", "no node 'qu'"),
        ("metrics: [accuracy]", "no node 'accuracy'.*write node.metric"),
        ("lower_is_better: [q.cost.energy]", "no node has a cost .energy."),
        ("higher_is_better: [q.acuracy]", "no metric 'acuracy'"),
        ("references: {rr: x}", r"references\.rr.*no node 'rr'"),
    ],
)
def test_what_the_records_cannot_have_is_a_fault_of_the_plan(tmp_path: Path, settings: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        planned(tmp_path, settings)
    assert re.search(words, " ".join(str(told.value).split())), str(told.value)
