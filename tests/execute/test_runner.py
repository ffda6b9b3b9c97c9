"""How the runner walks a plan: order, failures, retries, other runs, damage, interrupts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from etude.execute.backend import Progress, TellProgress
from etude.execute.inline_backend import InlineBackend
from etude.execute.run_events import Event, EventKind
from etude.execute.runner import Policy, Runner, RunSummary
from etude.execute.task import Outcome, Status, Task
from etude.graph.pipeline import Needs
from etude.study.execution import Execution
from etude.study.prepare import Options, PreparedStudy
from etude.study.study import Vary
from projects import CALLED, Project

STEPS = (
    CALLED
    + """
@step
def number(*, value: int) -> int:
    called(f"number{value}")
    return value

@step
def double(number: int) -> int:
    called(f"double{number}")
    return 2 * number

@step
def total(numbers: list[int]) -> int:
    called("total")
    return sum(numbers)

@step
def fail(number: int) -> int:
    called("fail")
    raise ValueError("no")
"""
)


@dataclass
class FakeBackend:
    """Answers calls as it is told to: with the outcomes listed for a node, then by really computing it."""

    real: InlineBackend
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    cancelled: dict[str, str] = field(default_factory=dict)
    pending: dict[str, Future[Outcome]] = field(default_factory=dict)
    hold: set[str] = field(default_factory=set)
    on_submit: Callable[[Task], None] = lambda _call: None
    interrupted: bool = False
    tell: TellProgress = lambda _progress: None
    queued: set[str] = field(default_factory=set)
    """Nodes that wait somewhere and do not start."""

    def admits(self, needs: Needs) -> bool:
        return True

    def refuses(self, needs: Needs) -> str | None:
        return None

    def submit(self, call: Task) -> Future[Outcome]:
        self.seen.append(call.name)
        if call.name not in self.queued:
            self.tell(Progress(call.fingerprint, 0.0, None, "", starts=True))
        self.on_submit(call)
        future: Future[Outcome] = Future()
        if call.name in self.hold and self.interrupted:
            future.set_result(Outcome(status=Status.STOPPED))
        elif call.name in self.hold:
            self.pending[call.fingerprint] = future
        elif self.outcomes.get(call.name):
            future.set_result(self.outcomes[call.name].pop(0))
        else:
            return self.real.submit(call)
        return future

    def interrupt(self) -> None:
        self.interrupted = True
        for future in self.pending.values():
            future.set_result(Outcome(status=Status.STOPPED))

    def cancel(self, fingerprint: str, reason: str, *, now: bool = True) -> None:
        self.cancelled[fingerprint] = reason
        self.pending[fingerprint].set_result(Outcome(status=Status.LOST, error=reason, again=False))

    def close(self) -> None: ...


class Clock:
    """Time that moves on by itself, so that nothing in a test waits for it."""

    def __init__(self, step_s: float = 0.3) -> None:
        self.now = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


def runner_of(prepared: PreparedStudy, project: Project, policy: Policy | None = None) -> tuple[Runner, FakeBackend]:
    backend = FakeBackend(InlineBackend(store=prepared.store, logs=prepared.workplace.etude / "logs"))
    runner = Runner(
        plan=prepared.plan,
        store=prepared.store,
        backend=backend,
        provenance=lambda _: {},
        policy=policy or Policy(),
        tell=project.events.append,
        clock=Clock(),
    )
    backend.tell = runner.take_progress
    return runner, backend


LOST = Outcome(status=Status.LOST, error="gone")


def test_producers_run_before_consumers_and_shared_nodes_once(project: Project) -> None:
    study = project.write(STEPS).study(
        {
            "n": ("number", None, {"value": 1}),
            "left": ("double", "n"),
            "right": ("double", "left"),
            "sum": ("total", {"numbers": ["n", "left", "right"]}),
        }
    )
    result = project.run(study)
    assert result.succeeded
    assert project.calls() == ["number1", "double1", "double2", "total"]
    assert result.value("sum") == 7


def test_variants_share_what_does_not_vary(project: Project) -> None:
    study = project.write(STEPS).study(
        {"n": ("number", None, {"value": 1}), "m": ("number", None, {"value": "${x}"}), "d": ("double", "m")},
        params={"x": 0},
        vary=Vary(grid={"x": (5, 6)}),
    )
    project.run(study)
    assert sorted(project.calls()) == ["double5", "double6", "number1", "number5", "number6"]


def test_a_second_run_does_nothing(project: Project) -> None:
    study = project.write(STEPS).study({"n": ("number", None, {"value": 1})})
    project.run(study)
    again = project.run(study)
    assert not again.run
    assert project.calls() == ["number1"]


def test_after_a_failure_what_does_not_depend_on_it_goes_on(project: Project) -> None:
    study = project.write(STEPS).study(
        {"n": ("number", None, {"value": 1}), "f": ("fail", "n"), "g": ("double", "f"), "d": ("double", "n")}
    )
    result = project.run(study)
    assert [failure.node.name for failure in result.summary.failures] == ["f"]
    assert "double1" in project.calls()
    assert {node.name for node in result.summary.blocked.values()} == {"f"}
    assert not result.succeeded


def test_fail_fast_starts_nothing_more(project: Project) -> None:
    study = project.write(STEPS).study(
        {"n": ("number", None, {"value": 1}), "f": ("fail", "n"), "d": ("double", "n"), "e": ("double", "d")}
    )
    result = project.run(study, fail_fast=True)
    assert not result.succeeded
    assert "double2" not in project.calls()


def test_a_failure_is_recorded_and_tried_again_by_the_next_run(project: Project) -> None:
    study = project.write(STEPS).study({"n": ("number", None, {"value": 1}), "f": ("fail", "n")})
    first = project.run(study)
    node = first.summary.failures[0].node
    assert first.prepared.store.failure(node.fingerprint)["error"] == "ValueError: no"  # type: ignore[index]
    project.run(study)
    assert project.calls() == ["number1", "fail", "fail"]


def one_number(project: Project) -> PreparedStudy:
    return project.prepare(project.write(STEPS).study({"n": ("number", None, {"value": 1})}))


def test_a_lost_worker_is_tried_again(project: Project) -> None:
    runner, backend = runner_of(one_number(project), project)
    backend.outcomes["n"] = [LOST, LOST]
    assert runner.run().succeeded
    assert backend.seen[:3] == ["n", "n", "n"]
    assert [event.kind for event in project.events].count(EventKind.RETRY) == 2


def test_a_worker_lost_too_often_is_a_failure(project: Project) -> None:
    runner, backend = runner_of(one_number(project), project, Policy(retries=1))
    backend.outcomes["n"] = [LOST, LOST, LOST]
    summary = runner.run()
    assert [failure.attempts for failure in summary.failures] == [2]


def test_a_step_that_ended_its_process_is_not_tried_again(project: Project) -> None:
    runner, backend = runner_of(one_number(project), project)
    backend.outcomes["n"] = [Outcome(status=Status.LOST, error="exit code 3", again=False)]
    assert len(runner.run().failures) == 1
    assert backend.seen == ["n"]


def test_a_node_that_waits_in_a_queue_has_started_when_its_backend_says_so(project: Project) -> None:
    prepared = project.prepare(project.write(STEPS).study({"n": ("number", None, {"value": 1})}))
    runner, backend = runner_of(prepared, project)
    backend.queued.add("n")
    backend.hold.add("n")
    fingerprint = prepared.expansion.named("n")[0].fingerprint
    told: list[EventKind] = []

    def tell(event: Event) -> None:
        if event.name == "n":
            told.append(event.kind)
            if event.kind is EventKind.QUEUED:
                backend.tell(Progress(fingerprint, 0.0, None, "", starts=True))
                backend.tell(Progress(fingerprint, 0.0, None, "", starts=True))
            if event.kind is EventKind.STARTED:
                backend.pending[fingerprint].set_result(Outcome(status=Status.FAILED, error="x"))

    runner.tell = tell
    runner.run()
    assert told == [EventKind.QUEUED, EventKind.STARTED, EventKind.FAILED]


def test_a_result_that_comes_before_the_news_of_its_start_started_first(project: Project) -> None:
    prepared = project.prepare(project.write(STEPS).study({"n": ("number", None, {"value": 1})}))
    runner, backend = runner_of(prepared, project)
    backend.queued.add("n")
    backend.outcomes["n"] = [Outcome(status=Status.LOST, error="gone"), Outcome(status=Status.FAILED, error="x")]
    runner.run()
    told = [event.kind for event in project.events if event.name == "n"]
    assert told == [EventKind.RETRY, EventKind.STARTED, EventKind.FAILED]


def test_a_node_that_overruns_its_walltime_is_cancelled(project: Project) -> None:
    study = project.write(STEPS).study({"n": ("number", None, {"value": 1}, {"walltime_s": 5.0})})
    runner, backend = runner_of(project.prepare(study), project)
    backend.hold.add("n")
    summary = runner.run()
    assert "walltime of 5 s" in summary.failures[0].outcome.error


def test_asked_to_stop_the_runner_starts_nothing_more_and_lets_running_nodes_reach_a_checkpoint(
    project: Project,
) -> None:
    study = project.write(STEPS).study({"n": ("number", None, {"value": 1}), "d": ("double", "n")})
    runner, backend = runner_of(project.prepare(study), project)
    backend.hold.add("n")
    runner.tell = lambda event: runner.interrupt() if event.kind is EventKind.STARTED else None
    summary = runner.run()
    assert summary.interrupted
    assert backend.seen == ["n"]
    assert [node.name for node in summary.stopped] == ["n"]


def test_what_another_run_computes_is_waited_for(project: Project) -> None:
    prepared = one_number(project)
    (node,) = prepared.plan.todo[:1]
    held = prepared.store.lease(node.fingerprint)
    runner, backend = runner_of(prepared, project)
    other = InlineBackend(store=prepared.store, logs=prepared.workplace.etude / "logs")
    waited = 0

    def tell(event: object) -> None:
        nonlocal waited
        project.events.append(event)  # type: ignore[arg-type]
        if event.kind is EventKind.WAITING:  # type: ignore[attr-defined]
            waited += 1
            from etude.execute.task import task_of

            other.submit(task_of(node, {}, {}))
            held.release()  # type: ignore[union-attr]

    runner.tell = tell
    summary = runner.run()
    assert waited == 1
    assert "n" not in backend.seen
    assert node.fingerprint in summary.reused


def test_a_result_that_goes_missing_during_the_run_is_computed_again(project: Project) -> None:
    study = project.write(STEPS).study(
        {"n": ("number", None, {"value": 1}), "d": ("double", "n"), "e": ("double", "d")}
    )
    project.run(study, until=("d",))
    prepared = project.prepare(study)
    (inner,) = prepared.expansion.named("d")
    prepared.store.quarantine(inner.fingerprint, "for the test")
    result = Execution(prepared, Options(), project.events.append).run()
    assert result.succeeded
    assert result.value("e") == 4
    assert project.calls() == ["number1", "double1", "double1", "double2"]


def test_early_cut_off_adopts_the_old_result(project: Project) -> None:
    study = project.write(STEPS).study({"n": ("number", None, {"value": 1}), "d": ("double", "n")})
    project.run(study)
    project.write(STEPS.replace("return value", "return value + 0"))
    result = project.run(study)
    assert project.calls() == ["number1", "double1", "number1"]
    assert result.value("d") == 2
    assert [event.kind for event in project.events if event.name == "d"] == [EventKind.REUSED]


def test_a_forced_node_that_gives_other_bytes_takes_its_readers_with_it(project: Project) -> None:
    code = (
        CALLED
        + """
