"""What every backend must do; each is held to the same tests."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from etude.execute import process_group
from etude.execute.backend import Backend, Progress
from etude.execute.task import Outcome, Status, Task, task_of
from etude.graph.node import Made, input_contents
from etude.graph.pipeline import Needs
from etude.meter.accounting.cost import Cost
from etude.store.files.manifest import Manifest
from etude.study.prepare import PreparedStudy
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
def talk_long(*, times: int) -> int:
    print("see http://example.org/x", "A" * times, "gh" + "p_" + 2 * "aB3dE5gH7jK9mN1pQ2sT")
    raise ValueError("enough said")

@step
def wait_for_go(*, name: str) -> int:
    while not (Path(__file__).parent / name).exists():
        time.sleep(0.01)
    return 1

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
def asked(*, ctx: Context, turn: int) -> bool:
    return ctx.stopping

class Net:
    pass

@step
def partly(*, ctx: Context) -> dict[str, object]:
    (ctx.scratch / "checkpoint").write_text("all of it")
    return {"acc": 0.5, "counts": [1, 2], "model": Net(), "call": (lambda: 1)}

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
def costly(*, ctx: Context, how: str) -> int:
    import json
    state = ctx.scratch / "state"
    began = time.process_time()
    while time.process_time() - began < 0.4:
        pass
    if not state.exists():
        state.touch()
        if how == "stop":
            raise Stopped("half way")
        if how == "raise":
            raise ValueError("once")
        told = lambda path: json.loads(path.read_text())["cost"]["cpu_s"]
        while not any(told(path) >= 0.4 for path in ctx.scratch.parent.glob("*.attempts/*.json")):
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
    return 1

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
def work(*, ctx: Context, cpu_s: list[float]) -> dict[str, float]:
    mine = cpu_s[int(os.environ.get("RANK", "0"))]
    with ctx.window("work"):
        began = time.process_time()
        while time.process_time() - began < mine:
            pass
    return {"cpu_s": mine}

def come(name, count):
    (Path(__file__).parent / name).touch()
    while len(list(Path(__file__).parent.glob("gone-*"))) < count:
        time.sleep(0.01)
    began = time.process_time()
    while time.process_time() - began < 0.3:
        pass

@step
def outlast(*, last: int, size: int) -> dict[str, int]:
    rank = int(os.environ["RANK"])
    if rank == last:
        come("last", size - 1)
    (Path(__file__).parent / f"gone-{rank}").touch()
    return {"rank": rank}

@step
def fail_late(*, size: int) -> int:
    rank = int(os.environ["RANK"])
    if rank > 0:
        come("late", 1)
        raise ValueError(f"late rank {rank}")
    (Path(__file__).parent / "gone-0").touch()
    return 1

@step
def tidy(*, how: str) -> int:
    here, rank = Path(__file__).parent, os.environ["RANK"]
    try:
        (here / f"in-{rank}").touch()
        while len(list(here.glob("in-*"))) < 2:
            time.sleep(0.01)
        if rank == "1":
            raise ValueError("enough")
        time.sleep(600)
    finally:
        (here / f"tidied-{rank}").touch()
    return 1

@step
def one_stops(*, ctx: Context) -> int:
    if os.environ["RANK"] == "1":
        raise Stopped("half way")
    while not ctx.stopping:
        time.sleep(0.01)
    return 1

@step
def one_raises(*, rank: str) -> int:
    if os.environ["RANK"] == rank:
        raise ValueError(f"rank {rank}")
    time.sleep(600)
    return 1

@step
def surroundings(*, ctx: Context) -> dict[str, object]:
    names = ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES")
    return {"devices": list(ctx.devices), "cpus": ctx.cpus, **{name: os.environ.get(name) for name in names}}
"""
)


def calls_of(prepared: PreparedStudy) -> dict[str, Task]:
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
            found[action.node.name] = task_of(action.node, contents, {})
    return found


