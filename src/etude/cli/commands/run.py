"""`etude run`: run what is not yet done of a study."""

from __future__ import annotations

import sys
from bdb import BdbQuit
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console

from etude.cli.arguments import (
    AsJson,
    Only,
    Profile,
    Quick,
    Quiet,
    Rerun,
    Set,
    StudyFile,
    Track,
    Until,
    Verbose,
    assignments,
    refuse_together,
    repeated_words,
)
from etude.cli.commands.plan import show_plan, show_why
from etude.cli.completion import node_names
from etude.cli.console import err
from etude.cli.interrupts import stopping_on_interrupt
from etude.cli.run_progress import LiveProgress
from etude.cli.run_summary import show_deliveries, show_outcome
from etude.cli.search_progress import SearchProgress
from etude.cli.study_file import cluster_of, prepare_file, profile_name, show_namesake, with_backend
from etude.environment import variables, variables_copy
from etude.execute.run_events import Event, Tell
from etude.study.execution import Execution, PlanDriver, Result
from etude.study.prepare import Options, PreparedStudy

if TYPE_CHECKING:
    from etude.search.driver import Observe
    from etude.track.follower import RunFollower

EXAMPLES = """
[bold]Examples[/]

  etude run studies/intent/quickstart.yaml

  etude run study.yaml --set pooling=max --set place.workers=4

  etude run study.yaml --until model --only-variant seed=0

  etude run study.yaml --rerun model --fail-fast

  etude run study.yaml --quiet --json > run.json     [dim](for other programs)[/]

  etude run study.yaml --on cluster/narval.yaml     [dim](see `etude cluster`)[/]

  etude run study.yaml --track mlflow --track tensorboard

  etude run study.yaml --on slurm --one-job-per variant --detach

  etude run study.yaml --break-after splits    [dim](opens a debugger with the value at hand)[/]
"""
_JOB_IDS = ("SLURM_JOB_ID", "PBS_JOBID", "_CONDOR_JOB_AD")


def run(
    study: StudyFile,
    overrides: Set = None,
    profile: Profile = None,
    quick: Quick = False,
    until: Until = None,
    only: Only = None,
    rerun: Rerun = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going/--fail-fast", help="After a failure, go on with what does not depend on it.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
    on: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--on", metavar="WHERE", help="Where: inline, processes, or a cluster's profile."),
    ] = None,
    one_job_per: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="UNIT", help="On a cluster: a batch job for each variant, no pilot jobs. UNIT: variant."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it running in the background.")] = False,
    detach_as_job: Annotated[
        bool, typer.Option("--detach-as-job", help="On a cluster: leave it to a batch job that drives it.")
    ] = False,
    track: Track = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
    break_before: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NODE",
            help="Open a debugger before this node, its inputs at hand (runs inline).",
            autocompletion=node_names,
        ),
    ] = None,
    break_after: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NODE",
            help="Open a debugger after this node, its value at hand (runs inline).",
            autocompletion=node_names,
        ),
    ] = None,
) -> None:
    chosen = profile_name(profile, quick=quick)
    options = Options(
        until=tuple(until or ()),
        only=assignments(only, "--only-variant"),
        rerun=tuple(rerun or ()),
        fail_fast=not keep_going,
        environment=variables_copy(),
        break_before=break_before,
        break_after=break_after,
        pause=open_debugger if break_before or break_after else None,
        cluster=cluster_of(on, study),
        job=own_job(variables()),
    )
    refuse_together(detach=detach, detach_as_job=detach_as_job, dry_run=dry_run)
    refuse_together(quiet=quiet, verbose=verbose)
    if one_job_per is not None or detach or detach_as_job:
        # Schedulers and batch drivers: no run that stays here needs them.
        from etude.cli import background
    batch_driver = None if one_job_per is None else background.batch_driver_of(one_job_per, options)
    prepared = prepare_file(study, with_backend(overrides, on, options.cluster), chosen, options)
    if dry_run:
        show_plan(prepared, why=verbose, as_json=as_json)
        return
    show_namesake(prepared)
    if batch_driver is not None:
        background.refuse_if_driven(prepared)
    if (detach or detach_as_job) and prepared.plan.todo:
        raise typer.Exit(background.leave_running(prepared, options, sys.argv[1:], as_job=detach_as_job))
    follower = follower_of(prepared, track or ())
    with show_progress(prepared, options, follower, batch_driver, quiet=quiet, verbose=verbose) as execution:
        result = execution.run()
    repeated = repeated_words(overrides, chosen)
    raise typer.Exit(show_end(result, follower, repeated=repeated, quiet=quiet, as_json=as_json))


