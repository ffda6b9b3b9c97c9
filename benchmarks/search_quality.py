"""How good a search is after 200 evaluations by 8 or 64 asynchronous workers, against other engines.

    python benchmarks/search_quality.py run --methods gp "optuna tpe" --seeds 0:20
    python benchmarks/search_quality.py table

Each run is one line of `results/search_quality.jsonl`; what stands there is not run again, so the script can be stopped
at any time. Durations are lognormal and virtual: proposals take no time here (what they cost is measured, and bears on
`search_latency.py` and `search_utilisation.py`). All engines see the same durations, noise and bad luck under one seed.
A search is judged by the true loss of the point that it would hand to its user: the best one as observed.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from search_peers import PEERS, SLOW
from search_problems import PROBLEMS, Problem
from tables import Table, as_markdown, on_terminal

from etude.search.sampler import TrialResult
from etude.search.samplers.factory import make
from etude.search.space import Point
from etude.search.trials import Goal, TrialOutcome

EVALUATIONS: Final = 200
WORKERS: Final = (8, 64)
CACHE: Final = Path("results/search_quality.jsonl")
GOAL: Final = Goal(metrics=("loss",), directions=("minimize",))
SHOWN: Final = (50, 100, 150, 200)


def engine(name: str, problem: Problem, seed: int) -> Any:
    """One of étude's samplers, or a peer; `gp v1` is that of the first version."""
    if name in PEERS:
        return PEERS[name](problem.space, seed)
    name, _, version = name.partition(" v")
    return make(name, problem.space, GOAL, seed, **({"version": int(version)} if version else {}))


def search(problem: Problem, workers: int, seed: int, sampler: Any, count: int = EVALUATIONS) -> dict[str, Any]:
    """One search under a virtual clock: the true loss of the incumbent after so many evaluations, and the CPU time."""
    luck = np.random.default_rng((77, seed))
    lasting, noise, bad = luck.lognormal(0.0, 0.5, count), luck.normal(0.0, 1.0, count), luck.random(count)
    running: list[tuple[float, int]] = []
    points: list[Point] = []
    spent, clock, ended, best, truth = 0.0, 0.0, 0, np.inf, np.inf
    trace: dict[int, float] = {}
    while ended < count:
        while len(running) < workers and len(points) < count:
            number, began = len(points), time.process_time()
            points.append(sampler.ask(number))
            sampler.pend(number, points[-1])
            spent += time.process_time() - began
            heapq.heappush(running, (clock + float(lasting[number]), number))
        clock, number = heapq.heappop(running)
        loss = problem.loss(points[number])
        began = time.process_time()
        if loss is None or bad[number] < problem.bad_luck:
            sampler.tell(number, points[number], TrialResult(values=None, outcome=TrialOutcome.CRASH))
        else:
            seen = loss + problem.noise * float(noise[number])
            sampler.tell(number, points[number], TrialResult(values=(seen,), outcome=TrialOutcome.OK))
            if seen < best:
                best, truth = seen, loss
        spent += time.process_time() - began
        ended += 1
        if ended in SHOWN:
            trace[ended] = truth
    return {"loss": truth, "trace": trace, "cpu_s": spent}


def run(
    methods: Iterable[str], problems: Iterable[str], workers: Iterable[int], seeds: Iterable[int], evaluations: int
) -> None:
    """Run what is not in the cache yet, seed by seed, so that every cell has equally many at any time."""
    CACHE.parent.mkdir(exist_ok=True)
    done = {key_of(row) for row in rows()}
    for seed, crew, problem, method in itertools.product(seeds, workers, problems, methods):
        label = problem if evaluations == EVALUATIONS else f"{problem}@{evaluations}"
        key = (method, label, crew, seed)
        if key in done:
            continue
        try:
            found = search(PROBLEMS[problem], crew, seed, engine(method, PROBLEMS[problem], seed), evaluations)
        except Exception as error:  # a peer that breaks is a result too: it is told in the table, and the others go on
            if method not in PEERS:
                raise
            found = {"loss": None, "error": f"{type(error).__name__}: {error}"[:200]}
        row = {"method": method, "problem": label, "workers": crew, "seed": seed, **found}
        with CACHE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(method, problem, crew, seed, row["loss"], round(row.get("cpu_s", 0.0), 2), flush=True)


def rows() -> list[dict[str, Any]]:
    """What the cache holds."""
    if not CACHE.exists():
        return []
    return [json.loads(line) for line in CACHE.read_text(encoding="utf-8").splitlines() if line]


def key_of(row: dict[str, Any]) -> tuple[str, str, int, int]:
    """What makes two runs the same."""
    return row["method"], row["problem"], row["workers"], row["seed"]


