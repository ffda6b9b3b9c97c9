"""What every backend must do; each is held to the same tests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path

import psutil
import pytest

from etude.execute.backend import Backend
from etude.execute.call import NodeCall, Outcome, Status, call_of
from etude.graph.node import Made, input_contents
from etude.graph.pipeline import Needs
from etude.store.manifest import Manifest
from etude.study.prepare import Prepared
from projects import CALLED, Project

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

class Odd(BaseException):
    pass

class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no text")

@step
def odd(*, which: str) -> int:
    if which == "odd":
        raise Odd("as odd as it gets")
    if which == "silent":
        raise Silent
    try:
        raise KeyError("first")
    except KeyError as error:
        raise ValueError("second") from error

@step
def upset(*, how: str) -> int:
    import sys
    if how == "closed":
        sys.stdout.close()
        sys.stderr.close()
    elif how == "none":
        sys.stdout = sys.stderr = None
    elif how == "descriptors":
        os.close(1)
        os.close(2)
    return 1

@step
def move(*, where: str) -> int:
    import decimal, sys
    os.chdir(where)
    sys.path.insert(0, where)
    decimal.getcontext().prec = 3
    return 1

@step
def place(*, turn: int) -> list[object]:
    import decimal, sys
    return [os.getcwd(), sys.path[0], decimal.getcontext().prec]

@step
def fork(*, how: str) -> int:
    child = os.fork()
    if child == 0:
        if how == "raise":
            raise ValueError("in the child")
        if how == "leave":
            raise SystemExit(5)
        return 2
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

@step
def interrupted(*, times: int) -> int:
    raise KeyboardInterrupt

@step
def leave_a_child(*, note: str) -> int:
    import subprocess
    child = subprocess.Popen(["sleep", "600"])
    Path(note).write_text(str(child.pid))
    os.kill(os.getpid(), 9)

@step
def deaf(*, ctx: Context, path: str) -> int:
    while not Path(path).exists():
        ctx.progress(1, 2, "waiting")
        time.sleep(0.01)
    return 1

@step
def ranked(*, name: str) -> dict[str, object]:
    place = Path(__file__).parent / "ranks"
    place.mkdir(exist_ok=True)
    (place / os.environ["RANK"]).touch()
    return {key: os.environ.get(key) for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")}

@step
def one_dies(*, rank: str) -> int:
    if os.environ["RANK"] == rank:
        os.kill(os.getpid(), 9)
    time.sleep(600)
    return 1

@step
def one_raises(*, rank: str) -> int:
    if os.environ["RANK"] == rank:
        raise ValueError(f"rank {rank}")
    time.sleep(600)
    return 1

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

    def test_a_result_without_a_codec_is_refused_by_its_type_and_without_a_traceback_of_ours(
        self, make: Make, project: Project
    ) -> None:
        outcome = self.outcome(make, project, "opaque", {"value": 1})
        assert outcome.status is Status.FAILED
        assert "object" in outcome.error
        assert outcome.traceback == ""

    def test_an_error_that_is_no_exception_fails_its_node_alone(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "odd", {"which": "odd"})
        assert (outcome.status, outcome.error) == (Status.FAILED, "Odd: as odd as it gets")

    def test_an_error_whose_text_cannot_be_had_is_named(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "odd", {"which": "silent"})
        assert outcome.status is Status.FAILED
        assert outcome.error.startswith("Silent, whose text cannot be had")

    def test_the_error_that_led_to_another_is_told_too(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "odd", {"which": "chain"})
        assert 'raise KeyError("first")' in outcome.traceback
        assert outcome.traceback.endswith("ValueError: second\n")

    def test_a_step_leaves_folder_import_path_and_precision_as_they_were(
        self, make: Make, project: Project, tmp_path: Path
    ) -> None:
        before = [("place", None, {"turn": 1}), ("move", None, {"where": str(tmp_path)}), ("place", None, {"turn": 2})]
        study = project.write(STEPS).study(dict(zip("abc", before, strict=True)))
        prepared = project.prepare(study)
        backend, calls = make(prepared), calls_of(prepared)
        for name in "abc":
            assert backend.submit(calls[name]).result(timeout=60).status is Status.DONE
        first, last = (prepared.store.read(calls[name].fingerprint) for name in "ac")
        assert first == last

    @pytest.mark.parametrize(("how", "code"), [("return", 0), ("leave", 5), ("raise", 1)])
    def test_a_process_that_a_step_forks_ends_there(self, make: Make, project: Project, how: str, code: int) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("fork", None, {"how": how})}))
        call = calls_of(prepared)["it"]
        assert make(prepared).submit(call).result(timeout=60).status is Status.DONE
        assert prepared.store.read(call.fingerprint) == code

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


class SupervisedContract(BackendContract):
    """Held by every backend that runs nodes in processes of their own, which it watches."""

    @pytest.mark.parametrize("how", ["closed", "none", "descriptors"])
    def test_a_step_that_upsets_the_output_harms_no_later_one(self, make: Make, project: Project, how: str) -> None:
        pipeline = {"first": ("upset", None, {"how": how}), "second": ("talk", None, {"times": 2})}
        prepared = project.write(STEPS).prepare(project.study(pipeline))
        backend, calls = make(prepared), calls_of(prepared)
        assert backend.submit(calls["first"]).result(timeout=60).status is Status.DONE
        outcome = backend.submit(calls["second"]).result(timeout=60)
        assert outcome.error == "ValueError: enough said"
        assert "a word a word" in Path(outcome.log).read_text()

    def test_an_interrupt_that_a_step_raises_itself_is_its_own_error(self, make: Make, project: Project) -> None:
        outcome = self.outcome(make, project, "interrupted", {"times": 1})
        assert (outcome.status, outcome.error) == (Status.FAILED, "the step raised KeyboardInterrupt")

    def test_what_a_killed_worker_has_started_ends_with_it(self, make: Make, project: Project, tmp_path: Path) -> None:
        note = tmp_path / "pid"
        assert self.outcome(make, project, "leave_a_child", {"note": str(note)}).status is Status.LOST
        with contextlib.suppress(psutil.NoSuchProcess):
            assert psutil.Process(int(note.read_text())).wait(timeout=60) is None

    def test_modules_in_the_folder_of_the_command_do_not_hide_those_that_a_worker_needs(
        self, make: Make, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "queue.py").write_text("raise RuntimeError('not this one')")
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert self.outcome(make, project, "number", {"value": 1}).status is Status.DONE

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

    def test_workers_die_with_their_driver(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for", None, {"path": "/nowhere"})}))
        backend = make(prepared)
        future: Future[Outcome] = backend.submit(calls_of(prepared)["it"])
        backend.close()
        done, _ = wait([future], timeout=60)
        assert done
        assert future.result().status is Status.LOST
