"""How busy one driver keeps 1,920 workers: the real driver on a virtual clock, with what proposals cost injected.

    python benchmarks/search_utilisation.py [--methods gp ...]

What is real: the driver, its event log, its pool of proposals drawn ahead. What is not: time (trials last lognormal
seconds of a virtual clock) and the sampler (points are random; a proposal takes as long as one of the named sampler
did, measured here after 1,000 results). The driver's own work and the writing of its log are measured as well and
added to each proposal, as if one core did it all.

The published figures (Egele et al. 2023, arXiv 2207.00479: 1,920 workers, three hours, 0.267 with a central optimiser
and 0.990 with one for each worker) are reproduced with the times that their counts of evaluations imply. Central: a
proposal takes 10,800 s / 6,055 = 1.78 s, an evaluation 914 s. Decentral: an evaluation takes 702 s, and each worker
draws its own proposals, 1.78 s each.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from search_latency import latencies
from tables import Table, as_markdown, on_terminal

from etude.search.driver import SearchDriver
from etude.search.evaluation import Ending
from etude.search.log_sampler import LogSampler
from etude.search.sampler import TrialResult
from etude.search.samplers.factory import make
from etude.search.simulate import Course, SimulatedEvaluator, SimulatedProposals, VirtualClock
from etude.search.space import Float, Point, Space
from etude.search.spec import Limits
from etude.search.trial_events import Begun
from etude.search.trial_log import MemoryLog, TrialLog
from etude.search.trials import Goal, Trial, TrialOutcome

SPACE: Final = Space({f"x{index}": Float(0.0, 1.0) for index in range(15)})
GOAL: Final = Goal(metrics=("loss",), directions=("minimize",))
PUBLISHED: Final = {40: (0.978, 0.972), 160: (0.983, 0.990), 640: (0.728, 0.992), 1_920: (0.267, 0.990)}
"""Workers → utilisation with a central optimiser, and with one for each worker."""
SIGMA: Final = float(np.sqrt(np.log1p(0.5**2)))
"""Of the logarithm of a trial's seconds: they deviate by half their mean."""
PUBLISHED_SUGGEST_S: Final = 10_800 / 6_055
PUBLISHED_CENTRAL_S: Final = 0.267 * 1_920 * 10_800 / 6_055
PUBLISHED_DECENTRAL_S: Final = 0.990 * 1_920 * 10_800 / 29_222


def utilisation(
    workers: int,
    mean_s: float,
    suggest_s: Callable[[int], float],
    horizon_s: float,
    *,
    ahead: int | None = None,
    log: TrialLog | None = None,
) -> tuple[float, int, float]:
    """The busy share of workers up to the horizon, finished trials, and the driver's own CPU seconds for each trial."""
    clock, sampler = VirtualClock(), Timed()
    mu = float(np.log(mean_s) - 0.5 * SIGMA**2)

    def course(trial: Trial) -> Course:
        lasting = float(np.random.default_rng((5, workers, trial.number)).lognormal(mu, SIGMA))
        return Course(lasting, Ending(outcome=TrialOutcome.OK, values=(1.0,)))

    replica = LogSampler(sampler=sampler, goal=GOAL)
    begun = Begun(
        study="made", space=SPACE.as_json(), goal=GOAL.as_json(), seed=0, sampler="random", settings={}, at_s=0.0
    )
    driver = SearchDriver(
        log=log or MemoryLog(),
        begun=begun,
        goal=GOAL,
        limits=Limits(trials=10**9, workers=workers, timeout_s=horizon_s, ahead=ahead),
        evaluator=SimulatedEvaluator(course=course, clock=clock),
        make_source=lambda wake: SimulatedProposals(replica, clock, wake, suggest_s),
        clock=clock,
        wall=clock.now,
    )
    began = time.process_time()
    history = driver.run()
    own = time.process_time() - began - sampler.spent
    busy, done = 0.0, 0
    for trial in history.trials.values():
        if trial.started_s is not None and trial.started_s < horizon_s:
            busy += min(trial.ended_s if trial.ended_s is not None else horizon_s, horizon_s) - trial.started_s
            done += trial.outcome is TrialOutcome.OK
    return busy / (workers * horizon_s), done, own / max(len(history.trials), 1)


