"""`etude run`: run what is not yet done of a study."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from etude.cli.arguments import Only, Profile, Rerun, Set, StudyFile, Until
from etude.environment import variables, variables_copy

EXAMPLES = """
[bold]Examples[/]

  etude run studies/intent/quickstart.yaml

  etude run study.yaml --set pooling=max --set place.workers=4

  etude run study.yaml --until model --only-variant seed=0

  etude run study.yaml --rerun model --fail-fast

  etude run study.yaml --on cluster/narval.yaml     [dim](see `etude cluster`)[/]

  etude run study.yaml --track mlflow --track tensorboard

  etude run study.yaml --on slurm --one-job-per variant --detach

  etude run study.yaml --break-after splits    [dim](opens a debugger with the value at hand)[/]
"""


def run(
    study: StudyFile,
    overrides: Set = None,
    profile: Profile = None,
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
    track: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="TRACKER", help="Tell this tracker too: mlflow, wandb or tensorboard. Repeatable."),
    ] = None,
    break_before: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NODE", help="Open a debugger before this node, its inputs at hand (runs inline)."),
    ] = None,
    break_after: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NODE", help="Open a debugger after this node, its value at hand (runs inline)."),
    ] = None,
) -> None:
    """Run what is not yet done of a study, and show its results."""
    import sys

    from etude.cli import batching
    from etude.cli.arguments import assignments, cluster_of, prepared
    from etude.cli.debugger import open_debugger
    from etude.cli.outcome import show_namesake, show_outcome, show_plan
    from etude.cli.running import run_shown
    from etude.cli.tracking import following, show_delivered
    from etude.study.prepare import Options

    options = Options(
        until=until,
        only=assignments(only, "--only-variant"),
        rerun=tuple(rerun or ()),
        fail_fast=not keep_going,
        environment=variables_copy(),
        break_before=break_before,
        break_after=break_after,
        pause=open_debugger if break_before or break_after else None,
        cluster=cluster_of(on, study),
        job=batching.own_job(variables()),
    )
    batching.refuse_together(detach=detach, detach_as_job=detach_as_job, dry_run=dry_run)
    conductor = batching.conductor_of(one_job_per, options)
    settings = [*(overrides or ()), *([f"place.backend={on}"] if on and options.cluster is None else [])]
    ready = prepared(study, settings, profile, options)
    if dry_run:
        show_plan(ready, why=False)
        return
    show_namesake(ready)
    if conductor is not None:
        batching.refuse_if_driven(ready)
    if (detach or detach_as_job) and ready.plan.todo:
        words = batching.without(sys.argv[1:], "--detach", "--detach-as-job")
        if detach:
            raise typer.Exit(batching.detach(ready, words, variables()))
        cluster = batching.cluster_for_driver(options)
        raise typer.Exit(batching.detach_as_job(ready, words, cluster, variables()))
    repeated = [
        *(("--profile", profile) if profile else ()),
        *(word for text in overrides or () for word in ("--set", text)),
    ]
    trackers = following(ready, track or ())
    result = run_shown(ready, options, trackers, conductor)
    code = show_outcome(result, repeated=repeated)
    if trackers is not None:
        show_delivered(trackers.finish(result.prepared), ready)
    raise typer.Exit(code)


run.__doc__ = f"{run.__doc__}\n{EXAMPLES}"