def cells() -> dict[tuple[str, int], dict[str, dict[int, dict[str, Any]]]]:
    """(problem, workers) → method → seed → run; failures of a peer are left out."""
    found: dict[tuple[str, int], dict[str, dict[int, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows():
        if row["loss"] is not None:
            found[row["problem"], row["workers"]][row["method"]][row["seed"]] = row
    return found


def compared(ours: dict[int, float], theirs: dict[int, float]) -> tuple[int, int, float]:
    """Seeds that we win, seeds that both have run, and the two-sided p of Wilcoxon's signed-rank test."""
    from scipy.stats import wilcoxon

    seeds = sorted(ours.keys() & theirs.keys())
    apart = np.array([ours[seed] - theirs[seed] for seed in seeds])
    p = float(wilcoxon(apart).pvalue) if len(seeds) > 1 and apart.any() else 1.0
    return int((apart < 0).sum()), len(seeds), p


def mean_ranks(methods: list[str]) -> tuple[dict[str, float], int]:
    """Mean rank over the pairs of cell and seed that all of these methods have run; and how many there are."""
    from scipy.stats import rankdata

    ranks: list[Any] = []
    for by_method in cells().values():
        if any(method not in by_method for method in methods):
            continue
        shared = set.intersection(*(set(by_method[method]) for method in methods))
        ranks += [rankdata([by_method[method][seed]["loss"] for method in methods]) for seed in sorted(shared)]
    means = np.mean(ranks, axis=0) if ranks else np.full(len(methods), np.nan)
    return dict(zip(methods, map(float, means), strict=True)), len(ranks)


def rank_table(reference: str) -> Table:
    """Ranks among the methods that have run as much as the reference one, and with each other method added to them."""
    runs: dict[str, int] = defaultdict(int)
    for by_method in cells().values():
        for method, by_seed in by_method.items():
            runs[method] += len(by_seed)
    everyone = sorted(runs, key=lambda method: (-runs[method], method))
    much = [method for method in everyone if runs[method] >= runs[reference]]
    table = Table(
        "Mean rank over the pairs of problem, workers and seed that all in a row have run", ("pairs", *everyone)
    )
    for methods in [much, *([*much, method] for method in everyone if method not in much)]:
        ranks, count = mean_ranks(methods)
        if count:
            table.row(f"{count}", *(f"{ranks[method]:.2f}" if method in ranks else "–" for method in everyone))
    return table


def tables(reference: str) -> list[Table]:
    """The mean loss of each method in each cell, and how the reference method stands against each."""
    found = cells()
    made = []
    for workers in WORKERS:
        order = list(PROBLEMS)
        ran_here = {problem for problem, crew in found if crew == workers}
        names = sorted(ran_here, key=lambda name: (evaluations_of(name), order.index(name.partition("@")[0])))
        ran = {method for name in names for method, by_seed in found[name, workers].items() if by_seed}
        methods = sorted(ran, key=lambda method: (method != reference, method))
        table = Table(
            f"Loss after {EVALUATIONS} evaluations (NAME@N: N), {workers} workers: mean ± sd (seeds); lower is better",
            ("method", *names, "CPU per suggestion"),
        )
        for method in methods:
            cost = [
                one["cpu_s"] / evaluations_of(name)
                for name in names
                for one in found[name, workers].get(method, {}).values()
            ]
            shown = [summary([one["loss"] for one in found[name, workers].get(method, {}).values()]) for name in names]
            table.row(method, *shown, f"{1e3 * float(np.median(cost)):.3g} ms" if cost else "")
        made.append(table)
        versus = Table(
            f"{reference} against each, {workers} workers: seeds won of shared ones, p of Wilcoxon's signed-rank test",
            ("method", *names),
        )
        for method in methods:
            if method != reference:
                versus.row(method, *(versus_cell(found[name, workers], reference, method) for name in names))
        made.append(versus)
    return made


def evaluations_of(problem: str) -> int:
    """The evaluations of a search on a problem, told behind its name where they are not the usual number."""
    return int(problem.partition("@")[2] or EVALUATIONS)


def summary(losses: list[float]) -> str:
    """Mean ± standard deviation (count)."""
    if not losses:
        return "–"
    spread = f" ± {np.std(losses, ddof=1):.3g}" if len(losses) > 1 else ""
    return f"{np.mean(losses):.4g}{spread} ({len(losses)})"


def versus_cell(by_method: dict[str, dict[int, dict[str, Any]]], reference: str, method: str) -> str:
    """Seeds won of shared ones, and p where five or more are shared: with fewer it cannot come below 0.06."""
    ours = {seed: one["loss"] for seed, one in by_method.get(reference, {}).items()}
    theirs = {seed: one["loss"] for seed, one in by_method.get(method, {}).items()}
    won, count, p = compared(ours, theirs)
    return f"{won}/{count}" + (f", {p:.2g}" if count >= 5 else "") if count else "–"


def numbers(text: str) -> range:
    """`0:20` as a range."""
    low, _, high = text.partition(":")
    return range(int(low), int(high or int(low) + 1))


def main() -> None:
    """Run searches, or show what is in the cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    runs = commands.add_parser("run")
    runs.add_argument("--methods", nargs="+", default=["gp", *(set(PEERS) - SLOW)])
    runs.add_argument("--problems", nargs="+", default=list(PROBLEMS))
    runs.add_argument("--workers", nargs="+", type=int, default=list(WORKERS))
    runs.add_argument(
        "--evaluations", type=int, default=EVALUATIONS, help="with others, a problem is told as NAME@NUMBER"
    )
    runs.add_argument("--seeds", type=numbers, default=range(20))
    shown = commands.add_parser("table")
    shown.add_argument("--reference", default="gp")
    shown.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    if given.command == "run":
        run(given.methods, given.problems, given.workers, given.seeds, given.evaluations)
        return
    show = as_markdown if given.markdown else on_terminal
    for table in tables(given.reference):
        show(table)
    show(rank_table(given.reference))


if __name__ == "__main__":
    main()
