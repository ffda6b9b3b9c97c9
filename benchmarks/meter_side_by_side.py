"""One run metered by étude, CodeCarbon and Zeus at once: the same work, the disagreement in plain sight.

    python benchmarks/meter_side_by_side.py [country]

Needs nothing beyond étude; those of the others that are installed take part. What to look for: energy should follow the
work (two threads burn twice what one does, sleeping burns next to nothing), and a window should be told at all.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time

from etude.meter import discover, measure
from etude.meter.accounting.cost import Cost

BURN = "import math, time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: math.sqrt(2.0)"


def burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        math.sqrt(2.0)


def burn_in_a_child(seconds: float) -> None:
    subprocess.run([sys.executable, "-c", BURN.format(seconds=seconds)], check=True)


def sleep_beside_a_neighbour(seconds: float) -> None:
    """A busy process that is not ours: started free of us, as another user's would be."""
    program = f"({sys.executable} -c '{BURN.format(seconds=seconds)}' &)"
    subprocess.run(["sh", "-c", program], check=True)
    time.sleep(seconds)


def told(cost: Cost) -> dict[str, float | None]:
    every = [*cost.energy.values(), *cost.beside]
    return {f"{each.component} {each.source}": each.joules.value for each in every}


def main(country: str) -> None:
    began = time.perf_counter()
    found = discover(beside=("codecarbon", "zeus"), country=country)
    print(f"meters opened in {time.perf_counter() - began:.1f} s on {found.processor or 'an unnamed processor'}")
    for finding in found.findings:
        print(f"  {finding.component:<9} {finding.source:<11} {finding.state:<13} {finding.detail[:90]}")
    works = {
        "burn 4 s": lambda: burn(4.0),
        "burn 4 s in a child that ends": lambda: burn_in_a_child(4.0),
        "sleep 4 s": lambda: time.sleep(4.0),
        "sleep 4 s beside a busy neighbour": lambda: sleep_beside_a_neighbour(4.0),
    }
    rows = {}
    with found.sampler() as sampler:
        for name, work in works.items():
            with measure(sampler) as m:
                work()
            rows[name] = told(m.cost())
    columns = sorted({column for row in rows.values() for column in row})
    print("\njoules" + "".join(f"{column:>18}" for column in columns))
    for name, row in rows.items():
        cells = ("-" if row.get(column) is None else f"{row[column]:.2f}" for column in columns)
        print(f"{name:<34}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "FRA")
