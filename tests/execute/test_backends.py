"""The backends of one machine, held to the contract of all backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend_contract import STEPS, Attempted, BackendContract, Make, RanksContract, SupervisedContract, calls_of
from etude.execute.backend import Progress
from etude.execute.devices import Machine
from etude.execute.inline_backend import InlineBackend
from etude.execute.process_backend import ProcessBackend
from etude.execute.task import Status
from etude.graph.importing import import_path
from etude.graph.pipeline import Needs
from etude.study.prepare import PreparedStudy
from projects import Project, environment


class TestInline(BackendContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda prepared, tell=lambda _: None: InlineBackend(
            store=prepared.store, logs=prepared.workplace.etude / "logs", tell=tell
        )

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
        def make(prepared: PreparedStudy, tell: Callable[[Progress], None] = lambda _: None) -> ProcessBackend:
            backend = ProcessBackend(
                machine=Machine(workers=2, cpus=4, memory_bytes=100, devices=("GPU-a", "GPU-b")),
                store=prepared.workplace.store,
                logs=prepared.workplace.etude / "logs",
                import_path=import_path(prepared.study.project),
                sources=prepared.expansion.library.sources(),
                tell=tell,
                environment=environment(),
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
        assert (seen["devices"], seen["CUDA_VISIBLE_DEVICES"]) in (
            (["cuda:0"], "GPU-a"),
            (["cuda:0", "cuda:1"], "GPU-a,GPU-b"),
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


class TestRanksOfAMachine(RanksContract):
    @pytest.fixture
    def attempt(self, project: Project) -> Iterator[Callable[..., Attempted]]:
        started: list[ProcessBackend] = []

        def attempt(step: str, settings: dict[str, object], size: int) -> Attempted:
            pipeline = {"it": (step, None, settings, {"processes": size})}
            prepared = project.write(STEPS).prepare(project.study(pipeline))
            call = calls_of(prepared)["it"]
            backend = ProcessBackend(
                machine=Machine(workers=2, cpus=4, memory_bytes=100),
                store=prepared.workplace.store,
                logs=prepared.workplace.etude / "logs",
                import_path=import_path(prepared.study.project),
                sources=prepared.expansion.library.sources(),
                environment=environment(),
            )
            started.append(backend)
            return backend.submit(call).result(timeout=60), prepared, call

        yield attempt
        for backend in started:
            backend.close()
