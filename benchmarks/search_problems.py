"""Problems for the search benchmarks: what a point is worth, known without noise. All are to be minimised.

frnn15     a disruption predictor's 15 hyper-parameters: six losses, log axes, one dead dimension, one interaction,
           noise, and about 5 % failures (too much memory for what is drawn; a few by chance)
hartmann6  six smooth dimensions, two basins that look alike from afar
ackley5    a needle in a flat, rippled plain; the needle stands off the centre
ackley10   the same in ten dimensions
rough8     mixed values, ripples along each axis and cliffs at fixed boxes, noise
branches   a choice of model with its own parameters each, two levels deep, one branch often failing

Five more are of kinds that no setting of a sampler was chosen on before they were written:

noisy6     hartmann6 under noise of a tenth of its range
rotated10  ackley in ten dimensions, turned, so that no axis is its own, on log axes
table      a table of losses: three kinds, each with four parameters of seven values of its own, noise
sparse25   25 dimensions of which five count
crashes15  15 mixed parameters, a tenth of all trials crash by chance, and a corner of the space always does
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from etude.search.space import Choice, Condition, Float, Int, Ordinal, Point, Space


@dataclass(frozen=True, slots=True)
class Problem:
    """A space and the loss of its points."""

    name: str
    space: Space
    loss: Callable[[Point], float | None]
    """The noise-free loss; None where a trial always fails."""
    noise: float = 0.0
    """Standard deviation of what is added to an evaluation."""
    bad_luck: float = 0.0
    """The share of trials that fail whatever their point."""


_FRNN: Final = Space(
    {
        "batch_size": Int(32, 256, log=True),
        "dense_size": Int(32, 256, log=True),
        "dense_regularization": Float(0.0, 1.0),
        "dropout": Float(0.0, 0.5),
        "length": Int(32, 256, log=True),
        "loss": Choice(("hinge", "cross", "focal", "balanced_hinge", "balanced_cross", "balanced_focal")),
        "lr": Float(1e-7, 1e-2, log=True),
        "lr_decay": Float(0.9, 1.0),
        "momentum": Float(0.9, 1.0),
        "conv_filters": Int(32, 256, log=True),
        "conv_layers": Int(1, 4),
        "epochs": Int(1, 32, log=True),
        "regularization": Float(0.0, 1.0),
        "rnn_layers": Int(1, 4),
        "rnn_size": Int(32, 256, log=True),
    }
)
_LOSS_COST: Final = {
    "hinge": 0.018, "cross": 0.012, "focal": 0.014,
    "balanced_hinge": 0.010, "balanced_cross": 0.0, "balanced_focal": 0.002,
}  # fmt: skip


def _frnn(point: Point) -> float | None:
    at: Any = point
    memory = math.log2(
        at["batch_size"] * at["length"] * (at["rnn_size"] * at["rnn_layers"] + at["conv_filters"]) / 2**21
    )
    if memory > 3.03:
        return None
    balanced = str(at["loss"]).startswith("balanced")
    steps = math.log10(at["lr"]) + 0.35 * math.log10(at["epochs"]) - 0.3 * math.log10(at["batch_size"] / 32)
    decayed = steps + 4.0 * (at["lr_decay"] - 0.97) * math.log10(at["epochs"] + 1)
    cost = _LOSS_COST[str(at["loss"])]
    cost += 0.05 * (1 - math.exp(-(((decayed + 3.6) / 0.9) ** 2))) + 0.006 * (decayed + 3.6) ** 2
    cost += (0.008 if balanced else 0.05) * at["regularization"] ** 0.7  # the interaction
    cost += 0.012 * at["dense_regularization"] ** 0.5
    cost += 0.08 * (at["dropout"] - 0.12) ** 2
    cost += 0.004 * (math.log2(at["rnn_size"] / 170)) ** 2 + 0.003 * (math.log2(at["length"] / 110)) ** 2
    cost += 0.002 * (math.log2(at["dense_size"] / 128)) ** 2 + 0.001 * (math.log2(at["conv_filters"] / 90)) ** 2
    cost += 0.004 * abs(at["conv_layers"] - 3) + 0.003 * abs(at["rnn_layers"] - 2)
    cost += 0.004 * max(0.0, 4 - at["epochs"])
    return -(0.92 - min(cost, 0.42))


_A: Final = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P: Final = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _hartmann(point: Point) -> float:
    place = np.array(list(point.values()), dtype=float)
    return -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-(_A * (place - _P) ** 2).sum(1)))


def _ackley(point: Point) -> float:
    place = np.array(list(point.values()), dtype=float)
    apart = place - 32.768 * np.array([0.43, -0.31, 0.57, -0.22, 0.36, -0.51, 0.18, 0.61, -0.44, 0.27])[: len(place)]
    wide = 20.0 * math.exp(-0.2 * math.sqrt(float((apart**2).mean())))
    return 20.0 + math.e - wide - math.exp(float(np.cos(2 * math.pi * apart).mean()))


_ROUGH: Final = Space(
    {
        "a": Float(0.0, 1.0),
        "b": Float(0.0, 1.0),
        "c": Float(1e-4, 1.0, log=True),
        "d": Float(0.0, 1.0, step=0.05),
        "e": Int(1, 64, log=True),
        "f": Int(0, 10),
        "g": Ordinal((8, 16, 32, 64, 128)),
        "h": Choice(("p", "q", "r", "s")),
    }
)
_BOXES: Final = np.random.default_rng(20).random((24, 8))
_BOX_AXES: Final = np.array([np.random.default_rng(100 + index).permutation(8)[:3] for index in range(24)])
_BOX_COST: Final = np.random.default_rng(21).choice([0.15, 0.3, -0.1], size=24, p=[0.4, 0.3, 0.3])
_ROUGH_BEST: Final = np.array([0.62, 0.28, 0.71, 0.475, 0.4, 0.7, 0.5])


def _rough(point: Point) -> float:
    place = _ROUGH.to_unit(point)
    ordered = place[:7] - _ROUGH_BEST
    cost = 2.0 * float((ordered**2).sum()) + 0.08 * float((1 - np.cos(2 * math.pi * 5 * ordered)).sum())
    cost += {"p": 0.25, "q": 0.0, "r": 0.1, "s": 0.4}[str(point["h"])]
    inside = (np.abs(place[_BOX_AXES] - np.take_along_axis(_BOXES, _BOX_AXES, 1)) < 0.22).all(1)
    return cost + float(_BOX_COST[inside].sum())


_BRANCHES: Final = Space(
    {
        "model": Choice(("net", "trees", "kernel")),
        "scale": Choice(("none", "standard", "rank")),
        "features": Float(0.1, 1.0),
        "layers": Int(1, 5),
        "width": Int(16, 512, log=True),
        "optimiser": Choice(("sgd", "adam")),
        "lr": Float(1e-5, 1.0, log=True),
        "momentum": Float(0.0, 0.99),
        "beta": Float(0.8, 0.999),
        "trees": Int(10, 1000, log=True),
        "depth": Int(2, 20),
        "rate": Float(0.01, 0.5, log=True),
        "penalty": Float(1e-3, 1e3, log=True),
        "kernel": Choice(("rbf", "poly")),
        "gamma": Float(1e-4, 10.0, log=True),
        "degree": Int(2, 5),
    },
    (
        *(Condition(dimension=name, on="model", values=("net",)) for name in ("layers", "width", "optimiser", "lr")),
        Condition(dimension="momentum", on="optimiser", values=("sgd",)),
        Condition(dimension="beta", on="optimiser", values=("adam",)),
        *(Condition(dimension=name, on="model", values=("trees",)) for name in ("trees", "depth", "rate")),
        *(Condition(dimension=name, on="model", values=("kernel",)) for name in ("penalty", "kernel")),
        Condition(dimension="gamma", on="kernel", values=("rbf",)),
        Condition(dimension="degree", on="kernel", values=("poly",)),
    ),
)


def _branches(point: Point) -> float | None:
    at: Any = point
    cost = 0.06 * (at["features"] - 0.7) ** 2
    unscaled = {"none": 1.0, "standard": 0.0, "rank": 0.3}[str(at["scale"])]
    if at["model"] == "net":
        best = -1.2 if at["optimiser"] == "sgd" else -3.0
        if at["optimiser"] == "sgd":
            best += math.log10(max(1 - at["momentum"], 0.01)) + 0.5
            cost += 0.02
        else:
            cost += 0.2 * (at["beta"] - 0.93) ** 2
        apart = math.log10(at["lr"]) - best
        if apart > 1.3:
            return None  # it diverges
        cost += 0.06 + 0.04 * unscaled + 0.03 * apart**2 + 0.006 * (math.log2(at["width"] / 150)) ** 2
        return cost + 0.015 * abs(at["layers"] - 3)
    if at["model"] == "trees":
        needed = math.log2(at["trees"] * at["rate"] / 30)
        cost += (
            0.085
            + 0.012 * needed**2
            + (0.002 * (at["depth"] - 6) ** 2 if at["depth"] > 6 else 0.02 * (6 - at["depth"]))
        )
        return cost + 0.01 * (math.log10(at["rate"]) + 1.3) ** 2
    cost += 0.10 + 0.10 * unscaled + 0.015 * (math.log10(at["penalty"]) - 0.8) ** 2
    if at["kernel"] == "rbf":
        return (
            cost
            - 0.05 * math.exp(-((math.log10(at["gamma"]) + 1.6) ** 2) / 0.4)
            + 0.01 * (math.log10(at["gamma"]) + 1.6) ** 2
        )
    return cost + 0.02 * at["degree"]


_TURN: Final = np.linalg.qr(np.random.default_rng(31).standard_normal((10, 10)))[0]
_LOGS: Final = Space({f"x{index}": Float(1e-4, 1.0, log=True) for index in range(10)})


def _rotated(point: Point) -> float:
    apart = 65.536 * _TURN @ (_LOGS.to_unit(point) - 0.5 - 0.2 * np.cos(np.arange(10.0)))
    wide = 20.0 * math.exp(-0.2 * math.sqrt(float((apart**2).mean())))
    return 20.0 + math.e - wide - math.exp(float(np.cos(2 * math.pi * apart).mean()))


_LEVELS: Final = (1, 2, 4, 8, 16, 32, 64)
_TABLE: Final = Space(
    {"kind": Choice(("a", "b", "c"))} | {f"{kind}{index}": Ordinal(_LEVELS) for kind in "abc" for index in range(4)},
    tuple(Condition(dimension=f"{kind}{index}", on="kind", values=(kind,)) for kind in "abc" for index in range(4)),
)
_TABLE_MAIN: Final = np.random.default_rng(41).normal(0.0, 0.06, (3, 4, 7)).cumsum(2)
_TABLE_PAIR: Final = np.random.default_rng(42).normal(0.0, 0.03, (3, 7, 7, 7, 7))


def _table(point: Point) -> float:
    kind = "abc".index(str(point["kind"]))
    at = tuple(_LEVELS.index(point[f"{point['kind']}{index}"]) for index in range(4))  # type: ignore[arg-type]
    return 0.4 + float(sum(_TABLE_MAIN[kind, index, level] for index, level in enumerate(at)) + _TABLE_PAIR[kind][at])


def _sparse(point: Point) -> float:
    place = np.array(list(point.values()), dtype=float)
    near = (place[[2, 7, 11, 16, 21]] - np.array([0.31, 0.72, 0.55, 0.18, 0.84])) * np.array([2.0, 1.5, 1.0, 1.5, 1.0])
    return float(near @ near + 0.8 * near[0] * near[1] - 0.5 * near[2] * near[3])


_CRASHES: Final = Space(
    {f"c{index}": Float(0.0, 1.0) for index in range(6)}
    | {f"l{index}": Float(1e-5, 1e-1, log=True) for index in range(3)}
    | {f"i{index}": Int(1, 12) for index in range(3)}
    | {f"h{index}": Choice(("p", "q", "r")) for index in range(3)}
)
_CRASHES_BEST: Final = np.random.default_rng(51).uniform(0.15, 0.85, 12)
_CRASHES_COST: Final = np.random.default_rng(52).uniform(0.0, 0.15, (3, 3))


def _crashes(point: Point) -> float | None:
    place = _CRASHES.to_unit(point)
    if place[0] + place[6] > 1.6:
        return None
    apart = (place[:12] - _CRASHES_BEST) * np.linspace(1.0, 0.2, 12)
    choices = sum(_CRASHES_COST[index, "pqr".index(str(point[f"h{index}"]))] for index in range(3))
    return float(apart @ apart + 0.5 * apart[0] * apart[1] + choices)


def _box(count: int, low: float, high: float) -> Space:
    return Space({f"x{index}": Float(low, high) for index in range(count)})


PROBLEMS: Final = {
    problem.name: problem
    for problem in (
        Problem("frnn15", _FRNN, _frnn, noise=0.003, bad_luck=0.02),
        Problem("hartmann6", _box(6, 0.0, 1.0), _hartmann),
        Problem("ackley5", _box(5, -32.768, 32.768), _ackley),
        Problem("ackley10", _box(10, -32.768, 32.768), _ackley),
        Problem("rough8", _ROUGH, _rough, noise=0.02),
        Problem("branches", _BRANCHES, _branches, noise=0.002),
        Problem("noisy6", _box(6, 0.0, 1.0), _hartmann, noise=0.33),
        Problem("rotated10", _LOGS, _rotated),
        Problem("table", _TABLE, _table, noise=0.01),
        Problem("sparse25", _box(25, 0.0, 1.0), _sparse),
        Problem("crashes15", _CRASHES, _crashes, bad_luck=0.1),
    )
}
