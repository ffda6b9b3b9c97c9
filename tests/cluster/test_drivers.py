"""What becomes of a cluster's work when its driver is killed, stopped or started again; and of nodes that stay here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cluster.slurm_bed import until
from etude.config.cluster import read_profile
from etude.execute.task import Status, task_of
from etude.graph.importing import import_path
from etude.graph.pipeline import Needs
from etude.pilots.pilot import unfit
from etude.pilots.pilot_backend import PilotBackend
from etude.pilots.pilot_spec import PilotSpec
from etude.study.execution import Execution
from etude.study.prepare import Options
from projects import CALLED, Project, environment

pytest.importorskip("parsl")

STEPS = (
    CALLED
    + """
@step
def waits(*, ctx: Context, path: str) -> int:
    called("waits")
    while not Path(path).exists():
        if ctx.stopping:
            (ctx.scratch / "checkpoint").write_text("half")
            raise Stopped("half way")
        time.sleep(0.05)
    return 1

@step
def where(*, turn: int) -> dict[str, object]:
    return {"cluster": "ETUDE_BLOCK_END" in os.environ, "pid": os.getppid()}
"""
)

STUDY = """
name: waits
pipeline:
  it: {{step: "{module}:waits", with: {{path: "{path}"}}}}
"""


def pilots(folder: Path) -> list[psutil.Process]:
    """The jobs of a project's runs that are alive."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "etude.pilots.pilot" in words and any(str(folder) in word for word in words):
            found.append(process)
    return found


def driver(project: Project) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "etude.cli.main", "run", "study.yaml", "--on", "local"]
    return subprocess.Popen(words, cwd=project.folder, env=environment(), stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_driver_that_is_killed_and_started_again_doubles_nothing(project: Project, tmp_path: Path) -> None:
    project.write(STEPS)
    (project.folder / "pyproject.toml").touch()
    go = tmp_path / "go"
    (project.folder / "study.yaml").write_text(STUDY.format(module=project.module, path=go))
    first = driver(project)
    until(lambda: project.calls() == ["waits"], "the step to begin")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = driver(project)
    try:
        events = lambda: [p.read_text() for p in project.folder.glob(".etude/runs/*/events.jsonl")]  # noqa: E731
        until(lambda: any("earlier run" in text for text in events()), "the second driver to find the work", str)
        go.touch()
        _, said = second.communicate(timeout=120)
        assert second.returncode == 0, said.decode()
        assert project.calls() == ["waits"], "computed once"
    finally:
        second.kill()
        for pilot in pilots(project.folder):
            pilot.terminate()


@pytest.mark.slow
def test_the_first_interrupt_lets_steps_write_checkpoints_and_ends_the_jobs(project: Project, tmp_path: Path) -> None:
    study = project.write(STEPS).study({"it": ("waits", None, {"path": str(tmp_path / "never")})})
    options = Options(cluster=read_profile("local", tmp_path), environment=environment())
    prepared = project.prepare(study)
    execution = Execution(prepared, options, lambda _event: None)

    def stop() -> None:
        until(lambda: project.calls() == ["waits"], "the step to begin")
        execution.interrupt()

    threading.Thread(target=stop, daemon=True).start()
    result = execution.run()
    assert [node.name for node in result.summary.stopped] == ["it"]
    [node] = prepared.expansion.named("it")
    assert (prepared.store.scratch(node.fingerprint) / "checkpoint").read_text() == "half"
    until(lambda: not pilots(project.folder), "the jobs to end")


def test_an_interrupt_gives_back_nodes_that_still_wait(project: Project, tmp_path: Path) -> None:
    project.write(STEPS)
    prepared = project.prepare(project.study({"it": ("waits", None, {"path": "/nowhere"})}))
    backend = backend_of(project, tmp_path)
    backend.interrupt()
    [node] = prepared.expansion.named("it")
    assert backend.submit(task_of(node, {}, {})).result(1).status is Status.STOPPED
    backend.close()


def test_a_small_node_does_not_wait_for_a_job_of_its_own(project: Project, tmp_path: Path) -> None:
    project.write("@step\ndef number(*, value: int) -> int:\n    return value\n")
    prepared = project.prepare(project.study({"it": ("number", None, {"value": 1})}))
    [node] = prepared.expansion.named("it")
    backend = backend_of(project, tmp_path)
    backend.import_path, backend.sources = import_path(project.folder), prepared.expansion.library.sources()
    backend.durations.note("it", 0.01)
    outcome = backend.submit(task_of(node, {}, {})).result(60)
    assert outcome.status is Status.DONE, "there is no SLURM that could have run it"
    backend.close()


def backend_of(project: Project, tmp_path: Path) -> PilotBackend:
    return PilotBackend(
        profile=read_profile("slurm", tmp_path),
        store=project.folder / ".etude/store",
        logs=tmp_path / "logs",
        folder=tmp_path / "run",
        environment=environment(),
    )


def test_a_node_that_must_stay_here_runs_here_though_the_study_runs_on_a_cluster(project: Project) -> None:
    study = project.write(STEPS).study({"it": ("where", None, {"turn": 1}, {"login": True})})
    profile = replace(read_profile("local", project.folder), scheduler="slurm")
    result = project.run(study, cluster=profile, until=("it",))
    assert result.succeeded, result.summary.failures
    assert result.value("it")["cluster"] is False
    assert not list(project.folder.glob(".etude/runs/*/cluster/jobs")), "no job was asked for"


def test_a_node_that_must_stay_here_and_asks_for_what_is_not_here_is_refused_before_anything_is_submitted(
    project: Project, tmp_path: Path
) -> None:
    backend = backend_of(project.write(STEPS), tmp_path)
    assert "GPU" in str(backend.refuses(Needs(login=True, gpus=99)))
    assert backend.refuses(Needs(login=True)) is None


def test_a_job_knows_why_its_machine_cannot_run_the_study(tmp_path: Path) -> None:
    from etude import __version__
    from etude.execute.node_metering import MeterSettings

    snapshot = tmp_path / "sources"
    snapshot.touch()
    spec = PilotSpec(
        version=__version__,
        pool="cpu",
        store=str(tmp_path / "store"),
        logs="",
        mailbox="",
        import_path=(),
        snapshot=str(snapshot),
        meter=MeterSettings(),
        digests=None,
    )
    assert unfit(spec) is None
    assert "planned with 9.9" in str(unfit(replace(spec, version="9.9")))
    assert "/nowhere/store is not seen" in str(unfit(replace(spec, store="/nowhere/store")))
    assert "/nowhere is not seen" in str(unfit(replace(spec, snapshot="/nowhere/sources")))


def test_no_engine_is_loaded_until_a_node_needs_it() -> None:
    program = (
        "import sys, etude.cli.commands.run, etude.study.execution\n"
        "assert not {'parsl', 'zmq'} & {name.partition('.')[0] for name in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
