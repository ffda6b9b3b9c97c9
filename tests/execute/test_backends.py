"""What every backend must do; each is held to the same tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import pytest

from etude.execute.backend import Backend, Progress
from etude.execute.call import NodeCall, Outcome, Status, call_of
from etude.execute.inline import InlineBackend
from etude.execute.processes import Machine, ProcessBackend
from etude.graph.importing import import_path
from etude.graph.node import Made, input_contents
from etude.graph.pipeline import Needs
from etude.store.manifest import Manifest
from etude.study.prepare import Prepared
from projects import CALLED, Project, environment

STEPS = (
    CALLED
    + """
@step
def number(*, value: int) -> int:
    return value

@step
def double(number: int) -> int:
    return 2 * number

@step
def talk(*, times: int) -> int:
    print("a word " * times)
    os.system("echo from a child process")
    raise ValueError("enough said")

@step
def leave(*, code: int) -> int:
    raise SystemExit(code)

@step
def vanish(*, code: int) -> int:
    os._exit(code)

@step
def opaque(*, value: int) -> object:
    return object()

@step
def wait_for(*, ctx: Context, path: str) -> int:
    while not Path(path).exists():
        if ctx.stopping:
            (ctx.scratch / "checkpoint").write_text("half")
            raise Stopped("half way")
        ctx.progress(1, 2, "waiting")
        time.sleep(0.01)
    return 1

@step
def killed(*, ctx: Context, times: int) -> int:
    marks = len(list(ctx.scratch.iterdir()))
    (ctx.scratch / str(marks)).write_text("")
    if marks < times:
        os.kill(os.getpid(), 9)
    return marks

@step
def surroundings(*, ctx: Context) -> dict[str, object]:
    names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
    return {"devices": list(ctx.devices), "cpus": ctx.cpus, **{name: os.environ.get(name) for name in names}}