class Timed:
    """The random sampler, with its own seconds counted: they are not the driver's."""

    def __init__(self) -> None:
        self._inner = make("random", SPACE, GOAL, 0)
        self.spent = 0.0

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Nothing is learnt."""

    def pend(self, number: int, point: Point) -> None:
        """Nothing is kept."""

    def ask(self, number: int) -> Point:
        """A random point."""
        began = time.process_time()
        point = self._inner.ask(number)
        self.spent += time.process_time() - began
        return point


def log_seconds(folder: Path, writes: int = 200) -> float:
    """What a trial's three events cost in lines that are on disk before anything follows: seconds, with a quiet disk.

    The tenth part of single writes that took least time stands for a machine on which nobody else writes.
    """
    spent = []
    with (folder / "events.jsonl").open("ab", buffering=0) as file:
        for _ in range(writes):
            began = time.perf_counter()
            file.write(b"x" * 300 + b"\n")
            os.fsync(file.fileno())
            spent.append(time.perf_counter() - began)
    return 3.0 * float(np.percentile(spent, 10))


def published() -> Table:
    """The simulator against published figures."""
    table = Table(
        "Utilisation over three hours: published, and by this simulator with the published times",
        ("workers", "central, published", "central", "decentral, published", "decentral"),
        "Times are inferred from the counts at 1,920 workers; the other sizes follow.",
    )
    alone, _, _ = utilisation(1, PUBLISHED_DECENTRAL_S, lambda _number: PUBLISHED_SUGGEST_S, 500 * 10_800, ahead=0)
    for workers, (central, decentral) in PUBLISHED.items():
        busy, _, _ = utilisation(workers, PUBLISHED_CENTRAL_S, lambda _number: PUBLISHED_SUGGEST_S, 10_800, ahead=0)
        table.row(f"{workers:,}", f"{central:.3f}", f"{busy:.3f}", f"{decentral:.3f}", f"{alone:.3f}")
    return table


def ours(costs: dict[str, np.ndarray], log_s: float) -> Table:
    """One driver process and 1,920 workers."""
    table = Table(
        "Utilisation of 1,920 workers by one driver process",
        ("proposals by", "mean per proposal", "700 s per trial", "60 s per trial"),
        "To each proposal the driver's own time is added"
        + (f", and {1e3 * log_s:.2f} ms for writing a trial's events to this disk." if log_s else "."),
    )
    for name, seconds in costs.items():
        cells = []
        for mean_s, horizon_s in ((700.0, 10_800.0), (60.0, 1_800.0)):
            _, _, own = utilisation(64, mean_s, lambda _number: 0.0, 20 * mean_s)
            cost = drawn_from(seconds + own + log_s)
            busy, done, _ = utilisation(1_920, mean_s, cost, horizon_s)
            cells.append(f"{busy:.3f} ({done:,} trials)")
        table.row(name, f"{1e3 * seconds.mean():.1f} ms", *cells)
    return table


def drawn_from(seconds: np.ndarray) -> Callable[[int], float]:
    """One of these for each proposal, at random."""
    rng = np.random.default_rng(0)
    return lambda _number: float(rng.choice(seconds))


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["gp", "tpe"])
    parser.add_argument("--ours-alone", action="store_true", help="leave out what is compared with published figures")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    show = as_markdown if given.markdown else on_terminal
    if not given.ours_alone:
        show(published())
    costs = {name: latencies(name, 1_000, 200 if name == "gp" else 20)[2] for name in given.methods}
    with tempfile.TemporaryDirectory() as folder:
        log_s = log_seconds(Path(folder))
    show(ours(costs, log_s))


if __name__ == "__main__":
    main()
