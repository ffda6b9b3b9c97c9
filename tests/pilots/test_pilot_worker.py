"""A worker's place on a cluster machine, with a clock of the test's own and real worker processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend_contract import STEPS, Attempted, RanksContract, calls_of
from etude import __version__
from etude.execute.node_metering import MeterSettings
from etude.execute.task import Status, Task
from etude.graph.importing import import_path
from etude.graph.pipeline import Needs
from etude.pilots.attempt import Attempt, Cut
from etude.pilots.mailbox import Mailbox
from etude.pilots.pilot_spec import PilotSpec, write_snapshot
from etude.pilots.pilot_worker import PilotWorker, running_lease, share
from etude.store.lease import Lease
from etude.study.prepare import PreparedStudy
from projects import Project, environment


class Place:
    """A pilot worker over a small project, and the call of its one node."""

    def __init__(self, project: Project, step: str, settings: dict[str, object], **on: object) -> None:
        self.prepared: PreparedStudy = project.write(STEPS).prepare(project.study({"it": (step, None, settings, on)}))
        self.call: Task = calls_of(self.prepared)["it"]
        self.call = replace(self.call, needs=Needs(**on))  # type: ignore[arg-type]
        self.mailbox = Mailbox(folder=project.folder / "mailbox")
        self.mailbox.open()
        self.prepared.store.scratch(self.call.fingerprint)
        write_snapshot(project.folder / "sources", self.prepared.expansion.library.sources())
        self.spec = PilotSpec(
            version=__version__,
            pool="cpu",
            store=str(self.prepared.workplace.store),
            logs=str(project.folder / "logs"),
            mailbox=str(self.mailbox.folder),
            import_path=import_path(project.folder),
            snapshot=str(project.folder / "sources"),
            meter=MeterSettings(),
            digests=None,
            grace_s=20.0,
            walltime_s=100.0,
        )

    def pilot_worker(self, **what: object) -> PilotWorker:
        return PilotWorker(spec=self.spec, environment=environment(), **what)  # type: ignore[arg-type]

    def news(self) -> list[dict[str, object]]:
        return list(self.mailbox.news())


def begun(place: Place, then: Callable[[], None]) -> threading.Thread:
    """Do something once the step is known to run."""

    def wait() -> None:
        while not any("done" in line for line in place.news()):
            threading.Event().wait(0.02)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at

    def to(self, at: float) -> None:
        self.at = at


def attempt(place: Place, pilot_worker: PilotWorker) -> Attempt:
    return pilot_worker.compute(place.call, "ticket")


def test_a_node_is_not_started_in_a_job_without_time_for_it(project: Project) -> None:
    place = Place(project, "number", {"value": 1}, walltime_s=50.0)
    made = attempt(place, place.pilot_worker(clock=Clock(), block_end_s=1069.0))
    assert made.cut is Cut.NO_TIME
    assert place.prepared.store.inspect(place.call.fingerprint) is None
    assert attempt(place, place.pilot_worker(clock=Clock(), block_end_s=1071.0)).outcome.status is Status.DONE


def test_a_step_is_warned_before_its_job_ends_and_leaves_a_checkpoint(project: Project) -> None:
    place, clock = Place(project, "wait_for", {"path": "/nowhere"}), Clock()
    begun(place, lambda: clock.to(1081.0))
    made = attempt(place, place.pilot_worker(clock=clock, block_end_s=1100.0))
    assert (made.outcome.status, made.cut) == (Status.STOPPED, Cut.BLOCK_END)
    assert (place.prepared.store.scratch(place.call.fingerprint) / "checkpoint").read_text() == "half"


def test_a_worker_that_was_asked_to_stop_computes_no_further_node(project: Project) -> None:
    place, clock = Place(project, "wait_for", {"path": str(project.folder / "go")}), Clock()
    begun(place, lambda: clock.to(1081.0))
    pilot_worker = place.pilot_worker(clock=clock, block_end_s=1100.0)
    assert attempt(place, pilot_worker).outcome.status is Status.STOPPED
    clock.to(1000.0)
    (project.folder / "go").touch()
    assert attempt(place, pilot_worker).outcome.status is Status.DONE


def test_a_step_that_does_not_heed_the_warning_is_ended_just_before_its_job(project: Project) -> None:
    place, clock = Place(project, "deaf", {"path": "/nowhere"}), Clock()
    begun(place, lambda: clock.to(1096.0))
    made = attempt(place, place.pilot_worker(clock=clock, block_end_s=1100.0))
    assert (made.outcome.status, made.cut) == (Status.LOST, Cut.BLOCK_END)
    assert made.whole_block, "another job would give it no more time"


def test_the_walltime_of_a_node_is_counted_from_when_it_began(project: Project) -> None:
    place, clock = Place(project, "deaf", {"path": "/nowhere"}, walltime_s=5.0), Clock()
    begun(place, lambda: clock.to(1005.1))
    made = attempt(place, place.pilot_worker(clock=clock))
    assert made.outcome.error == "it ran longer than its walltime of 5 s"
    assert not made.outcome.again
    assert made.cut is None


def test_a_running_node_is_cancelled_by_an_order_and_its_worker_is_free_again(project: Project) -> None:
    place = Place(project, "deaf", {"path": "/nowhere"})
    begun(place, lambda: place.mailbox.order_cancel("ticket", "not wanted any more"))
    pilot_worker = place.pilot_worker()
    made = attempt(place, pilot_worker)
    assert (made.outcome.error, made.outcome.again) == ("not wanted any more", False)
    other = Place(project, "number", {"value": 3})
    assert pilot_worker.compute(other.call, "another").outcome.status is Status.DONE


def test_a_machine_that_its_scheduler_wants_back_lets_the_step_write_a_checkpoint(
    project: Project, tmp_path: Path
) -> None:
    place = Place(project, "wait_for", {"path": "/nowhere"})
    begun(place, (tmp_path / "term").touch)
    made = attempt(place, place.pilot_worker(busy=tmp_path))
    assert (made.outcome.status, made.cut) == (Status.STOPPED, Cut.BLOCK_END)


def test_a_seat_shows_that_it_is_busy_while_a_step_runs(project: Project, tmp_path: Path) -> None:
    place = Place(project, "wait_for", {"path": str(tmp_path / "go")})
    seen: list[str] = []

    def look() -> None:
        seen.extend(path.name for path in tmp_path.iterdir())
        (tmp_path / "go").touch()

    thread = begun(place, look)
    attempt(place, place.pilot_worker(busy=tmp_path))
    thread.join(10)
    assert any(name.startswith("busy-") for name in seen)
    assert [path.name for path in tmp_path.glob("busy-*")] == []


def test_workers_share_out_the_gpus_that_the_scheduler_granted_in_the_order_of_their_ranks() -> None:
    granted = ("GPU-6", "GPU-7", "GPU-2", "GPU-3")
    assert [share(granted, rank, 2) for rank in range(2)] == [("GPU-6", "GPU-7"), ("GPU-2", "GPU-3")]
    assert share(granted, 2, 2) is None
    assert share((), 3, 0) == ()


def test_a_worker_sees_the_granted_gpu_of_its_rank_and_no_other(project: Project) -> None:
    place = Place(project, "surroundings", {})
    place.spec = replace(place.spec, gpus=1)
    pilot_worker = place.pilot_worker(rank=1)
    pilot_worker.environment = {**pilot_worker.environment, "CUDA_VISIBLE_DEVICES": "GPU-uuid6,GPU-uuid7"}
    made = attempt(place, pilot_worker)
    assert made.devices == ("GPU-uuid7",)
    assert place.prepared.store.read(place.call.fingerprint)["CUDA_VISIBLE_DEVICES"] == "GPU-uuid7"


def test_a_job_that_was_granted_too_few_gpus_says_so(project: Project) -> None:
    place = Place(project, "surroundings", {})
    place.spec = replace(place.spec, gpus=2)
    pilot_worker = place.pilot_worker()
    pilot_worker.environment = {**pilot_worker.environment, "CUDA_VISIBLE_DEVICES": "GPU-1"}
    made = attempt(place, pilot_worker)
    assert made.outcome.status is Status.LOST
    assert "needs 2 GPU(s) and its job was granted GPU-1" in made.outcome.error


def test_a_node_that_a_worker_of_a_driver_that_is_gone_still_computes_is_left_to_it(project: Project) -> None:
    place = Place(project, "number", {"value": 1})
    lease = place.prepared.store.lease(running_lease(place.call.fingerprint))
    assert isinstance(lease, Lease)
    with lease:
        assert attempt(place, place.pilot_worker()).cut is Cut.ELSEWHERE
    assert attempt(place, place.pilot_worker()).outcome.status is Status.DONE


def test_workers_import_the_sources_as_they_were_at_submission(project: Project) -> None:
    place = Place(project, "number", {"value": 5})
    module = project.folder / f"{project.module}.py"
    module.write_text(module.read_text().replace("return value", "return -1"))
    assert attempt(place, place.pilot_worker()).outcome.status is Status.DONE
    assert place.prepared.store.read(place.call.fingerprint) == 5


def test_workers_import_a_module_that_was_deleted_after_submission(project: Project) -> None:
    place = Place(project, "number", {"value": 6})
    (project.folder / f"{project.module}.py").unlink()
    assert attempt(place, place.pilot_worker()).outcome.status is Status.DONE


class TestRanksOfAJob(RanksContract):
    @pytest.fixture
    def attempt(self, project: Project) -> Callable[..., Attempted]:
        def attempt_(step: str, settings: dict[str, object], size: int) -> Attempted:
            place = Place(project, step, settings, processes=size)
            place.spec = replace(place.spec, processes=size)
            return attempt(place, place.pilot_worker()).outcome, place.prepared, place.call

        return attempt_


def together(project: Project, *steps: tuple[str, dict[str, object]]) -> tuple[Place, list[tuple[str, Task]]]:
    """Nodes that come to a worker in one message."""
    place = Place(project, "number", {"value": 0})
    nodes = {f"n{i}": (step, None, settings) for i, (step, settings) in enumerate(steps)}
    prepared = project.prepare(project.study(nodes))
    calls = calls_of(prepared)
    return place, [(name, calls[name]) for name in nodes]


def test_nodes_that_come_together_are_computed_in_turn(project: Project) -> None:
    place, calls = together(project, *(("number", {"value": value}) for value in range(1, 5)))
    pilot_worker = place.pilot_worker(clock=Clock())
    made = pilot_worker.compute_all(calls)
    assert [made[ticket].outcome.status for ticket, _ in calls] == [Status.DONE] * 4
    assert pilot_worker.compute(place.call, "alone").outcome.status is Status.DONE


def test_a_node_that_takes_long_holds_up_neither_those_before_it_nor_those_behind_it(project: Project) -> None:
    go = project.folder / "go"
    place, calls = together(
        project,
        ("number", {"value": 1}),
        ("wait_for", {"path": str(go)}),
        ("number", {"value": 2}),
        ("number", {"value": 3}),
    )
    told: list[dict[str, object]] = []

    def wait() -> None:
        while sum("attempt" in line for line in told) < 3:
            told.extend(place.news())
            threading.Event().wait(0.02)
        go.touch()

    thread = threading.Thread(target=wait, daemon=True)
    pilot_worker = place.pilot_worker()
    pilot_worker.compute(place.call, "warm")
    thread.start()
    made = pilot_worker.compute_all(calls)
    thread.join()
    assert [made[ticket].outcome.status for ticket in ("n0", "n1")] == [Status.DONE] * 2
    assert [made[ticket].cut for ticket in ("n2", "n3")] == [Cut.NOT_BEGUN] * 2
    assert {line["ticket"] for line in told if "attempt" in line} == {"n0", "n2", "n3"}
    lease = place.prepared.store.lease(running_lease(calls[2][1].fingerprint))
    assert isinstance(lease, Lease), "another worker may have it"


def test_a_node_that_takes_its_process_down_gives_back_those_behind_it(project: Project) -> None:
    place, calls = together(project, ("number", {"value": 1}), ("vanish", {"code": 3}), ("number", {"value": 2}))
    made = place.pilot_worker(clock=Clock()).compute_all(calls)
    assert made["n0"].outcome.status is Status.DONE
    assert (made["n1"].outcome.status, made["n1"].cut) == (Status.LOST, None)
    assert made["n2"].cut is Cut.NOT_BEGUN
