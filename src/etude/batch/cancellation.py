"""Stops a run from anywhere: through its folder where somebody drives it, through the scheduler where nobody does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from etude.batch import run_folder
from etude.batch.overview import RunOverview
from etude.cluster.schedulers import SPOKEN, scheduler_of
from etude.cluster.schedulers.scheduler import Scheduler
from etude.execute.run_events import Event, EventKind, EventLog
from etude.study.run_driver import ask_to_stop, cluster_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What was done to stop a run."""

    run: str
    driven_by: str
    """Who drives it and was asked to stop it; empty where nobody does."""
    jobs: tuple[str, ...] = ()
    """Batch jobs that the scheduler was told to end."""
    left: tuple[str, ...] = ()
    """Jobs of a scheduler that étude does not tell to end jobs; pilot jobs end by themselves without a driver."""


def cancel(
    run: RunOverview,
    environment: Mapping[str, str],
    now_s: float,
    *,
    at_once: bool = False,
    schedulers: Callable[[str, Mapping[str, str]], Scheduler] = scheduler_of,
) -> Cancellation:
    """Stop one run.

    Args:
        run: The run.
        environment: Environment of the scheduler's programs.
        now_s: Seconds since the epoch.
        at_once: End its batch jobs now, not at their next checkpoints.
        schedulers: Gives the scheduler of a name.

    Raises:
        BackendError: The scheduler cannot be spoken to from here.
    """
    ask_to_stop(run.folder)
    driven = run.driver if run.driver is not None and run.driver.lives(now_s) else None
    ids = run.living_jobs if at_once or driven is None else ()
    kind = cluster_of(run.folder) if ids else ""
    if kind in SPOKEN:
        schedulers(kind, environment).cancel(ids)
    if driven is None and run.ended_s is None:
        with EventLog(run.folder / run_folder.EVENTS) as log:
            log(Event(kind=EventKind.RUN_ENDED, time_s=now_s, data={"succeeded": False, "cancelled": True}))
    ended, left = (ids, ()) if kind in SPOKEN else ((), ids)
    return Cancellation(run=run.run, driven_by=str(driven) if driven is not None else "", jobs=ended, left=left)
