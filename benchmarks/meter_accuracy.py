"""How well energy is told from a counter that ticks every 100 ms, on simulated language models with known energy.

    python benchmarks/meter_accuracy.py [runs]

Each line compares ways to read the same counter: ours, plain differences of the counter, drawing the counter as a line
through its ticks, and polling a power reading that is the mean of the last second.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from math import fsum
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from etude.meter.measure import Measurement, measure
from etude.meter.sources.clock import ManualClock
from meter_fakes import LiveBoard, quiet_watch, work_like_a_language_model

Spans = dict[str, list[tuple[int, int]]]


def simulated(
    seed: int, seconds: float, *, aligned: bool, period_s: float = 0.1
) -> tuple[Measurement, LiveBoard, Spans]:
    clock = ManualClock(ns=10**12)
    board = LiveBoard(clock, seed=seed, period_s=period_s, wobble_w=8.0)
    sampler = quiet_watch([board], clock, proc=Path(tempfile.gettempdir()) / "no-proc")
    clock.sleep(1.0 + seed / 97)
    with measure(sampler, aligned=aligned) as m:
        spans = work_like_a_language_model(board, m, seconds, seed)
    return m, board, spans


def last_tick(board: LiveBoard, ns: int) -> int:
    return (ns - board.phase_ns) // board.period_ns * board.period_ns + board.phase_ns


def by_difference(board: LiveBoard, start_ns: int, end_ns: int) -> float:
    return board.joules_between(last_tick(board, start_ns), last_tick(board, end_ns))


def by_line(board: LiveBoard, start_ns: int, end_ns: int) -> float:
    def at(ns: int) -> float:
        left = last_tick(board, ns)
        before, after = board.joules_at(left), board.joules_at(left + board.period_ns)
        return before + (after - before) * (ns - left) / board.period_ns

    return at(end_ns) - at(start_ns)


def by_mean_power(board: LiveBoard, start_ns: int, end_ns: int) -> float:
    """Power as the mean of the last second, read every 100 ms and integrated by the trapezoid rule."""
    moments = np.append(np.arange(start_ns, end_ns, 100_000_000), end_ns)
    powers = [board.joules_between(int(ns) - 10**9, int(ns)) for ns in moments]
    return float(np.trapezoid(powers, moments / 1e9))


def spread(errors: list[float]) -> str:
    return f"{100 * np.median(errors):8.2f} {100 * np.percentile(errors, 95):8.2f}"


def runs(count: int) -> None:
    print(f"\nenergy of a run, relative error in % over {count} runs")
    print(f"{'run':>6} {'way':<34} {'median':>8} {'p95':>8}")
    for seconds in (0.2, 1.0, 5.0, 30.0):
        errors: dict[str, list[float]] = {}
        for seed in range(count):
            for aligned in (True, False):
                m, board, _ = simulated(seed, seconds, aligned=aligned)
                span = (m.recording.start_ns, m.recording.end_ns)
                truth = board.joules_between(*span)
                told = m.cost().covered.value
                name = "étude, aligned" if aligned else "étude, as every node is measured"
                errors.setdefault(name, []).append(1.0 if told is None else abs(told / truth - 1))
                ways: dict[str, Callable[[LiveBoard, int, int], float]] = {
                    "counter difference": by_difference,
                    "1 s mean power polled at 10 Hz": by_mean_power,
                }
                for way, function in ways.items() if aligned else ():
                    errors.setdefault(way, []).append(abs(function(board, *span) / truth - 1))
        for name, found in errors.items():
            print(f"{seconds:6.1f} {name:<34} {spread(found)}")


def phases(count: int) -> None:
    print(f"\nenergy of phases and batches within 20 s, relative error in % over {count} runs")
    print(f"{'tick':>6} {'what':<20} {'way':<14} {'median':>8} {'p95':>8}")
    for period_s in (0.1, 0.02):
        errors: dict[tuple[str, str], list[float]] = {}
        held: list[bool] = []
        for seed in range(count):
            m, board, spans = simulated(seed, 20.0, aligned=False, period_s=period_s)
            account = m.ledger().of("gpu0")
            assert account is not None
            for path in ("batch/prefill", "batch/decode"):
                truth = fsum(board.joules_between(*span) for span in spans[path])
                told = account.paths[path]
                line = fsum(by_line(board, *span) for span in spans[path])
                errors.setdefault((path, "étude"), []).append(abs((told.value or 0) / truth - 1))
                errors.setdefault((path, "line"), []).append(abs(line / truth - 1))
                held.append((told.lo or 0) <= truth <= (told.hi or 0))
            windows = m.recording.windows
            tops = [index for index in range(len(windows)) if windows.name(index) == "batch"]
            for index, span in zip(tops, spans["batch"], strict=True):
                truth = board.joules_between(*span)
                errors.setdefault(("each batch", "étude"), []).append(abs(account.windows[index] / truth - 1))
                errors.setdefault(("each batch", "line"), []).append(abs(by_line(board, *span) / truth - 1))
        for (what, way), found in errors.items():
            print(f"{period_s:6.2f} {what:<20} {way:<14} {spread(found)}")
        print(f"{period_s:6.2f} the interval of a phase held the truth in {100 * np.mean(held):.0f} % of cases")


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    random.seed(0)
    runs(number)
    phases(max(10, number // 2))
