"""What measuring costs the work: import, a window, a piece of work, and throughput with counters read at 10 Hz.

    python benchmarks/meter_overhead.py

Throughput is compared in pairs of half a second with and without measuring, turn and turn about, by CPU time, because
other tenants of the machine move wall time. Reported is the median of the ratios with its bootstrap interval.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable

from etude.meter import discover, measure
from etude.meter.measure import Measurement
from etude.meter.sampling.sampler import Sampler
from etude.meter.sources.clock import SYSTEM_CLOCK
from etude.meter.sources.simulated import PowerTrace, SimulatedMeter


def import_ms() -> list[float]:
    """CPU milliseconds to import the room, with `etude` itself already there."""
    program = "import etude, time; t = time.process_time(); import etude.meter; print((time.process_time() - t) * 1e3)"
    return [
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _ in range(10)
    ]


def best_us(function: Callable[[], object], number: int) -> float:
    return min(timeit.repeat(function, number=number, repeat=7)) / number * 1e6


def ticking(count: int) -> Sampler:
    """A sampler over the machine's own meters and this many simulated boards with 100 ms ticks."""
    trace = PowerTrace.steps([(1e6, 250.0)])
    boards = [
        SimulatedMeter(
            trace=trace,
            clock=SYSTEM_CLOCK,
            component=f"gpu{index}",
            device=f"gpu{index}",
            phase_s=0.013 * index,
            start_ns=SYSTEM_CLOCK.now_ns() - 10**9,
        )
        for index in range(count)
    ]
    found = discover()
    return Sampler([*found.meters, *boards], tree=found.tree)


def single(sampler: Sampler) -> None:
    def work() -> Measurement:
        with measure(sampler) as m:
            pass
        return m

    work().cost()
    print(f"begin and end of one piece of work     {best_us(work, 300):8.1f} µs")
    print(f"the same with its cost as JSON         {best_us(lambda: work().cost().as_json(), 300):8.1f} µs")
    with measure(sampler) as m:

        def window() -> None:
            with m.window("w"):
                pass

        print(f"begin and end of a window              {best_us(window, 3000):8.1f} µs")


def python_loop() -> Callable[[], int]:
    def block() -> int:
        total = 0
        for index in range(20_000):
            total += index * index
        return total

    return block


def matrix_loop() -> Callable[[], object]:
    import numpy as np

    matrix = np.random.default_rng(0).normal(size=(192, 192))
    return lambda: matrix @ matrix


def rate(block: Callable[[], object], seconds: float) -> float:
    """Blocks per CPU second."""
    done, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        block()
        done += 1
    return done / (time.process_time() - cpu)


def throughput(name: str, sampler: Sampler, block: Callable[[], object], pairs: int = 40) -> None:
    ratios = []
    for index in range(pairs):
        rates = {}
        for measured in (True, False) if index % 2 else (False, True):
            if measured:
                with measure(sampler):
                    # Past half a second ticks are looked for closely: measure that state, not the calm before it.
                    rate(block, 0.55)
                    rates[True] = rate(block, 0.5)
            else:
                rates[False] = rate(block, 0.5)
        ratios.append(rates[True] / rates[False])
    chance = random.Random(0)
    medians = sorted(statistics.median(chance.choices(ratios, k=pairs)) for _ in range(2000))
    loss = [100 * (1 - value) for value in (statistics.median(ratios), medians[1949], medians[50])]
    print(f"{name:<38} {loss[0]:8.2f} %  [{loss[1]:.2f}, {loss[2]:.2f}]")


if __name__ == "__main__":
    times = import_ms()
    spread = f"[{min(times):.1f}, {max(times):.1f}]"
    print(f"import etude.meter (CPU, after etude)  {statistics.median(times):8.1f} ms  {spread}")
    began = time.perf_counter()
    own = discover().sampler()
    print(f"look for meters and open them          {(time.perf_counter() - began) * 1e3:8.1f} ms")
    single(own)
    print("throughput lost while measured at 10 Hz, median and 95 % interval")
    throughput("  Python loop, this machine's meters", own, python_loop())
    throughput("  Python loop, and 1 ticking board", ticking(1), python_loop())
    throughput("  Python loop, and 8 ticking boards", ticking(8), python_loop())
    throughput("  matrices, and 1 ticking board", ticking(1), matrix_loop())
