"""What becomes of a node after an attempt on a cluster: an outcome for the run, or another try that costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from etude.execute.task import Outcome, Status
from etude.pilots.attempt import Attempt, Cut

MOST_MOVES = 1000
"""How often a node may go on in another job after it has written a checkpoint."""
MOST_REFUSALS = 100
"""How often a node may come to a job that has no time left for it."""
MOST_CUTS = 5
"""How often a node may be cut short without a checkpoint, by a job that ends or a machine that is gone, for nothing."""


class Next(StrEnum):
    """What to do with a node that has no outcome yet."""

    AGAIN = "again"
    AT_ONCE = "at_once"
    """The same, before all that wait."""
    WAIT = "wait"
    """Another worker computes it: wait for that one."""


@dataclass(slots=True, kw_only=True)
class Setbacks:
    """What a node has been through in this run, apart from what the run counts itself."""

    moves: int = 0
    refusals: int = 0
    cuts: int = 0


def after_attempt(attempt: Attempt, record: Setbacks) -> Outcome | Next:
    """What an attempt that was reported means. Counts in the record."""
    outcome = attempt.outcome
    match attempt.cut:
        case None:
            return outcome
        case Cut.ELSEWHERE:
            return Next.WAIT
        case Cut.NOT_BEGUN:
            return Next.AT_ONCE
        case Cut.NO_TIME:
            record.refusals += 1
            return _bounded(record.refusals, MOST_REFUSALS, f"no job had time left for it: {outcome.error}")
        case Cut.BLOCK_END if outcome.status is Status.STOPPED:
            record.moves += 1
            return _bounded(record.moves, MOST_MOVES, f"it did not finish in {MOST_MOVES} jobs")
        case Cut.BLOCK_END:
            record.cuts += 1
            if attempt.whole_block:
                error = (
                    "it had a whole job's time, did not finish in it and left no checkpoint: give jobs a longer "
                    "walltime in the cluster's profile, or write checkpoints when `ctx.stopping` is true"
                )
                return Outcome(status=Status.LOST, error=error, again=False)
            return _bounded(record.cuts, MOST_CUTS, outcome.error)


def after_loss(error: BaseException, record: Setbacks, *, machine_gone: bool) -> Outcome | Next:
    """What it means that the engine lost an attempt.

    Args:
        error: What the engine says.
        record: Counts losses that are not the node's fault.
        machine_gone: Whether the machine or its job is gone, not the node's worker alone.
    """
    told = f"its worker on the cluster was lost: {type(error).__name__}: {error}"
    if not machine_gone:
        return Outcome(status=Status.LOST, error=told)
    record.cuts += 1
    return Next.AGAIN if record.cuts <= MOST_CUTS else Outcome(status=Status.LOST, error=told)


def _bounded(count: int, most: int, error: str) -> Outcome | Next:
    return Next.AGAIN if count <= most else Outcome(status=Status.LOST, error=error, again=False)
