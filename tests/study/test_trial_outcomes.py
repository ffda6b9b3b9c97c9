"""What becomes of a trial, by what became of its nodes."""

from __future__ import annotations

import pytest

from etude.execute.call import Outcome as NodeOutcome
from etude.execute.call import Status
from etude.search.trials import Outcome
from etude.study.evaluating import _failed


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (Status.FAILED, "ValueError: no", Outcome.CRASH),
        (Status.FAILED, "MemoryError", Outcome.OUT_OF_MEMORY),
        (Status.FAILED, "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", Outcome.OUT_OF_MEMORY),
        (Status.LOST, "its worker was killed by SIGKILL (perhaps out of memory)", Outcome.OUT_OF_MEMORY),
        (Status.LOST, "its worker was killed by SIGTERM", Outcome.PREEMPTED),
        (Status.LOST, "its worker was killed by SIGSEGV", Outcome.CRASH),
        (Status.LOST, "the step ended its process with exit code 3", Outcome.CRASH),
        (Status.LOST, "it ran longer than its walltime of 60 s", Outcome.TIMEOUT),
        (Status.DAMAGED, "artifact 12ab: checksum", Outcome.PREEMPTED),
        (Status.STOPPED, "stopped at a checkpoint", Outcome.CANCELLED),
    ],
)
def test_the_outcome_of_a_trial_follows_from_its_node(status: Status, error: str, outcome: Outcome) -> None:
    assert _failed(NodeOutcome(status=status, error=error)).outcome is outcome
