"""What becomes of a trial, by what became of its nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.errors import ConfigError, EtudeError, Fault
from etude.execute.task import Outcome as NodeOutcome
from etude.execute.task import Status
from etude.search.trials import Goal, TrialOutcome
from etude.study.evaluator import StudyEvaluator, _failed, _first_line, _mean, _sum
from etude.study.expand import VariantGrowth, no_other
from projects import Project


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (Status.FAILED, "ValueError: no", TrialOutcome.CRASH),
        (Status.FAILED, "MemoryError", TrialOutcome.OUT_OF_MEMORY),
        (Status.FAILED, "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", TrialOutcome.OUT_OF_MEMORY),
        (Status.LOST, "its worker was killed by SIGKILL (perhaps out of memory)", TrialOutcome.OUT_OF_MEMORY),
        (Status.LOST, "its worker was killed by SIGTERM", TrialOutcome.PREEMPTED),
        (Status.LOST, "its worker was killed by SIGSEGV", TrialOutcome.CRASH),
        (Status.LOST, "the step ended its process with exit code 3", TrialOutcome.CRASH),
        (Status.LOST, "it ran longer than its walltime of 60 s", TrialOutcome.TIMEOUT),
        (Status.DAMAGED, "artifact 12ab: checksum", TrialOutcome.PREEMPTED),
        (Status.STOPPED, "stopped at a checkpoint", TrialOutcome.CANCELLED),
    ],
)
def test_the_outcome_of_a_trial_follows_from_its_node(status: Status, error: str, outcome: TrialOutcome) -> None:
    assert _failed(NodeOutcome(status=status, error=error)).outcome is outcome


def test_over_replicates_of_which_one_is_missing_there_is_neither_a_mean_nor_a_sum() -> None:
    assert (_mean([1.0, 2.0, 6.0]), _sum([1.0, 2.0, 6.0])) == (3.0, 9.0)
    assert (_mean([1.0, None]), _sum([1.0, None])) == (None, None)
    assert (_mean([]), _mean([None])) == (None, None)


def test_an_error_is_told_by_its_first_fault_or_line() -> None:
    assert _first_line(ConfigError([Fault("a.b", "no"), Fault("c", "never")])) == "a.b: no"
    assert _first_line(EtudeError("one\ntwo")) == "one"


def test_a_trial_whose_results_are_gone_from_the_store_says_nothing_of_its_point(tmp_path: Path) -> None:
    project = Project(tmp_path).write("@step\ndef fit(*, x: float) -> dict[str, float]: return {'auc': x}\n")
    study = project.study({"fit": ("fit", None, {"x": "${x}"})}, params={"x": 0.5})
    prepared = project.prepare(study)
    evaluator = StudyEvaluator(
        study=study,
        growth=VariantGrowth(study, prepared.files, no_other),
        store=prepared.store,
        goal=Goal(metrics=("fit.auc",), directions=("maximize",)),
    )
    rows = list(zip(prepared.expansion.variants, prepared.expansion.nodes, strict=True))
    assert evaluator._read(rows).outcome is TrialOutcome.PREEMPTED
    project.run(study)
    assert evaluator._read(rows).values == (0.5,)
