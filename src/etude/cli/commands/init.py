"""`etude init`: a working project to start from: a study, a step of the user's own, and its test."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from etude.cli.console import escape, out
from etude.errors import ConfigError, Fault

EXAMPLES = """
[bold]Example[/]

  etude init my-project && cd my-project && etude run study.yaml
"""
FILES = {
    "study.yaml": """\
# How does the number of neighbours change a classifier? Run with: etude run study.yaml
name: neighbours
params: {neighbours: 5, seed: 0}

pipeline:
  points: {step: "my_steps:two_moons", with: {count: 600, noise: 0.25, seed: "${seed}"}}
  scored: {step: "my_steps:nearest_neighbours", from: points, with: {neighbours: "${neighbours}"}}

vary:
  grid: {neighbours: [1, 5, 25, 125]}
  repeat: {seed: [0, 1, 2]}

collect:
  table: {step: analysis.aggregate, from: records, with: {lower_is_better: [scored.error]}}
""",
    "my_steps.py": '''\
"""Steps of this project. A step is a plain typed function: inputs are positional, settings stand behind the `*`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from etude import step


@dataclass(frozen=True)
class Points:
    """Labelled points in the plane."""

    xy: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Numbers in a frozen dataclass are metrics: they go into the record of each variant."""

    accuracy: float
    error: float


@step
def two_moons(*, count: int, noise: float, seed: int) -> Points:
    """Two half circles that interlock, with Gaussian noise."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, np.pi, count)
    label = random.integers(0, 2, count)
    xy = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    xy[label == 1] = [1.0, 0.5] - xy[label == 1]
    return Points(xy + random.normal(0, noise, xy.shape), label)


@step
def nearest_neighbours(points: Points, *, neighbours: int) -> Scores:
    """Train on the first half, judge the second by a vote of the nearest neighbours."""
    half = len(points.label) // 2
    away = np.linalg.norm(points.xy[half:, None] - points.xy[None, :half], axis=2)
    near = np.argsort(away, axis=1, kind="stable")[:, :neighbours]
    voted = points.label[:half][near].mean(axis=1) > 0.5
    accuracy = float(np.mean(voted == points.label[half:]))
    return Scores(accuracy, 1.0 - accuracy)
''',
    "test_my_steps.py": '''\
"""Steps are functions, so a test calls them."""

from my_steps import nearest_neighbours, two_moons


def test_moons_without_noise_are_told_apart() -> None:
    points = two_moons(count=400, noise=0.0, seed=0)
    assert nearest_neighbours(points, neighbours=3).accuracy > 0.98


def test_the_same_seed_gives_the_same_points() -> None:
    first, second = (two_moons(count=10, noise=0.1, seed=1) for _ in range(2))
    assert (first.xy == second.xy).all()
''',
    "etude.toml": """\
# Marks the root of an étude project: its modules are importable in studies, its results go to .etude/ and results/.
""",
    ".gitignore": """\
.etude/
results/
__pycache__/
""",
}


def init(
    folder: Annotated[Path, typer.Argument(help="Where; made if it does not exist, and must be empty.")] = Path(),
) -> None:
    for path in make_project(folder):
        out().print(f"[green]made[/] {escape(path)}")
    steps = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    out().print(escape("Next: " + " && ".join([*steps, "etude run study.yaml"])), soft_wrap=True)


def make_project(folder: Path) -> list[Path]:
    """Write a working project into a folder.

    Raises:
        ConfigError: The folder holds files already, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError([Fault("", "the folder is not empty", str(folder), "name a new one: etude init NAME")])
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            path = folder / name
            path.write_text(text, encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise ConfigError(
            [Fault("", f"the project cannot be made: {error}", str(folder), "choose another folder")]
        ) from error
    return paths
