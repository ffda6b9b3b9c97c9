"""`vary.search`: what it says is read, and each thing that is wrong is told once, in its place, with what to do."""

from __future__ import annotations

import pytest

from etude.search.space import Choice, Condition, Float, Forbidden, Int, Ordinal, Space
from etude.search.spec import StopEarly
from etude.search.trials import Bound, Goal, TrialOutcome
from study_files import Read

STUDY = """
params: {lr: 0.001, width: 32, loss: hinge, size: small, drop: 0.1, seed: 0}
pipeline:
  model: {step: "mine:train", with: {lr: "${lr}", width: "${width}"}}
  quality: {step: "mine:score", from: model}
vary:
  repeat: {seed: [0, 1]}
  search:
    space:
      lr: {float: [1e-5, 1e-2], log: true}
      width: {int: [32, 256], log: true}
      loss: {choice: [hinge, focal]}
      size: {ordinal: [small, large], when: {loss: focal}}
      drop: {float: [0, 0.5], step: 0.1}
    forbidden: [{loss: focal, size: [large]}]
    objective: quality.auc
    constraints: {"cost.energy_j": {at_most: 500}}
    trials: 200
    timeout: 2h
    trial_timeout: 10m
    workers: 8
    sampler: {name: random}
    seed: 7
    baseline: {lr: 0.002}
    stop_early: asha
    retry: {crash: 1}
"""


def test_a_search_is_read_as_it_is_written(read: Read) -> None:
    reading = read(STUDY)
    assert reading.faults == ()
    search = reading.study.vary.search
    assert search is not None
    assert search.space == Space(
        {
            "lr": Float(1e-5, 1e-2, log=True),
            "width": Int(32, 256, log=True),
            "loss": Choice(("hinge", "focal")),
            "size": Ordinal(("small", "large")),
            "drop": Float(0.0, 0.5, step=0.1),
        },
        (Condition(dimension="size", on="loss", values=("focal",)),),
        (Forbidden(values={"loss": "focal", "size": ("large",)}),),
    )
    assert search.goal == Goal(
        metrics=("quality.auc",), directions=("maximize",), constraints=(Bound(metric="cost.energy_j", at_most=500),)
    )
    assert (search.trials, search.timeout_s, search.trial_timeout_s, search.workers) == (200, 7200.0, 600.0, 8)
    assert (search.sampler, search.settings, search.seed) == ("random", {}, 7)
    assert search.baseline == {"lr": 0.002, "width": 32, "loss": "hinge", "drop": 0.1}
    assert search.stop_early == StopEarly(method="asha")
    assert search.retry[TrialOutcome.CRASH] == 1
    assert search.retry[TrialOutcome.PREEMPTED] == 10


def test_several_objectives_have_directions_of_their_own(read: Read) -> None:
    text = STUDY.replace("objective: quality.auc", "objective: {quality.auc: maximize, model.cost.wall_s: minimize}")
    search = read(text.replace("    stop_early: asha\n", "")).study.vary.search
    assert search is not None
    assert search.goal.metrics == ("quality.auc", "model.cost.wall_s")
    assert search.goal.directions == ("maximize", "minimize")


