"""A study from Python alone: two steps, a grid, a table. The second run computes nothing."""

import tempfile
from pathlib import Path

import rich

from etude.config.load import load_study
from etude.report.export import terminal_tables
from etude.study.execution import Execution
from etude.study.prepare import Options, prepare

STUDY = """
name: first
params: {degree: 1, seed: 0}
pipeline:
  points: {step: "first_steps:noisy_sine", with: {count: 60, seed: "${seed}"}}
  error:  {step: "first_steps:fit_polynomial", from: points, with: {degree: "${degree}"}}
vary: {grid: {degree: [1, 3, 9]}, repeat: {seed: [0, 1, 2, 3, 4]}}
collect:
  table: {step: analysis.aggregate, from: records, with: {lower_is_better: [error.test]}}
"""

STEPS = """
from dataclasses import dataclass
import numpy as np
from etude import step

@dataclass(frozen=True)
class Errors:
    train: float
    test: float

@step
def noisy_sine(*, count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.uniform(0, 1, count)
    return np.stack([x, np.sin(6 * x) + random.normal(0, 0.2, count)])

@step
def fit_polynomial(points: np.ndarray, *, degree: int) -> Errors:
    weights = np.polyfit(*points[:, :30], degree)
    errors = (np.polyval(weights, points[0]) - points[1]) ** 2
    return Errors(float(errors[:30].mean()), float(errors[30:].mean()))
"""


def main(folder: Path) -> None:
    """Write the project into a folder, run it twice, and print its table."""
    (folder / "first.yaml").write_text(STUDY)
    (folder / "first_steps.py").write_text(STEPS)
    for _ in range(2):
        prepared = prepare(load_study(folder / "first.yaml", overrides=["place.backend=inline"]))
        result = Execution(prepared, Options(), lambda event: None).run()
        print(f"{len(result.summary.computed)} computed, {len(prepared.plan.cached)} cached")
    rich.print(*terminal_tables(result))


if __name__ == "__main__":
    main(Path(tempfile.mkdtemp()))
