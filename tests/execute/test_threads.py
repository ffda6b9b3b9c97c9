"""How many threads libraries use: what the node asks for, or less where the user's environment says so."""

from __future__ import annotations

import os

import pytest

from etude.execute.process_group import cpus_of_rank
from etude.execute.threads import COUNTS, LoadedLibraries, thread_count, thread_variables
from etude.graph.pipeline import Needs


@pytest.mark.parametrize(
    ("cpus", "said", "threads"),
    [(1, None, 1), (4, None, 4), (4, "1", 1), (1, "8", 1), (4, "2,1", 2), (4, "", 4), (4, "many", 4), (4, "0", 4)],
)
def test_the_smaller_of_what_the_node_and_the_environment_say_holds(cpus: int, said: str | None, threads: int) -> None:
    environment = {} if said is None else {"OMP_NUM_THREADS": said}
    assert thread_count(cpus, environment) == threads
    assert thread_variables(cpus, environment)["MKL_NUM_THREADS"] == str(threads)


def test_what_the_user_has_set_stays() -> None:
    added = thread_variables(4, {"MKL_NUM_THREADS": "3", "OMP_WAIT_POLICY": "ACTIVE"})
    assert "MKL_NUM_THREADS" not in added
    assert not added.keys() & {"OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT"}
    assert added.keys() == set(COUNTS) - {"MKL_NUM_THREADS"}


def test_idle_threads_sleep() -> None:
    added = thread_variables(2, {})
    assert (added["OMP_WAIT_POLICY"], added["KMP_BLOCKTIME"], added["GOMP_SPINCOUNT"]) == ("PASSIVE", "0", "0")


@pytest.mark.parametrize(("needs", "each"), [((4, 4, 1), 1), ((8, 4, 2), 4), ((1, 4, 1), 1), ((6, 1, 1), 6)])
def test_the_processes_of_a_node_share_its_cores(needs: tuple[int, int, int], each: int) -> None:
    cpus, processes, nodes = needs
    assert cpus_of_rank(Needs(cpus=cpus, processes=processes, nodes=nodes)) == each


def test_libraries_that_are_loaded_already_are_limited_and_get_their_threads_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    threadpoolctl = pytest.importorskip("threadpoolctl")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    libraries = LoadedLibraries()
    try:
        with libraries.limited(2):
            assert torch.get_num_threads() == 2
            assert os.environ["OMP_NUM_THREADS"] == "2"
            assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} <= {1, 2}
        libraries.restore()
        assert "OMP_NUM_THREADS" not in os.environ
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_step_that_changes_the_number_of_threads_changes_it_for_no_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COUNTS:
        monkeypatch.delenv(name, raising=False)
    libraries = LoadedLibraries()
    try:
        with libraries.limited(2):
            os.environ["OMP_NUM_THREADS"] = "64"
            del os.environ["MKL_NUM_THREADS"]
        with libraries.limited(2):
            assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("2", "2")
        with libraries.limited(3):
            assert os.environ["OMP_NUM_THREADS"] == "3"
    finally:
        libraries.restore()
    assert not os.environ.keys() & set(COUNTS)
