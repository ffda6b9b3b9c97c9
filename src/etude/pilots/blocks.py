"""How many jobs a pool should have: with the queue, and no more than the profile allows."""

from __future__ import annotations


def blocks_to_ask_for(*, waiting: int, running: int, alive: int, per_block: int, least: int, most: int) -> int:
    """How many further jobs to submit.

    Args:
        waiting: Nodes that wait for a worker.
        running: Nodes that run.
        alive: Jobs that are queued or run.
        per_block: Nodes that run at a time in one job.
        least: Jobs that are kept even when there is nothing to do.
        most: Most jobs at a time.
    """
    wanted = -(-(waiting + running) // per_block)
    return max(0, min(most, max(least, wanted)) - alive)


def blocks_to_give_back(*, waiting: int, running: int, idle: int, alive: int, per_block: int, least: int) -> int:
    """How many of the jobs that have idled for long enough to end: those that what is left does not need.

    Args:
        waiting: Nodes that wait for a worker.
        running: Nodes that run.
        idle: Jobs that have had nothing to do for as long as the profile allows.
        alive: Jobs that are queued or run.
        per_block: Nodes that run at a time in one job.
        least: Jobs that are kept even when there is nothing to do.
    """
    needed = -(-(waiting + running) // per_block)
    return max(0, min(idle, alive - max(least, needed)))