# what is replaced, by what, path of the fault below vary.search, a part of its reason, a part of its mend
CASES = [
    ("float: [1e-5, 1e-2]", "float: [1e-2, 1e-5]", "space.lr", "lower bound is above", "[1e-05, 0.01]"),
    ("float: [1e-5, 1e-2]", "float: [0, 1e-2]", "space.lr", "no place for 0", "raise the lower bound"),
    ("float: [1e-5, 1e-2]", "float: [1e-2]", "space.lr.float", "a lower and an upper bound", "[low, high]"),
    ("float: [1e-5, 1e-2]", "loguniform: [1, 2], float: [1e-5, 1e-2]", "space.lr.loguniform", "no key", "log: true"),
    ("float: [1e-5, 1e-2]", "float: [1, 2], int: [1, 2]", "space.lr", "not float and int", "{float: [low, high]}"),
    ("int: [32, 256]", "int: [32.5, 256]", "space.width.int", "whole", "write float"),
    ("int: [32, 256]", "int: ['32', 256]", "space.width.int.0", "a number", "without quotes"),
    ("choice: [hinge, focal]", "choice: [hinge, focal, focal]", "space.loss", "twice", "leave one"),
    ("choice: [hinge, focal]", "choice: [hinge, focal], log: true", "space.loss.log", "of numbers", "leave it out"),
    ("when: {loss: focal}", "when: {loss: square}", "space.size.when.loss", "never has", "name a value"),
    ("when: {loss: focal}", "when: {los: focal}", "space.size.when.los", "no dimension", "'loss'"),
    ("when: {loss: focal}", "when: {lr: 0.001}", "space.size.when.lr", "continuous", "choice"),
    ("step: 0.1}", "step: 0.9}", "space.drop.step", "at most 0.5", "smaller"),
    ("drop: {float", "dorp: {float", "space.dorp", "no param is called", "'drop'"),
    ("drop: {float", "seed: {float", "space.seed", "varied twice", "keep one"),
    ("size: [large]}]", "size: [huge]}]", "forbidden.0.size", "never has", "name a value"),
    ("objective: quality.auc", "objective: qualty.auc", "objective", "no node 'qualty'", "'quality'"),
    ("objective: quality.auc", "objective: quality", "objective", "expected a metric", ""),
    ("objective: quality.auc", "objective: [quality.auc, model.x]", "stop_early", "one objective only", "leave it out"),
    ("{at_most: 500}", "{}", "constraints.cost.energy_j", "no limit", "at_most"),
    ("{at_most: 500}", "{at_most: 1, at_least: 2}", "constraints.cost.energy_j", "no value", "swap"),
    ("trials: 200", "trials: 0", "trials", "1 or more", ""),
    ("timeout: 2h", "timeout: soon", "timeout", "a duration", ""),
    ("{name: random}", "{name: rendom}", "sampler", "no sampler", "'random'"),
    ("{name: random}", "{name: random, kappa: 3}", "sampler.kappa", "no such setting", ""),
    ("baseline: {lr: 0.002}", "baseline: {lr: 2}", "baseline.lr", "1e-05 to 0.01", "widen"),
    ("baseline: {lr: 0.002}", "baseline: {lrr: 2}", "baseline.lrr", "no such dimension", "'lr'"),
    ("stop_early: asha", "stop_early: hyperband", "stop_early", "asha, median", ""),
    ("retry: {crash: 1}", "retry: {crsh: 1}", "retry.crsh", "no key", "'crash'"),
    ("seed: 7", "n_trials: 7", "n_trials", "no key", "write trials"),
]


@pytest.mark.parametrize(("old", "new", "path", "reason", "mend"), CASES, ids=lambda value: str(value)[:40])
def test_a_fault_of_a_search_is_told_in_its_place(
    read: Read, old: str, new: str, path: str, reason: str, mend: str
) -> None:
    assert old in STUDY
    (fault,) = read(STUDY.replace(old, new)).faults
    assert fault.path == f"vary.search.{path}"
    assert reason in fault.reason
    assert mend in fault.mend
    assert fault.line is not None


@pytest.mark.parametrize("other", ["grid: {lr: [1, 2]}", "list: [{lr: 1}]", "top: {of: x, by: y, k: 3}"])
def test_a_study_is_searched_or_laid_out_and_not_both(read: Read, other: str) -> None:
    faults = read(STUDY.replace("  repeat: {seed: [0, 1]}", f"  {other}")).faults
    assert any("searched or laid out" in fault.reason for fault in faults)


def test_a_search_without_an_end_is_told(read: Read) -> None:
    (fault,) = read(STUDY.replace("    trials: 200\n    timeout: 2h\n", "")).faults
    assert "nothing ends the search" in fault.reason


def test_all_faults_of_a_search_are_told_at_once(read: Read) -> None:
    text = STUDY.replace("float: [1e-5, 1e-2]", "float: [0, 1e-2]").replace("quality.auc", "qualty.auc")
    text = text.replace("{name: random}", "{name: gq}").replace("trials: 200", "trials: none")
    paths = {fault.path.removeprefix("vary.search.") for fault in read(text).faults}
    assert {"space.lr", "objective", "sampler", "trials"} <= paths


def test_a_sampler_that_is_not_installed_names_its_extra(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    from etude.search.samplers import factory

    absent = factory.SamplerEntry(reference="nowhere:Sampler", extra="search", engine="no_such_engine")
    monkeypatch.setitem(factory.SAMPLERS, "absent", absent)
    (fault,) = read(STUDY.replace("{name: random}", "absent")).faults
    assert fault.path == "vary.search.sampler"
    assert "no_such_engine" in fault.reason
    assert "pip install 'etude[search]'" in fault.mend


@pytest.mark.parametrize(
    ("metric", "direction"), [("quality.auc", "maximize"), ("fit.validation_loss", "minimize"), ("n.score", "maximize")]
)
def test_less_is_sought_of_a_loss_where_nothing_else_is_said(read: Read, metric: str, direction: str) -> None:
    search = read(STUDY.replace("objective: quality.auc", f"objective: {metric}")).study.vary.search
    assert search is not None
    assert search.goal.directions == (direction,)


def test_a_rule_of_stopping_without_its_method_is_told(read: Read) -> None:
    reading = read(STUDY.replace("stop_early: asha", "stop_early: {min_step: 3}"))
    assert [fault.path for fault in reading.faults] == ["vary.search.stop_early.method"]