Make = Callable[[PreparedStudy], Backend]


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

    def test_a_backend_says_once_that_a_node_runs_and_before_all_else(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for_go", None, {"name": "go"})}))
        told: list[Progress] = []

        def hear(progress: Progress) -> None:
            told.append(progress)
            if progress.starts:
                (prepared.study.project / "go").touch()

        call = calls_of(prepared)["it"]
        assert make(prepared, hear).submit(call).result(timeout=60).status is Status.DONE  # type: ignore[call-arg]
        assert [one.starts for one in told if one.fingerprint == call.fingerprint][:1] == [True]
        assert sum(one.starts for one in told) == 1

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

    def test_of_a_result_that_cannot_be_stored_all_is_kept_that_can_be(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("partly", None, {})}))
        call = calls_of(prepared)["it"]
        outcome = make(prepared).submit(call).result(timeout=60)
        assert outcome.status is Status.FAILED
        scratch = prepared.store.scratch(call.fingerprint)
        assert (scratch / "checkpoint").read_text() == "all of it"
        kept = {path.name for path in (scratch / "unstored").iterdir()}
        assert kept == {"acc.json", "counts.json", "model.pickle"}
        assert json.loads((scratch / "unstored" / "counts.json").read_text()) == [1, 2]
        assert str(scratch / "unstored") in outcome.error
        assert "acc, counts; pickled: model" in outcome.error
        assert "etude accept it" in outcome.error
        assert prepared.store.inspect(call.fingerprint) is None

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

    @pytest.mark.parametrize("cpus", [1, 3])
    def test_libraries_use_the_cores_that_a_node_asks_for(
        self, make: Make, project: Project, monkeypatch: pytest.MonkeyPatch, cpus: int
    ) -> None:
        for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_WAIT_POLICY"):
            monkeypatch.delenv(name, raising=False)
        prepared = project.write(STEPS).prepare(project.study({"it": ("surroundings", None, {}, {"cpus": cpus})}))
        call = calls_of(prepared)["it"]
        assert make(prepared).submit(call).result(timeout=60).status is Status.DONE
        seen = prepared.store.read(call.fingerprint)
        assert (seen["cpus"], seen["OMP_NUM_THREADS"], seen["RAYON_NUM_THREADS"]) == (cpus, str(cpus), str(cpus))
        assert seen["OMP_WAIT_POLICY"] == "PASSIVE"

    def test_the_users_own_number_of_threads_holds_for_all_libraries(
        self, make: Make, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("RAYON_NUM_THREADS", raising=False)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        prepared = project.write(STEPS).prepare(project.study({"it": ("surroundings", None, {}, {"cpus": 3})}))
        call = calls_of(prepared)["it"]
        assert make(prepared).submit(call).result(timeout=60).status is Status.DONE
        seen = prepared.store.read(call.fingerprint)
        assert (seen["cpus"], seen["OMP_NUM_THREADS"], seen["RAYON_NUM_THREADS"]) == (1, "1", "1")

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

    @pytest.mark.parametrize(("how", "status"), [("stop", Status.STOPPED), ("raise", Status.FAILED)])
    def test_the_costs_of_attempts_add_up(self, make: Make, project: Project, how: str, status: Status) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("costly", None, {"how": how})}))
        backend, call = make(prepared), calls_of(prepared)["it"]
        outcome = backend.submit(call).result(timeout=60)
        if outcome.status is not Status.DONE:  # a pilot goes on by itself where a step has stopped
            assert outcome.status is status
            outcome = backend.submit(replace(call, attempt=2)).result(timeout=60)
        assert (outcome.status, outcome.cost["attempts"]) == (Status.DONE, 2)
        assert outcome.cost["cpu_s"] >= 0.75  # type: ignore[operator]
        assert outcome.cost["energy_covered"]["joules"] is not None  # type: ignore[index]
        assert not prepared.store.attempts(call.fingerprint).exists()

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

    def two(self, project: Project, first: tuple[object, ...], second: tuple[object, ...]) -> PreparedStudy:
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

    def test_what_a_killed_attempt_has_told_of_its_cost_is_part_of_the_whole(
        self, make: Make, project: Project
    ) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("costly", None, {"how": "kill"})}))
        backend, call = make(prepared), calls_of(prepared)["it"]
        assert backend.submit(call).result(timeout=60).status is Status.LOST
        outcome = backend.submit(replace(call, attempt=2)).result(timeout=60)
        assert (outcome.status, outcome.cost["attempts"]) == (Status.DONE, 2)
        assert outcome.cost["cpu_s"] >= 0.75  # type: ignore[operator]
        assert "an attempt was killed" in str(outcome.cost["warnings"])

    def test_an_attempt_that_was_killed_before_it_told_its_cost_is_counted_and_said_to_be_missing(
        self, make: Make, project: Project
    ) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("killed", None, {"times": 1})}))
        backend, call = make(prepared), calls_of(prepared)["it"]
        assert backend.submit(call).result(timeout=60).status is Status.LOST
        outcome = backend.submit(replace(call, attempt=2)).result(timeout=60)
        assert outcome.cost["attempts"] == 2
        assert "1 earlier attempt ended before" in str(outcome.cost["warnings"])

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

    def test_a_node_that_was_asked_to_stop_says_nothing_of_the_next_on_its_worker_nor_of_its_own_next_attempt(
        self, make: Make, project: Project, tmp_path: Path
    ) -> None:
        told, go = threading.Event(), tmp_path / "go"
        pipeline = {"it": ("wait_for", None, {"path": str(go)}), "next": ("asked", None, {"turn": 1})}
        prepared = project.write(STEPS).prepare(project.study(pipeline))
        backend, calls = make(prepared, lambda _: told.set()), calls_of(prepared)  # type: ignore[call-arg]
        future = backend.submit(calls["it"])
        assert told.wait(60)
        backend.cancel(calls["it"].fingerprint, "nobody wants it", now=False)
        assert future.result(timeout=60).status is Status.STOPPED
        assert backend.submit(calls["next"]).result(timeout=60).status is Status.DONE
        assert prepared.store.read(calls["next"].fingerprint) is False
        go.touch()
        assert backend.submit(calls["it"]).result(timeout=60).status is Status.DONE

    def test_a_node_that_comes_to_a_worker_after_all_were_asked_to_stop_is_asked_too(
        self, make: Make, project: Project
    ) -> None:
        pipeline = {"first": ("asked", None, {"turn": 1}), "second": ("asked", None, {"turn": 2})}
        prepared = project.write(STEPS).prepare(project.study(pipeline))
        backend, calls = make(prepared), calls_of(prepared)
        assert backend.submit(calls["first"]).result(timeout=60).status is Status.DONE
        backend.interrupt()
        outcome = backend.submit(calls["second"]).result(timeout=60)
        assert prepared.store.read(calls["first"].fingerprint) is False
        if outcome.status is not Status.STOPPED:  # a pilot that is told to stop takes no further node
            assert prepared.store.read(calls["second"].fingerprint) is True

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

    @pytest.mark.parametrize(("now", "status"), [(True, Status.LOST), (False, Status.STOPPED)])
    def test_a_node_that_is_cancelled_before_its_worker_has_it_ends_all_the_same(
        self, make: Make, project: Project, now: bool, status: Status
    ) -> None:
        pipeline = {"n": ("number", None, {"value": 1}), "it": ("wait_for", None, {"path": "/nowhere"})}
        prepared = project.write(STEPS).prepare(project.study(pipeline))
        backend, calls = make(prepared), calls_of(prepared)
        backend.submit(calls["n"]).result(timeout=60)  # so that its worker is warm
        future = backend.submit(calls["it"])
        backend.cancel(calls["it"].fingerprint, "too late", now=now)
        assert future.result(timeout=60).status is status

    def test_workers_die_with_their_driver(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for", None, {"path": "/nowhere"})}))
        backend = make(prepared)
        future: Future[Outcome] = backend.submit(calls_of(prepared)["it"])
        backend.close()
        done, _ = wait([future], timeout=60)
        assert done
        assert future.result().status is Status.LOST


Attempted = tuple[Outcome, PreparedStudy, Task]


class RanksContract:
    """Held by all that start a node as several processes.

    A subclass gives the fixture `attempt`: it takes a step, its settings and a number of processes, runs the node once
    and returns the outcome, the study and the call.
    """

    @pytest.mark.parametrize("size", [2, 3])
    def test_all_know_their_ranks_and_one_stores_the_result(
        self, attempt: Callable[..., Attempted], project: Project, size: int
    ) -> None:
        outcome, prepared, call = attempt("ranked", {"name": "x"}, size)
        assert outcome.status is Status.DONE, outcome
        seen = prepared.store.read(call.fingerprint)
        assert (seen["RANK"], seen["WORLD_SIZE"]) == ("0", str(size))
        assert {path.name for path in (project.folder / "ranks").iterdir()} == {str(rank) for rank in range(size)}

    @pytest.mark.parametrize(("size", "last"), [(2, 0), (2, 1), (3, 0)])
    def test_the_result_is_stored_however_much_longer_one_process_works_than_the_others(
        self,
        attempt: Callable[..., Attempted],
        monkeypatch: pytest.MonkeyPatch,
        size: int,
        last: int,
    ) -> None:
        monkeypatch.setattr(process_group, "LAST_S", 0.0)
        outcome, prepared, call = attempt("outlast", {"last": last, "size": size}, size)
        assert (outcome.status, outcome.error) == (Status.DONE, "")
        assert prepared.store.read(call.fingerprint) == {"rank": 0}
        assert outcome.content
        assert outcome.cost["processes"] == size
        assert outcome.cost["cpu_s"] > 0.25, "that of the one that works on is in it"  # type: ignore[operator]

    def test_costs_are_of_all_processes_and_of_the_whole_time(self, attempt: Callable[..., Attempted]) -> None:
        _, prepared, call = attempt("work", {"cpu_s": [0.1, 0.5, 0.3]}, 3)
        manifest = prepared.store.inspect(call.fingerprint)
        assert isinstance(manifest, Manifest)
        cost = Cost.from_json(manifest.cost)
        assert cost.cpu_s == pytest.approx(0.9, abs=0.25)
        assert cost.wall_s is not None
        assert cost.wall_s >= 0.5
        assert cost.windows["work"].count == 3
        assert cost.windows["work"].cpu_s == pytest.approx(0.9, abs=0.1)
        assert cost.covered.value is not None
        devices = [span.device for energy in cost.energy.values() for span in energy.spans]
        assert len(devices) == len(set(devices))

    def test_an_error_in_one_process_is_the_outcome_of_all(self, attempt: Callable[..., Attempted]) -> None:
        outcome, _, _ = attempt("one_raises", {"rank": "1"}, 2)
        assert (outcome.status, outcome.error) == (Status.FAILED, "ValueError: rank 1")

    def test_nothing_is_stored_where_a_process_fails_after_the_storing_one_is_done(
        self, attempt: Callable[..., Attempted]
    ) -> None:
        outcome, prepared, call = attempt("fail_late", {"size": 2}, 2)
        assert (outcome.status, outcome.error) == (Status.FAILED, "ValueError: late rank 1")
        assert prepared.store.inspect(call.fingerprint) is None

    def test_the_others_clean_up_after_themselves_where_one_fails(
        self, attempt: Callable[..., Attempted], project: Project
    ) -> None:
        outcome, _, _ = attempt("tidy", {"how": "finally"}, 2)
        assert outcome.error == "ValueError: enough"
        assert {path.name for path in project.folder.glob("tidied-*")} == {"tidied-0", "tidied-1"}

    def test_a_node_has_stopped_where_one_process_has(self, attempt: Callable[..., Attempted]) -> None:
        outcome, prepared, call = attempt("one_stops", {}, 2)
        assert outcome.status is Status.STOPPED
        assert prepared.store.inspect(call.fingerprint) is None

    def test_a_process_that_dies_ends_the_others_and_is_worth_another_try(
        self, attempt: Callable[..., Attempted]
    ) -> None:
        outcome, _, _ = attempt("one_dies", {"rank": "1"}, 2)
        assert (outcome.status, outcome.again) == (Status.LOST, True)
        assert "one of its 2 processes was ended by SIGKILL" in outcome.error
