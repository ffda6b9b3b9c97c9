"""The room of searches as a whole: light to import, and its pool draws beside the driver."""

from __future__ import annotations

import queue
import subprocess
import sys

import pytest

from etude.search.log_sampler import LogSampler
from etude.search.proposals import Proposal, ThreadedProposals
from etude.search.sampler import Exhausted, TrialResult
from etude.search.samplers.factory import make
from etude.search.space import Point
from etude.search.trial_events import Asked
from search_spaces import MINIMISE, MIXED


def test_it_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "import etude.search.driver, etude.search.simulate, etude.search.spec, etude.search.samplers.factory\n"
        "import etude.search.trial_table, etude.search.replay\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"numpy", "scipy", "sklearn", "optuna", "torch", "pyarrow", "pandas"}


def drawn(pool: ThreadedProposals, woken: queue.SimpleQueue[None]) -> Proposal:
    woken.get(timeout=20)
    found = pool.take()
    assert found is not None
    return found


def test_a_proposal_comes_from_all_events_that_came_with_the_question() -> None:
    woken: queue.SimpleQueue[None] = queue.SimpleQueue()
    log_sampler = LogSampler(sampler=make("random", MIXED, MINIMISE, 3), goal=MINIMISE)
    pool = ThreadedProposals(log_sampler, lambda: woken.put(None))
    pool.start(0, [])
    first = drawn(pool, woken)
    assert first.point == make("random", MIXED, MINIMISE, 3).ask(0)
    assert pool.take() is None
    assert first.point is not None
    asked = Asked(number=0, point=first.point, origin="sampler", seen=0, driver=0, suggest_s=0.0, t=0.0)
    pool.start(1, [asked])
    assert drawn(pool, woken).seen == 1
    pool.close()


@pytest.mark.parametrize("raised", [Exhausted("all were tried"), ZeroDivisionError("no")])
def test_what_a_sampler_raises_is_told_and_not_lost_in_a_thread(raised: Exception) -> None:
    class Raising:
        def tell(self, number: int, point: Point, result: TrialResult) -> None: ...
        def pend(self, number: int, point: Point) -> None: ...
        def ask(self, number: int) -> Point:
            raise raised

    woken: queue.SimpleQueue[None] = queue.SimpleQueue()
    pool = ThreadedProposals(LogSampler(sampler=Raising(), goal=MINIMISE), lambda: woken.put(None))
    pool.start(0, [])
    found = drawn(pool, woken)
    assert found.point is None
    assert found.error is (None if isinstance(raised, Exhausted) else raised)
    pool.close()