@step(deterministic=False)
def draw() -> int:
    called("draw")
    return len((Path(__file__).parent / "calls.log").read_text().split())

@step
def double(number: int) -> int:
    called("double")
    return 2 * number
"""
    )
    study = project.write(code).study({"n": ("draw",), "d": ("double", "n")})
    assert project.run(study).value("d") == 2
    result = project.run(study, rerun=("n",))
    assert project.calls() == ["draw", "double", "draw", "double"]
    assert result.value("d") == 6


def test_a_forced_node_that_gives_the_same_bytes_leaves_its_readers_alone(project: Project) -> None:
    study = project.write(STEPS).study({"n": ("number", None, {"value": 1}), "d": ("double", "n")})
    project.run(study)
    project.run(study, rerun=("n",))
    assert project.calls() == ["number1", "double1", "number1"]


def test_only_what_a_node_needs_runs_until_it(project: Project) -> None:
    study = project.write(STEPS).study(
        {"n": ("number", None, {"value": 1}), "d": ("double", "n"), "e": ("double", "d")}
    )
    project.run(study, until=("d",))
    assert project.calls() == ["number1", "double1"]


def test_a_summary_of_nothing_is_a_success() -> None:
    assert RunSummary().succeeded


def test_a_step_that_failed_is_not_run_again_when_the_run_starts_over_for_a_damaged_input(project: Project) -> None:
    pipeline = {
        "m": ("number", None, {"value": 1}),
        "bad": ("fail", "m"),
        "after": ("double", "bad"),
        "n": ("number", None, {"value": 4}),
        "d": ("double", "n"),
    }
    prepared = project.prepare(project.write(STEPS).study(pipeline))
    names = {name: prepared.expansion.named(name)[0].fingerprint for name in ("n", "after", "records")}
    spoiled = []

    def spoil(event: Event) -> None:
        if event.kind is EventKind.DONE and event.name == "n" and not spoiled:
            spoiled.append(event)
            (prepared.store.folder(names["n"]) / "manifest.json").unlink()

    result = Execution(prepared, Options(), spoil).run()
    assert sorted(project.calls()) == ["double4", "fail", "number1", "number4", "number4"]
    assert [failure.node.name for failure in result.summary.failures] == ["bad"]
    assert result.summary.blocked.keys() == {names["after"], names["records"]}


def test_attempts_are_numbered_from_one_in_the_events_the_call_and_the_cost(project: Project) -> None:
    prepared = project.write(STEPS).prepare(project.study({"n": ("number", None, {"value": 1})}))
    runner, backend = runner_of(prepared, project)
    backend.outcomes["n"] = [LOST]
    calls: list[int] = []
    backend.on_submit = lambda call: calls.append(call.attempt) if call.name == "n" else None
    summary = runner.run()
    told = [
        (event.kind, event.data["attempt"]) for event in project.events if event.name == "n" and "attempt" in event.data
    ]
    assert told == [(EventKind.STARTED, 1), (EventKind.RETRY, 1), (EventKind.STARTED, 2)]
    assert calls == [1, 2]
    assert summary.computed[prepared.plan.actions[0].node.fingerprint].cost["attempts"] == 2


def test_a_success_without_a_stored_result_is_tried_again_and_then_a_failure(project: Project) -> None:
    prepared = project.write(STEPS).prepare(
        project.study({"n": ("number", None, {"value": 1}), "d": ("double", "n", {})})
    )
    runner, backend = runner_of(prepared, project, Policy(retries=1))
    backend.outcomes["n"] = [Outcome(status=Status.DONE)] * 2
    summary = runner.run()
    assert backend.seen == ["n", "n"]
    assert not summary.computed
    assert [(failure.outcome.error, failure.attempts) for failure in summary.failures] == [
        ("its worker says that it is done and has stored no result", 2)
    ]
    assert not summary.succeeded
