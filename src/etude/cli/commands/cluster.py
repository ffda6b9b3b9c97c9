"""`etude cluster`: profiles of clusters: which there are, what they submit, whether they work."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.table import Table

from etude import units
from etude.cli.arguments import AsJson
from etude.cli.console import err, escape, out
from etude.cluster.scripts import render_job
from etude.config.cluster import profile_path, profile_schema, read_profile, ready_profiles
from etude.config.document import project_around
from etude.environment import variables_copy
from etude.errors import ConfigError, Fault, require
from etude.execute.devices import usable_cpus
from etude.execute.run_events import now
from etude.graph.pipeline import Needs
from etude.interchange import json_text
from etude.pilots.cluster_check import Check
from etude.pilots.node_pools import block_profile, pool_of, refusal
from etude.pilots.parsl_engine import pilot_command
from etude.pilots.providers import Scripts
from etude.study.execution import new_run_id

EXAMPLES = """
[bold]Examples[/]

  etude cluster list

  etude cluster render cluster/narval.yaml --gpus 1

  etude cluster check cluster/narval.yaml
"""
cluster = typer.Typer(name="cluster", add_completion=False, no_args_is_help=True, rich_markup_mode="rich")

ProfileFile = Annotated[
    str, typer.Argument(metavar="PROFILE", help="A profile's file, or the name of a ready one.", show_default=False)
]


@cluster.command("list")
def show() -> None:
    """List the profiles that there are.

    [bold]Example[/]   etude cluster list
    """
    list_profiles(Path.cwd())


@cluster.command()
def schema() -> None:
    """Print the JSON Schema of profiles, for editors.

    [bold]Example[/]   etude cluster schema > cluster.schema.json
    """
    typer.echo(json.dumps(profile_schema(), indent=2))


@cluster.command()
def copy(profile: ProfileFile) -> None:
    """Copy a ready profile to cluster/ of this project, to fill in what your cluster wants.

    [bold]Example[/]   etude cluster copy narval
    """
    copy_profile(profile, Path.cwd())


@cluster.command()
def render(
    profile: ProfileFile,
    gpus: Annotated[int, typer.Option(help="GPUs that each node needs.")] = 0,
    cpus: Annotated[int, typer.Option(help="Cores that each node needs.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines that each node spans.")] = 1,
) -> None:
    """Show the batch script of a job exactly as it would be submitted for nodes with these needs.

    [bold]Example[/]   etude cluster render narval --gpus 1
    """
    show_script(profile, Path.cwd(), gpus=gpus, cpus=cpus, nodes=nodes)


@cluster.command()
def check(
    profile: ProfileFile,
    store: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The store that its machines must see. Default: this project's.", show_default=False),
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long the job may wait in its queue, such as 30m.")] = "10m",
    as_json: AsJson = False,
) -> None:
    """Submit a tiny job and tell each step: submission, start, étude, store, network, GPU, clock.

    [bold]Example[/]   etude cluster check cluster/narval.yaml --timeout 1h
    """
    raise typer.Exit(0 if check_profile(profile, Path.cwd(), store, timeout, as_json=as_json) else 1)


def list_profiles(folder: Path) -> None:
    """The project's own profiles, then the ready ones."""
    project = project_around(folder)
    table = Table("profile", "scheduler", "what it is", box=None, header_style="bold")
    own = {str(path.relative_to(project)): path for path in sorted((project / "cluster").glob("*.yaml"))}
    for name, path in {**own, **ready_profiles()}.items():
        profile = read_profile(str(path), project)
        table.add_row(escape(name), profile.scheduler, escape(profile.description))
    out().print(table)


def copy_profile(name: str, folder: Path) -> None:
    """A ready profile as a file of the project's own.

    Raises:
        ConfigError: There is no such profile, or the file is there already.
    """
    project = project_around(folder)
    source = profile_path(name, project)
    target = project / "cluster" / source.name
    if target.exists():
        raise ConfigError([Fault("", f"{target} is there already", mend="edit it, or remove it first")])
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(source.read_bytes())
    out().print(f"[green]made[/] {escape(target)}")
    out().print(f"Next: fill in what your cluster wants, then etude cluster check {escape(target)}")


def show_script(name: str, folder: Path, *, gpus: int, cpus: int, nodes: int) -> None:
    """The script of a job of the pool that nodes with these needs belong to."""
    project = project_around(folder)
    profile = read_profile(name, project)
    needs = Needs(gpus=gpus, cpus=cpus, nodes=nodes)
    reason = refusal(profile, needs, usable_cpus())
    require(reason is None, "PROFILE", name, f"one that such a node can run on: {reason}")
    pool = pool_of(profile, needs, usable_cpus())
    own = block_profile(profile, pool)
    run = project / ".etude" / "runs" / "RUN" / "cluster"
    scripts = Scripts(profile=own, name=f"STUDY.{pool.name}", folder=run / "jobs", spans=pool.nodes > 1)
    path = run / "jobs" / "JOB"
    script = render_job(own, scripts.job(pilot_command(own, run / f"{pool.name}.spec", "0"), path), str(path))
    if script.description is not None:
        out().print(script.description, markup=False, soft_wrap=True)
        out().print(f"[dim]# {path}[/]", soft_wrap=True)
    out().print(script.script, markup=False, soft_wrap=True, end="")


def check_profile(name: str, folder: Path, store: Path | None, timeout: str, *, as_json: bool) -> bool:
    """Try a profile, showing each step as it is known; whether all work."""
    project = project_around(folder)
    profile = read_profile(name, project)
    try:
        limit_s = units.seconds(timeout)
    except ValueError as error:
        raise ConfigError([Fault("--timeout", str(error), timeout)]) from error
    place = project / ".etude" / "checks" / new_run_id(now())
    tell = lambda why: err().print(f"[dim]  waits: {escape(why)}[/]")  # noqa: E731
    check = Check(
        profile=profile,
        folder=place,
        store=store or project / ".etude" / "store",
        environment=variables_copy(),
        timeout_s=limit_s,
        tell=tell,
    )
    findings = []
    with _ended_by_signals(), closing(check.findings()) as steps:
        for finding in steps:
            findings.append(finding)
            if not as_json:
                mark = "[green]✓[/]" if finding.works else "[red]✗[/]"
                out().print(f"{mark} {finding.step:<11}{escape(finding.detail)}", soft_wrap=True)
                if finding.mend:
                    out().print(f"  {'':<11}Mend: {escape(finding.mend)}", soft_wrap=True)
    if as_json:
        out().print_json(json_text([asdict(finding) for finding in findings]))
    return all(finding.works for finding in findings)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a signal that would end this process end the block as Ctrl-C does, so that its job is cancelled."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
