"""What is measured of the engine: one function a section, each giving tables as it has them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from measuring import Spread, Usage, ended, in_turns, number, slopes, start, used_by
from small_studies import arrays, chains, last_of_chain, slow_chains, write_json, write_yaml
from tables import Table

HERE = Path(__file__).parent


@dataclass(slots=True)
class Bench:
    """Where and how thoroughly to measure."""

    folder: Path
    """Scratch space; what it lies on decides what a commit costs."""
    full: bool = False
    _count: Iterator[int] = field(default_factory=itertools.count)

    def repeats(self, quick: int, full: int) -> int:
        """How often to measure."""
        return full if self.full else quick

    def fresh(self) -> Path:
        """A folder that is not there yet."""
        return self.folder / f"{next(self._count)}"


Section = Callable[[Bench], Iterator[Table]]


def subject(study: Path, *words: str) -> Usage:
    """Measure étude in a process of its own: see `subject.py`."""
    return used_by([sys.executable, HERE / "subject.py", study, *words])


def bare(*words: object) -> Usage:
    """Measure the machine without étude: see `bare.py`."""
    return used_by([sys.executable, HERE / "bare.py", *map(str, words)])


def etude(*words: str | Path) -> list[str | Path]:
    """The command line of this étude."""
    return [sys.executable, "-m", "etude.cli.main", *words]


def told(usages: list[Usage], name: str) -> list[float]:
    """One of the figures that the programs measured themselves."""
    return [float(usage.told[name]) for usage in usages]


def cpu(usages: list[Usage]) -> list[float]:
    """CPU seconds of whole processes."""
    return [usage.cpu_s for usage in usages]


def wall(usages: list[Usage]) -> list[float]:
    """Wall-clock seconds of whole processes."""
    return [usage.wall_s for usage in usages]


def warm_up(bench: Bench) -> None:
    """Have Python compile and the system read what is measured later; not measured."""
    folder = bench.fresh()
    study = write_json(chains(folder, 2, 2), folder)
    subject(study, "run", "processes")
    used_by(etude("run", study), folder)
    used_by(etude("run", "--help"))


def starting(bench: Bench) -> Iterator[Table]:
    """How soon something happens."""
    commands: dict[str, list[str | Path]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import etude": [sys.executable, "-c", "import etude"],
        "etude --version": etude("--version"),
        "etude --help": etude("--help"),
        "etude run --help": etude("run", "--help"),
    }
    found = in_turns({name: partial(used_by, words) for name, words in commands.items()}, bench.repeats(5, 21))
    table = Table("Starting", ("command", "CPU ms", "wall ms", "× of python -c pass (CPU)", "target (wall)"))
    floor = Spread.of(cpu(found["python -c pass"])).median
    for name, usages in found.items():
        spread, clock = Spread.of(cpu(usages)), Spread.of(wall(usages))
        target = "< 150" if name == "import etude" else ""
        table.row(name, spread.text(1e3), clock.text(1e3), number(spread.median / floor), target)
    yield table


def plan(bench: Bench) -> Iterator[Table]:
    """Planning: how long, how it grows, and what stored results change."""
    shapes = {"1,000": (10, 100), "10,000": (100, 100), "100,000": (1000, 100), "1,000, deep": (1, 1000)}
    if bench.full:
        shapes |= {"10,000, deep": (1, 10_000), "10,000, wide": (10_000, 1)}
    cached = "10,000, cached" if bench.full else "2,000, cached"
    shapes[cached] = (100, 100) if bench.full else (20, 100)
    cases = {}
    for name, (variants, nodes) in shapes.items():
        folder = bench.fresh()
        study = write_json(chains(folder, variants, nodes), folder)
        if name == cached:
            subject(study, "run", "inline")
        cases[name] = partial(subject, study, "plan")
    repeats = {name: bench.repeats(1, 3) if name == "100,000" else bench.repeats(3, 7) for name in cases}
    found = in_turns(cases, repeats)
    table = Table(
        "Planning",
        ("nodes", "chains × length", "CPU s", "wall s", "CPU µs/node", "peak MB", "target (wall s)"),
        "Fingerprints, the look into the store, what to run and why, in a process of its own each, the steps' code "
        "read anew. Reading the file is not in it; imports that only planning calls for are: some 0.05 s.",
    )
    targets = {"10,000": "≤ 1", "100,000": "≤ 5"}
    for name, usages in found.items():
        variants, nodes = shapes[name]
        spread = Spread.of(told(usages, "plan_cpu_s"))
        table.row(
            name,
            f"{variants:,} × {nodes:,}",
            spread.text(),
            Spread.of(told(usages, "plan_s")).text(),
            number(spread.median / (variants * nodes) * 1e6),
            number(Spread.of(told(usages, "peak_mb")).median),
            targets.get(name, ""),
        )
    yield table


def nodes(bench: Bench) -> Iterator[Table]:
    """What one more node that does nothing costs: computed for the first time, and found done."""
    small, large = (10, 50) if bench.full else (3, 9)
    length = 100
    more = (large - small) * length

    def cold(variants: int) -> tuple[Usage, Usage]:
        """A run on an empty store, and the same again when all is there."""
        folder = bench.fresh()
        study = write_json(chains(folder, variants, length), folder)
        first = subject(study, "run", "inline", f"n{length - 1}")
        expected = [last_of_chain(seed, length) for seed in range(variants)]
        assert first.told["values"] == expected, "the results are wrong"
        assert first.told["computed"] == variants * length + 1, "not everything was computed"
        again = subject(study, "run", "inline")
        assert again.told["todo"] == 0, "something was not found"
        return first, again

    def floor(variants: int) -> tuple[Usage, Usage]:
        """As many bare commits; nothing to find done."""
        usage = bare("commits", bench.fresh(), variants * length)
        return usage, usage

    cases = {
        f"{kind} {variants}": partial(measure, variants)
        for kind, measure in (("étude", cold), ("bare", floor))
        for variants in (small, large)
    }
    found = in_turns(cases, bench.repeats(3, 7))

    def per_node(kind: str, which: int, figure: Callable[[list[Usage]], list[float]]) -> Spread:
        low, high = (figure([pair[which] for pair in found[f"{kind} {variants}"]]) for variants in (small, large))
        return slopes(low, high, more)

    table = Table(
        "One more node that does nothing (inline)",
        ("", "CPU ms/node", "wall ms/node", "× of the bare commit (CPU)", "target (CPU)"),
        f"Slope between {small * length:,} and {large * length:,} nodes, whole processes, so that start-up is not in "
        "it. The bare commit is a folder with two small files put into place by one rename: see bare.py.",
    )
    lowest = per_node("bare", 0, cpu).median
    rows = (
        ("computed, empty store", "étude", 0, "≤ 1"),
        ("found done", "étude", 1, "≤ 0.1"),
        ("bare commit", "bare", 0, ""),
    )
    for name, kind, which, target in rows:
        spread, clock = per_node(kind, which, cpu), per_node(kind, which, wall)
        table.row(name, spread.text(1e3), clock.text(1e3), number(spread.median / lowest), target)
    yield table


def noop(bench: Bench) -> Iterator[Table]:
    """A whole `etude run` that finds everything done."""
    shapes = {"1 node": (1, 1), "1,000 nodes (10 variants of 100)": (10, 100), "1,000 nodes (1 variant)": (1, 1000)}
    cases: dict[str, Callable[[], Usage]] = {"python -c pass": lambda: used_by([sys.executable, "-c", "pass"])}
    for name, (variants, length) in shapes.items():
        folder = bench.fresh()
        study = chains(folder, variants, length)
        path = write_json(study, folder)
        used_by(etude("run", path), folder)
        cases[f"{name}, JSON"] = partial(used_by, etude("run", path), folder)
        if variants * length > 1:
            cases[f"{name}, YAML"] = partial(used_by, etude("run", write_yaml(study, folder)), folder)
    found = in_turns(cases, bench.repeats(3, 15))
    table = Table(
        "`etude run` of a study that is done already",
        ("study", "CPU s", "wall s"),
        "The whole process: interpreter, imports, reading the file, planning, showing where the results are.",
    )
    for name, usages in found.items():
        table.row(name, Spread.of(cpu(usages)).text(), Spread.of(wall(usages)).text())
    yield table


def processes(bench: Bench) -> Iterator[Table]:
    """The backend with worker processes, beside pools that keep nothing."""
    small, large = (200, 1200) if bench.full else (50, 250)

    def ours(backend: str, count: int) -> Usage:
        folder = bench.fresh()
        study = write_json(chains(folder, count, 1), folder)
        usage = subject(study, "run", backend)
        assert usage.told["computed"] == count + 1, "not everything was computed"
        return usage

    kinds: dict[str, Callable[[int], Usage]] = {
        "étude, processes": partial(ours, "processes"),
        "étude, inline": partial(ours, "inline"),
        "ProcessPoolExecutor, each task a bare commit": lambda count: bare("pool-commits", bench.fresh(), count),
        "ProcessPoolExecutor": lambda count: bare("pool", count),
        "loky (joblib)": lambda count: bare("loky", count),
    }
    cases = {f"{name} {count}": partial(kind, count) for name, kind in kinds.items() for count in (small, large)}
    found = in_turns(cases, bench.repeats(3, 7))

    def per_task(name: str, figure: Callable[[list[Usage]], list[float]]) -> Spread:
        return slopes(figure(found[f"{name} {small}"]), figure(found[f"{name} {large}"]), large - small)

    table = Table(
        "One more task that does nothing, two worker processes",
        ("", "CPU ms/task", "wall ms/task", "× of a bare commit in a pool (CPU)", "start-up CPU s"),
        f"Slope between {small} and {large} independent tasks, whole processes with their workers. The plain pools "
        "give back a number and keep nothing; étude leases, stores, checks and logs each result. Start-up is the "
        "smaller run less its tasks.",
    )
    reference = per_task("ProcessPoolExecutor, each task a bare commit", cpu)
    for name in kinds:
        spread = per_task(name, cpu)
        begin = Spread.of(cpu(found[f"{name} {small}"])).median - small * spread.median
        times = number(spread.median / reference.median)
        table.row(name, spread.text(1e3), per_task(name, wall).text(1e3), times, number(begin))
    yield table


def sharing(bench: Bench) -> Iterator[Table]:
    """Many runs of one study on one store at once: each node once, and no time lost."""
    runs = 8
    shapes = {"60 nodes of 0.1 s": (20, 4, 0.1), "600 nodes of nothing": (20, 31, 0.0)}
    if not bench.full:
        shapes = {"30 nodes of 0.1 s": (10, 4, 0.1), "300 nodes of nothing": (10, 31, 0.0)}
    table = Table(
        f"{runs} runs of one study on one store at once",
        ("study", "", "wall s", "CPU s, all runs", "executions", "nodes"),
        "Whole `etude run` processes, inline, started together on an empty store; then the same once more. The steps "
        "themselves count how often they run.",
    )

    def together(count: int, shape: tuple[int, int, float]) -> tuple[tuple[float, float, int], ...]:
        """Wall seconds, CPU seconds and executions of some runs at once; twice, the second time all is done."""
        folder = bench.fresh()
        path = write_json(slow_chains(folder, *shape), folder)
        found, before = [], 0
        for _ in range(2):
            usages = [ended(one) for one in [start(etude("run", path), folder) for _ in range(count)]]
            calls = (folder / "calls").stat().st_size
            found.append((max(wall(usages)), sum(cpu(usages)), calls - before))
            before = calls
        return tuple(found)

    for name, shape in shapes.items():
        cases = {count: partial(together, count, shape) for count in (1, runs)}
        found = in_turns({str(count): case for count, case in cases.items()}, bench.repeats(1, 5))
        for count, turns in found.items():
            for which, state in enumerate(("empty store", "done already")):
                clock, processor, calls = (Spread.of([turn[which][side] for turn in turns]) for side in range(3))
                what = f"{count} {'run' if count == '1' else 'runs'}, {state}"
                table.row(name, what, clock.text(), processor.text(), calls.text(), number(shape[0] * (shape[1] - 1)))
    yield table


def payloads(bench: Bench) -> Iterator[Table]:
    """Arrays of three sizes through two nodes."""
    sizes = {"1 kB": 1_000, "1 MB": 1_000_000, "100 MB": 100_000_000}
    table = Table(
        "An array made by one node, read and given back by the next",
        ("array", "", "CPU ms", "wall ms", "CPU ms over 1 kB"),
        "Two results stored, one read and checked. Bare: numpy.save, SHA-256, numpy.load, SHA-256, numpy.save, "
        "SHA-256, not waiting for the disk; étude waits for it above 1 MB. What étude takes at 1 kB is loading "
        "pyarrow for the table of records, and starting workers.",
    )

    def ours(backend: str, size: int) -> Usage:
        folder = bench.fresh()
        study = write_json(arrays(folder, size), folder)
        usage = subject(study, "run", backend)
        assert usage.told["computed"] == 3, "not everything was computed"
        return usage

    kinds: dict[str, Callable[[int], Usage]] = {
        "étude, inline": partial(ours, "inline"),
        "étude, processes": partial(ours, "processes"),
        "bare": lambda size: bare("arrays", bench.fresh(), size),
    }
    cases = {
        f"{kind} {name}": partial(measure, size) for name, size in sizes.items() for kind, measure in kinds.items()
    }
    found = in_turns(cases, bench.repeats(3, 9))
    for name in sizes:
        for kind in kinds:
            usages = found[f"{kind} {name}"]
            spread = Spread.of(told(usages, "run_cpu_s"))
            least = Spread.of(told(found[f"{kind} 1 kB"], "run_cpu_s")).median
            over = number((spread.median - least) * 1e3) if name != "1 kB" else ""
            table.row(name, kind, spread.text(1e3), Spread.of(told(usages, "run_s")).text(1e3), over)
    yield table


SECTIONS: dict[str, Section] = {
    "start": starting,
    "plan": plan,
    "nodes": nodes,
    "noop": noop,
    "processes": processes,
    "sharing": sharing,
    "payloads": payloads,
}
