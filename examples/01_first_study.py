"""A study from Python alone: two functions, a grid, a table. The second run computes nothing."""

import tempfile
from pathlib import Path

import numpy as np

from etude import Study, aggregate, node, param


def noisy_sine(*, count: int, seed: int) -> np.ndarray:
    """Points of a sine with noise: x and y in two rows."""
    random = np.random.default_rng(seed)
    x = random.uniform(0, 1, count)
    return np.stack([x, np.sin(6 * x) + random.normal(0, 0.2, count)])


def fit_polynomial(points: np.ndarray, degree: int) -> dict[str, float]:
    """Mean squared errors of a polynomial that was fitted to the first half."""
    weights = np.polyfit(*points[:, :30], degree)
    errors = (np.polyval(weights, points[0]) - points[1]) ** 2
    return {"train": float(errors[:30].mean()), "test": float(errors[30:].mean())}


seed, degree = param("seed", 0), param("degree", 1)
points = node(noisy_sine, count=60, seed=seed)
study = (
    Study("first", points=points, error=node(fit_polynomial, points, degree=degree))
    .grid(degree=[1, 3, 9])
    .repeat(seed=range(5))
    .collect(table=aggregate(lower_is_better=["error.test", "error.train"]))
)


def main(folder: Path) -> None:
    """Run the study twice in a project of its own, and print its table."""
    for _ in range(2):
        result = study.place(project=folder).run(on="inline", progress=False)
        print(f"{len(result.finished.summary.computed)} computed")
    print(result)


if __name__ == "__main__":
    main(Path(tempfile.mkdtemp()))