def follower_of(prepared: PreparedStudy, names: Sequence[str]) -> RunFollower | None:
    """What follows a run for the trackers that the study names and those that are added; None where there are none.

    Raises:
        ConfigError: There is no such tracker, or it is not installed.
    """
    if not prepared.study.place.track and not names:
        return None
    # Trackers read reports and analyses: a run that has none needs no such code to start.
    from etude.cli.commands.track import follower_for

    return follower_for(prepared, names)


def show_end(
    result: Result, follower: RunFollower | None, *, repeated: Sequence[str], quiet: bool = False, as_json: bool = False
) -> int:
    """Print what a run came to and what its trackers were told. Returns the exit code."""
    code = show_outcome(result, repeated=repeated, quiet=quiet, as_json=as_json)
    if follower is not None:
        show_deliveries(follower.finish(result.prepared), result.prepared, failures_only=quiet or as_json)
    return code


@contextmanager
def show_progress(
    prepared: PreparedStudy,
    options: Options,
    also: Tell | None = None,
    batch_driver: PlanDriver | None = None,
    *,
    quiet: bool = False,
    verbose: bool = False,
) -> Iterator[Execution]:
    """An execution of what is to be done, showing how it goes; who else listens hears of each event as well.

    Ctrl-C means: stop at a checkpoint; twice: stop now.
    """
    moving = options.pause is None
    if verbose:
        show_why(prepared, err())
    console = Console(quiet=True) if quiet else err()
    progress: LiveProgress | SearchProgress = LiveProgress(console, moving=moving, verbose=verbose)
    observe: Observe = lambda _event, _history: None  # noqa: E731
    if prepared.searches and prepared.search is not None:
        progress = SearchProgress(console, prepared.search.search, moving=moving)
        observe = progress.observe
    try:
        with progress:
            execution = Execution(prepared, options, _both(progress, also), batch_driver, observe)
            with stopping_on_interrupt(execution) if moving else nullcontext():
                yield execution
    except KeyboardInterrupt:
        err().print("[yellow]stopped now[/]; what was done is kept: run the same command again to go on")
        raise


def _both(first: Tell, second: Tell | None) -> Tell:
    def tell(event: Event) -> None:
        first(event)
        if second is not None:
            second(event)

    return tell


def open_debugger(moment: str, name: str, at_hand: Mapping[str, object]) -> None:
    """Open the debugger that `breakpoint()` opens (PYTHONBREAKPOINT is obeyed).

    The inputs stand in `inputs`, the settings in `settings` and, after the node, its result in `value`. To leave the
    debugger ends the run.
    """
    inputs = {key: item for key, item in at_hand.items() if key not in ("settings", "value")}
    settings, value = at_hand.get("settings"), at_hand.get("value")
    names = f"inputs: {', '.join(inputs) or 'none'}; settings" + ("; value" if moment == "after" else "")
    sys.stderr.write(f"\n{moment} node {name!r}. At hand: {names}. `c` goes on, `q` leaves.\n")
    try:
        breakpoint()
        del settings, value
    except BdbQuit:
        raise KeyboardInterrupt from None


def own_job(environment: Mapping[str, str]) -> str:
    """Id of the batch job that this process runs in; empty where it runs in none."""
    return next((environment[name] for name in _JOB_IDS if environment.get(name)), "")
