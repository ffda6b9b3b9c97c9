"""What a proposal costs with 1,000, 10,000 and 30,000 results in 15 mixed dimensions.

    python benchmarks/search_latency.py [--methods gp ...] [--results 1000 10000 30000] [--proposals 400]

The results are told first, with 5 % failures. Then come proposals as a busy driver draws them: one result comes in, one
proposal is drawn and pends, with 64 running at any time. The CPU time of `tell`, `ask` and `pend` together is
taken of each; refits of the model fall into it as they come. The first proposal, which fits everything from nothing as
a search that goes on does once, is told apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from search_problems import PROBLEMS
from tables import Table, as_markdown, on_terminal

from etude.search.sampler import TrialResult
from etude.search.samplers.factory import make
from etude.search.trials import Goal, TrialOutcome

RUNNING: Final = 64


def latencies(name: str, results: int, proposals: int, seed: int = 0) -> tuple[float, float, np.ndarray]:
    """Seconds of CPU: of telling one result, of the first proposal, and of each further one with its result."""
    problem = PROBLEMS["frnn15"]
    rng = np.random.default_rng(seed)
    sampler = make(name, problem.space, Goal(metrics=("loss",), directions=("minimize",)), seed)

    def told(point: object) -> TrialResult:
        loss = problem.loss(point)  # type: ignore[arg-type]
        if loss is None or rng.random() < problem.bad_luck:
            return TrialResult(values=None, outcome=TrialOutcome.CRASH)
        return TrialResult(values=(loss + problem.noise * float(rng.normal()),), outcome=TrialOutcome.OK)

    points = [problem.space.sample(rng) for _ in range(results)]
    outcomes = [told(point) for point in points]
    began = time.process_time()
    for number, (point, outcome) in enumerate(zip(points, outcomes, strict=True)):
        sampler.pend(number, point)
        sampler.tell(number, point, outcome)
    telling = (time.process_time() - began) / results
    began = time.process_time()
    sampler.ask(results)
    first = time.process_time() - began
    running: list[tuple[int, object]] = []
    spent = []
    for number in range(results, results + RUNNING + proposals):
        ended = running.pop(0) if len(running) == RUNNING else None
        outcome = told(ended[1]) if ended else None
        began = time.process_time()
        if ended and outcome:
            sampler.tell(ended[0], ended[1], outcome)  # type: ignore[arg-type]
        point = sampler.ask(number)
        sampler.pend(number, point)
        spent.append(time.process_time() - began)
        running.append((number, point))
    return telling, first, np.array(spent[RUNNING:])


def measured(methods: Sequence[str], results: Sequence[int], proposals: int) -> Table:
    """The table."""
    table = Table(
        "CPU time of a proposal, 15 dimensions, 64 running, one result between proposals",
        ("sampler", "results", "mean", "median", "p99", "longest", "first", "telling one before"),
    )
    for method in methods:
        for count in results:
            telling, first, spent = latencies(method, count, proposals)
            cells = [spent.mean(), np.median(spent), np.percentile(spent, 99), spent.max(), first]
            table.row(method, f"{count:,}", *(f"{1e3 * cell:.1f} ms" for cell in cells), f"{1e6 * telling:.0f} µs")
    return table


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["gp"])
    parser.add_argument("--results", nargs="+", type=int, default=[1_000, 10_000, 30_000])
    parser.add_argument("--proposals", type=int, default=400)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    show = as_markdown if given.markdown else on_terminal
    show(measured(given.methods, given.results, given.proposals))


if __name__ == "__main__":
    main()
