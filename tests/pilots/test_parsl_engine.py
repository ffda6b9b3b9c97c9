"""The engine itself: started from anywhere, asking nobody, moving calls and no more."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etude.cluster.profile import Profile
from etude.graph.pipeline import Needs
from etude.pilots.node_pools import pool_of
from etude.pilots.parsl_engine import HEARTBEAT_S, SILENCE_S, ParslEngine, own_addresses
from etude.pilots.providers import Scripts

pytest.importorskip("parsl")

PROFILE = Profile(name="here", scheduler="local", address="127.0.0.1")
SOURCE = Path(__file__).parent.parent.parent / "src" / "etude"

Make = Callable[..., ParslEngine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    started: list[ParslEngine] = []

    def engine(profile: Profile = PROFILE) -> ParslEngine:
        pool = pool_of(profile, Needs(), 2)
        scripts = Scripts(profile=profile, name="study", folder=tmp_path / "jobs")
        made = ParslEngine(pool=pool, profile=profile, scripts=scripts, folder=tmp_path, spec=tmp_path / "pool.spec")
        started.append(made)
        return made

    yield engine
    for made in started:
        made.close()


def executor_of(engine: ParslEngine) -> Any:
    return engine._executor


@pytest.mark.slow
def test_its_programs_need_not_be_on_path(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    engine = make()
    port, certificates = engine.start()
    assert 54000 <= port <= 55000
    assert Path(str(certificates)).stat().st_mode & 0o077 == 0
    assert engine.machines() == []


@pytest.mark.slow
def test_the_engine_is_given_its_addresses_and_asks_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("parsl.addresses.requests.get", lambda *_args, **_more: asked.append("internet"))
    for profile in (PROFILE, replace(PROFILE, scheduler="pbs", address=None)):
        make(profile).start()
    assert asked == []
    assert own_addresses(replace(PROFILE, address="10.1.2.3")) == ("10.1.2.3",)
    assert all(not address.startswith("127.") for address in own_addresses(replace(PROFILE, address=None))) or (
        own_addresses(replace(PROFILE, address=None)) == ("127.0.0.1",)
    )


@pytest.mark.slow
def test_a_worker_that_died_is_noticed_in_seconds(make: Make) -> None:
    engine = make()
    engine.start()
    found = executor_of(engine)
    assert (found.heartbeat_period, found.heartbeat_threshold) == (HEARTBEAT_S, SILENCE_S) == (5, 20)


@pytest.mark.slow
def test_neither_the_graph_of_the_engine_nor_its_cache_is_loaded(make: Make) -> None:
    from parsl.dataflow.dflow import DataFlowKernelLoader

    make().start()
    assert DataFlowKernelLoader._dfk is None


@pytest.mark.slow
def test_a_jobs_last_words_are_its_own_and_not_those_of_another_pools_job(make: Make, tmp_path: Path) -> None:
    engine = make()
    (tmp_path / "jobs").mkdir()
    for pool, text in (
        ("gpu-4", "no such module"),
        (engine.pool.name, "no such Python"),
        (f"x-{engine.pool.name}", "x"),
    ):
        (tmp_path / "jobs" / f"parsl.{pool}.block-0.17.stderr").write_text(text)
    assert engine._last_words("0") == "no such Python"
    assert engine._last_words("1") == ""


def test_connections_are_encrypted(make: Make) -> None:
    engine = make()
    engine.start()
    assert executor_of(engine).encrypted


def test_the_engine_is_named_where_it_is_set_up_and_nowhere_else() -> None:
    allowed = {"pilots/parsl_engine.py", "pilots/providers.py"}
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name.partition(".")[0] == "parsl" for name in names):
                found.add(str(path.relative_to(SOURCE)))
    assert found == allowed