"""
)


def calls_of(prepared: Prepared) -> dict[str, NodeCall]:
    """A call for every node of a study whose inputs are there."""
    made = {}
    for action in prepared.plan.actions:
        manifest = prepared.store.inspect(action.node.fingerprint)
        if isinstance(manifest, Manifest):
            made[action.node.fingerprint] = Made.of(manifest)
    found = {}
    for action in prepared.plan.actions:
        contents = input_contents(action.node, made)
        if contents is not None:
            found[action.node.name] = call_of(action.node, contents, {})
    return found


Make = Callable[[Prepared], Backend]


class BackendContract:
    """Held by every backend. A subclass gives the fixture `make`."""

    def outcome(self, make: Make, project: Project, function: str, settings: dict[str, object]) -> Outcome:
        prepared = project.write(STEPS).prepare(project.study({"it": (function, None, settings)}))
        return make(prepared).submit(calls_of(prepared)["it"]).result(timeout=60)

    def test_a_call_stores_its_result(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("number", None, {"value": 4})}))
        call = calls_of(prepared)["it"]
        outcome = make(prepared).submit(call).result(timeout=60)
        assert outcome.status is Status.DONE, outcome
        assert prepared.store.read(call.fingerprint) == 4
        assert outcome.cost["wall_s"] > 0  # type: ignore[operator]

    def test_a_call_reads_what_another_has_stored(self, make: Make, project: Project) -> None:
        study = project.write(STEPS).study({"n": ("number", None, {"value": 4}), "d": ("double", "n")})
        prepared = project.prepare(study)
        backend = make(prepared)
        backend.submit(calls_of(prepared)["n"]).result(timeout=60)
        call = calls_of(prepared)["d"]
        assert backend.submit(call).result(timeout=60).status is Status.DONE
        assert prepared.store.read(call.fingerprint) == 8

    def test_a_step_that_raises_fails_with_the_users_own_line(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "talk", {"times": 3})
        assert outcome.status is Status.FAILED
        assert outcome.error == "ValueError: enough said"
        assert 'raise ValueError("enough said")' in outcome.traceback
        assert "perform.py" not in outcome.traceback

    def test_what_a_step_prints_goes_to_its_log(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "talk", {"times": 200_000})
        assert Path(outcome.log).read_text().startswith("a word a word")
        assert Path(outcome.log).stat().st_size > 1_000_000

    def test_a_step_that_leaves_python_fails_alone(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "leave", {"code": 3})
        assert outcome.status is Status.FAILED
        assert "SystemExit(3)" in outcome.error

    def test_a_result_without_a_codec_is_refused_by_its_type(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "opaque", {"value": 1})
        assert outcome.status is Status.FAILED
        assert "object" in outcome.error

    def test_a_damaged_input_is_an_outcome_that_names_it(self, make: Make, project: Project) -> None:
        study = project.write(STEPS).study({"n": ("number", None, {"value": 4}), "d": ("double", "n")})
        prepared = project.prepare(study)
        backend = make(prepared)
        made = calls_of(prepared)["n"]
        backend.submit(made).result(timeout=60)
        call = calls_of(prepared)["d"]
        (prepared.store.folder(made.fingerprint) / "manifest.json").unlink()
        outcome = backend.submit(call).result(timeout=60)
        assert (outcome.status, outcome.damaged) == (Status.DAMAGED, made.fingerprint)

    def test_more_gpus_than_there_are_can_never_run(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("number", None, {"value": 4})}))
        backend = make(prepared)
        assert "GPU" in str(backend.refuses(Needs(gpus=99)))
        assert backend.refuses(Needs()) is None


class TestInline(BackendContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda prepared: InlineBackend(prepared.store, prepared.workplace.etude / "logs")

    def test_a_step_that_checks_can_be_stopped(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for", None, {"path": "/nowhere"})}))
        backend = make(prepared)
        backend.interrupt()
        assert backend.submit(calls_of(prepared)["it"]).result().status is Status.STOPPED


class TestProcesses(BackendContract):
    @pytest.fixture
    def backends(self) -> Iterator[list[ProcessBackend]]:
        started: list[ProcessBackend] = []
        yield started
        for backend in started:
            backend.close()

    @pytest.fixture
    def make(self, backends: list[ProcessBackend]) -> Make:
        def make(prepared: Prepared, tell: Callable[[Progress], None] = lambda _: None) -> ProcessBackend:
            backend = ProcessBackend(
                Machine(workers=2, cpus=4, memory_bytes=100, devices=("GPU-a", "GPU-b")),
                prepared.workplace.store,
                prepared.workplace.etude / "logs",
                import_path(prepared.study.project),
                prepared.expansion.library.sources(),
                tell,
                environment(),
            )
            backends.append(backend)
            return backend

        return make

    def two(self, project: Project, first: tuple[object, ...], second: tuple[object, ...]) -> Prepared:
        return project.write(STEPS).prepare(project.study({"first": first, "second": second}))

    def test_a_step_that_ends_its_process_is_lost_and_not_tried_again(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "vanish", {"code": 7})
        assert (outcome.status, outcome.again) == (Status.LOST, False)
        assert "exit code 7" in outcome.error

    def test_a_killed_worker_is_an_infrastructure_fault_that_names_the_signal(
        self, make: Make, project: Project
    ) -> None:
        outcome = self.outcome(make, project, "killed", {"times": 1})
        assert (outcome.status, outcome.again) == (Status.LOST, True)
        assert "SIGKILL" in outcome.error

    def test_the_scratch_folder_is_kept_between_attempts_and_dropped_after_success(
        self, make: Make, project: Project
    ) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("killed", None, {"times": 1})}))
        backend, call = make(prepared), calls_of(prepared)["it"]
        assert backend.submit(call).result(timeout=60).status is Status.LOST
        assert backend.submit(call).result(timeout=60).status is Status.DONE
        assert prepared.store.read(call.fingerprint) == 1
        assert not list(prepared.store.scratch(call.fingerprint).iterdir())

    def test_a_dying_worker_takes_down_its_own_node_alone(self, make: Make, project: Project, tmp_path: Path) -> None:
        go = tmp_path / "go"
        prepared = self.two(project, ("wait_for", None, {"path": str(go)}), ("vanish", None, {"code": 1}))
        backend, calls = make(prepared), calls_of(prepared)
        patient = backend.submit(calls["first"])
        assert backend.submit(calls["second"]).result(timeout=60).status is Status.LOST
        go.touch()
        assert patient.result(timeout=60).status is Status.DONE

    def test_asked_to_stop_a_running_step_leaves_a_checkpoint(self, make: Make, project: Project) -> None:
        told = threading.Event()
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for", None, {"path": "/nowhere"})}))
        backend = make(prepared, lambda _: told.set())  # type: ignore[call-arg]
        call = calls_of(prepared)["it"]
        future = backend.submit(call)
        assert told.wait(60)
        backend.interrupt()
        assert future.result(timeout=60).status is Status.STOPPED
        assert (prepared.store.scratch(call.fingerprint) / "checkpoint").read_text() == "half"

    def test_a_cancelled_node_ends_at_once_with_the_reason_given(self, make: Make, project: Project) -> None:
        told = threading.Event()
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for", None, {"path": "/nowhere"})}))
        backend = make(prepared, lambda _: told.set())  # type: ignore[call-arg]
        call = calls_of(prepared)["it"]
        future = backend.submit(call)
        assert told.wait(60)
        backend.cancel(call.fingerprint, "out of time")
        outcome = future.result(timeout=60)
        assert (outcome.status, outcome.error, outcome.again) == (Status.LOST, "out of time", False)

    def test_each_node_sees_only_its_own_gpus_and_its_share_of_cores(self, make: Make, project: Project) -> None:
        pipeline = {
            "first": ("surroundings", None, {}, {"gpus": 1}),
            "second": ("surroundings", None, {}, {"gpus": 1, "cpus": 2}),
            "third": ("surroundings", None, {}, {"gpus": 2}),
        }
        prepared = project.write(STEPS).prepare(project.study(pipeline))
        backend, calls = make(prepared), calls_of(prepared)
        assert len({call.fingerprint for call in calls.values()}) == 1, "placement is not identity"
        both = calls["third"]
        assert backend.submit(both).result(timeout=60).status is Status.DONE
        seen = prepared.store.read(both.fingerprint)
        assert (
            seen
            == {
                "devices": ["cuda:0"],
                "cpus": 2,
                "OMP_NUM_THREADS": "2",
                "CUDA_VISIBLE_DEVICES": "GPU-a",
            }
            or seen["CUDA_VISIBLE_DEVICES"] == "GPU-a,GPU-b"
        )

    def test_a_node_waits_while_the_machine_is_full(self, make: Make, project: Project, tmp_path: Path) -> None:
        go = tmp_path / "go"
        prepared = self.two(project, ("wait_for", None, {"path": str(go)}), ("number", None, {"value": 1}))
        backend = make(prepared)
        assert backend.admits(Needs(gpus=2, memory_bytes=100))
        future = backend.submit(calls_of(prepared)["first"])
        assert backend.admits(Needs())
        assert not backend.admits(Needs(gpus=3))
        assert not backend.admits(Needs(memory_bytes=101))
        go.touch()
        future.result(timeout=60)

    def test_workers_die_with_their_driver(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for", None, {"path": "/nowhere"})}))
        backend = make(prepared)
        future: Future[Outcome] = backend.submit(calls_of(prepared)["it"])
        backend.close()
        done, _ = wait([future], timeout=60)
        assert done
        assert future.result().status is Status.LOST
