"""The backends of one machine, held to the contract of all backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend_contract import STEPS, BackendContract, Make, SupervisedContract, calls_of
from etude.execute.backend import Progress
from etude.execute.call import Status
from etude.execute.inline import InlineBackend
from etude.execute.processes import Machine, ProcessBackend
from etude.graph.importing import import_path
from etude.graph.pipeline import Needs
from etude.study.prepare import Prepared
from projects import Project, environment


class TestInline(BackendContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda prepared: InlineBackend(prepared.store, prepared.workplace.etude / "logs")

    def test_a_step_that_checks_can_be_stopped(self, make: Make, project: Project) -> None:
        prepared = project.write(STEPS).prepare(project.study({"it": ("wait_for", None, {"path": "/nowhere"})}))
        backend = make(prepared)
        backend.interrupt()
        assert backend.submit(calls_of(prepared)["it"]).result().status is Status.STOPPED


class TestProcesses(SupervisedContract):
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

    def test_a_node_of_several_processes_is_computed_by_all_and_stored_by_one(
        self, make: Make, project: Project
    ) -> None:
        pipeline = {"it": ("ranked", None, {"name": "x"}, {"processes": 2})}
        prepared = project.write(STEPS).prepare(project.study(pipeline))
        call = calls_of(prepared)["it"]
        outcome = make(prepared).submit(call).result(timeout=60)
        assert outcome.status is Status.DONE, outcome
        assert prepared.store.read(call.fingerprint)["WORLD_SIZE"] == "2"
        assert {path.name for path in (project.folder / "ranks").iterdir()} == {"0", "1"}

    def test_a_process_of_several_that_dies_ends_the_others(self, make: Make, project: Project) -> None:
        pipeline = {"it": ("one_dies", None, {"rank": "1"}, {"processes": 2})}
        prepared = project.write(STEPS).prepare(project.study(pipeline))
        outcome = make(prepared).submit(calls_of(prepared)["it"]).result(timeout=60)
        assert (outcome.status, outcome.again) == (Status.LOST, True)
        assert "one of its 2 processes" in outcome.error
