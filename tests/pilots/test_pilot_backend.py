"""The parsl backend, held to the contract of all backends, on the engine's real local provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from backend_contract import Make, SupervisedContract
from etude.config.cluster import read_profile
from etude.execute.backend import Progress
from etude.graph.importing import import_path
from etude.graph.pipeline import Needs
from etude.pilots.pilot_backend import PilotBackend
from etude.study.prepare import PreparedStudy
from projects import environment

pytest.importorskip("parsl")


@pytest.mark.slow
class TestParsl(SupervisedContract):
    @pytest.fixture
    def backends(self) -> Iterator[list[PilotBackend]]:
        started: list[PilotBackend] = []
        yield started
        for backend in started:
            backend.close()

    @pytest.fixture
    def make(self, backends: list[PilotBackend]) -> Make:
        def make(prepared: PreparedStudy, tell: Callable[[Progress], None] = lambda _: None) -> PilotBackend:
            profile = replace(read_profile("local", prepared.study.project), cpus=2)
            backend = PilotBackend(
                profile=profile,
                store=prepared.workplace.store,
                logs=prepared.workplace.etude / "logs",
                folder=prepared.workplace.etude / "runs" / "one" / "cluster",
                study=prepared.study.name,
                import_path=import_path(prepared.study.project),
                sources=prepared.expansion.library.sources(),
                tell=tell,
                environment=environment(),
            )
            backends.append(backend)
            return backend

        return make

    def test_more_is_refused_than_a_job_of_the_profile_has(self, make: Make, project) -> None:  # type: ignore[no-untyped-def]
        backend = make(project.write("").prepare(project.study({})))
        assert "'local' asks for none" in str(backend.refuses(Needs(gpus=1)))
        assert "may take 2 h" in str(backend.refuses(Needs(walltime_s=7200.0)))
        assert backend.refuses(Needs(login=True)) is None
