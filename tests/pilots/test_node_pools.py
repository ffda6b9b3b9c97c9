"""Which nodes share jobs, which can never run, and how many jobs there should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.cluster.profile import Profile
from etude.graph.pipeline import Needs
from etude.pilots.node_pools import block_profile, blocks_to_ask_for, blocks_to_give_back, longest_s, pool_of, refusal

PROFILE = Profile(
    name="site", scheduler="slurm", walltime_s=7200.0, grace_s=120.0, cpus=16, gpus=4, memory_bytes=64 * 10**9, nodes=2
)


def test_nodes_of_like_needs_share_jobs_and_those_of_others_do_not() -> None:
    assert pool_of(PROFILE, Needs(walltime_s=100.0)) == pool_of(PROFILE, Needs(walltime_s=800.0))
    others = [Needs(), Needs(gpus=1), Needs(cpus=4), Needs(walltime_s=800.0), Needs(walltime_s=3000.0), Needs(nodes=2)]
    assert len({pool_of(PROFILE, needs).name for needs in others}) == len(others)


@pytest.mark.parametrize(
    ("needs", "workers"),
    [
        (Needs(), 16),
        (Needs(cpus=5), 3),
        (Needs(gpus=1), 4),
        (Needs(gpus=3), 1),
        (Needs(gpus=1, cpus=8), 2),
        (Needs(memory_bytes=30 * 10**9), 2),
    ],
)
def test_as_many_nodes_run_on_a_machine_as_its_cores_memory_and_gpus_allow(needs: Needs, workers: int) -> None:
    pool = pool_of(PROFILE, needs)
    assert pool.workers == workers
    assert pool.per_block == 2 * workers


def test_no_more_nodes_run_on_a_machine_than_the_profile_says() -> None:
    assert pool_of(replace(PROFILE, workers=3), Needs()).workers == 3
    assert pool_of(replace(PROFILE, cpus=None), Needs()).workers == 1


def test_jobs_for_nodes_without_gpus_ask_for_none() -> None:
    assert block_profile(PROFILE, pool_of(PROFILE, Needs())).gpus == 0
    assert block_profile(PROFILE, pool_of(PROFILE, Needs(gpus=1))).gpus == 4


def test_a_node_of_several_machines_has_a_job_of_its_own() -> None:
    pool = pool_of(PROFILE, Needs(nodes=3, processes=6))
    assert (pool.machines, pool.per_block) == (3, 1)
    assert block_profile(PROFILE, pool).nodes == 3


@given(st.floats(1.0, 7000.0))
def test_the_time_of_a_pool_is_enough_for_its_nodes_and_leaves_a_job_able_to_take_them(walltime_s: float) -> None:
    if refusal(PROFILE, Needs(walltime_s=walltime_s)) is None:
        pool = pool_of(PROFILE, Needs(walltime_s=walltime_s))
        assert walltime_s <= pool.time_s <= longest_s(PROFILE)


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (Needs(gpus=5), "5 GPU(s)"),
        (Needs(cpus=17), "17 cores"),
        (Needs(memory_bytes=65 * 10**9), "65.0 GB"),
        (Needs(walltime_s=7100.0), "may take 1 h 58 min"),
        (Needs(nodes=2, processes=3), "shared out evenly"),
    ],
)
def test_what_can_never_run_is_refused_with_what_the_profile_has(needs: Needs, told: str) -> None:
    assert told in str(refusal(PROFILE, needs))


def test_what_fits_is_not_refused() -> None:
    assert refusal(PROFILE, Needs(gpus=4, cpus=16, memory_bytes=64 * 10**9, walltime_s=7020.0)) is None
    assert "asks for none" in str(refusal(replace(PROFILE, gpus=0), Needs(gpus=1)))
    assert "has one" in str(refusal(replace(PROFILE, scheduler="sge"), Needs(nodes=2)))


counts = st.integers(0, 500)


@given(counts, counts, st.integers(0, 20), st.integers(1, 16), st.integers(0, 5), st.integers(5, 20))
def test_never_more_jobs_than_allowed_and_never_fewer_than_kept(
    waiting: int, running: int, alive: int, per_block: int, least: int, most: int
) -> None:
    asked = blocks_to_ask_for(
        waiting=waiting, running=running, alive=alive, per_block=per_block, least=least, most=most
    )
    assert asked >= 0
    assert alive + asked <= max(alive, most)
    assert alive + asked >= least
    if waiting + running > (alive + asked) * per_block:
        assert alive + asked >= most


@given(counts, st.integers(0, 20), st.integers(0, 20), st.integers(1, 16), st.integers(0, 5))
def test_what_is_given_back_is_idle_and_not_needed(load: int, idle: int, busy: int, per_block: int, least: int) -> None:
    alive = idle + busy
    given_back = blocks_to_give_back(waiting=load, running=0, idle=idle, alive=alive, per_block=per_block, least=least)
    assert 0 <= given_back <= idle
    if given_back:
        assert (alive - given_back) * per_block >= load
        assert alive - given_back >= least
