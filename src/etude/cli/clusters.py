"""What `etude cluster` shows."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from etude import units
from etude.cli.tell import err, escaped, out
from etude.cluster.pools import block_profile, pool_of, refusal
from etude.cluster.providers import Scripts
from etude.cluster.scripts import rendered
from etude.config.cluster import profile_path, read_profile, ready_profiles
from etude.config.project import project_around
from etude.environment import variables_copy
from etude.errors import ConfigError, Fault, require
from etude.execute.cluster_check import Check
from etude.execute.devices import usable_cpus
from etude.execute.events import now
from etude.execute.parsl_engine import pilot_command
from etude.graph.pipeline import Needs
from etude.interchange import json_text
from etude.study.execution import new_run_id


def list_profiles(folder: Path) -> None:
    """The project's own profiles, then the ready ones."""
    from rich.table import Table

    project = project_around(folder)
    table = Table("profile", "scheduler", "what it is", box=None, header_style="bold")
    own = {str(path.relative_to(project)): path for path in sorted((project / "cluster").glob("*.yaml"))}
    for name, path in {**own, **ready_profiles()}.items():
        profile = read_profile(str(path), project)
        table.add_row(escaped(name), profile.scheduler, escaped(profile.description))
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
    out().print(f"[green]made[/] {escaped(str(target))}")
    out().print(f"Next: fill in what your cluster wants, then etude cluster check {escaped(str(target))}")


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
    scripts = Scripts(own, f"STUDY.{pool.name}", run / "jobs", spans=pool.nodes > 1)
    path = run / "jobs" / "JOB"
    made = rendered(own, scripts.job(pilot_command(own, run / f"{pool.name}.spec", "0"), path), str(path))
    if made.description is not None:
        out().print(made.description, markup=False, soft_wrap=True)
        out().print(f"[dim]# {path}[/]", soft_wrap=True)
    out().print(made.script, markup=False, soft_wrap=True, end="")


def check_profile(name: str, folder: Path, store: Path | None, timeout: str, *, as_json: bool) -> bool:
    """Try a profile, showing each step as it is known; whether all work."""
    project = project_around(folder)
    profile = read_profile(name, project)
    try:
        limit_s = units.seconds(timeout)
    except ValueError as error:
        raise ConfigError([Fault("--timeout", str(error), timeout)]) from error
    place = project / ".etude" / "checks" / new_run_id(now())
    tell = lambda why: err().print(f"[dim]  waits: {escaped(why)}[/]")  # noqa: E731
    check = Check(profile, place, store or project / ".etude" / "store", variables_copy(), limit_s, tell)
    found = []
    with _ended_by_signals(), closing(check.findings()) as findings:
        for finding in findings:
            found.append(finding)
            if not as_json:
                mark = "[green]✓[/]" if finding.works else "[red]✗[/]"
                out().print(f"{mark} {finding.step:<11}{escaped(finding.detail)}", soft_wrap=True)
                if finding.mend:
                    out().print(f"  {'':<11}Mend: {escaped(finding.mend)}", soft_wrap=True)
    if as_json:
        out().print_json(json_text([asdict(finding) for finding in found]))
    return all(finding.works for finding in found)


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
