"""Made searches: a results table as a real search writes it, with a known truth planted in it."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

LOSSES = ("hinge", "cross", "focal", "balanced_hinge", "balanced_cross", "balanced_focal")
FRNN: dict[str, dict[str, Any]] = {
    "batch_size": {"int": [32, 256], "log": True},
    "dense_size": {"int": [32, 256], "log": True},
    "dense_regularization": {"float": [0.0, 1.0]},
    "dropout": {"float": [0.0, 0.5]},
    "length": {"int": [32, 256], "log": True},
    "loss": {"choice": list(LOSSES)},
    "lr": {"float": [1e-7, 1e-2], "log": True},
    "lr_decay": {"float": [0.9, 1.0]},
    "momentum": {"float": [0.9, 1.0]},
    "num_conv_filters": {"int": [32, 256], "log": True},
    "num_conv_layers": {"int": [1, 4]},
    "num_epochs": {"int": [1, 32], "log": True},
    "regularization": {"float": [0.0, 1.0]},
    "rnn_layers": {"int": [1, 4]},
    "rnn_size": {"int": [32, 256], "log": True},
}
"""The space of the FRNN search; `momentum` reaches nothing, as in the original."""
BASELINE: dict[str, Any] = {
    "batch_size": 128, "dense_size": 128, "dense_regularization": 0.001, "dropout": 0.1, "length": 128,
    "loss": "hinge", "lr": 2e-5, "lr_decay": 0.97, "momentum": 0.9, "num_conv_filters": 128, "num_conv_layers": 3,
    "num_epochs": 32, "regularization": 0.001, "rnn_layers": 2, "rnn_size": 200,
}  # fmt: skip

Point = Mapping[str, Any]


def frnn_auc(point: Point, rng: np.random.Generator) -> float:
    """A smooth stand-in for the validation AUC; what it rests on, in falling order: lr, loss, regularization, …"""
    lr = (math.log10(point["lr"]) + 3.6) / 1.6
    value = 0.925 - 0.05 * min(lr * lr, 4.0)
    value -= 0.035 * point["regularization"] * (0.3 if point["loss"].startswith("balanced") else 1.0)
    value -= {"hinge": 0.012, "cross": 0.02, "focal": 0.03}[point["loss"].removeprefix("balanced_")]
    value += 0.008 * math.log2(point["rnn_size"] / 64) - 0.06 * abs(point["dropout"] - 0.15)
    value += 0.004 * math.log2(point["num_epochs"]) - 0.004 * (point["rnn_layers"] - 2) ** 2
    return float(max(0.5, value) + rng.normal(0, 0.002))


def made_search(
    space: Mapping[str, Mapping[str, Any]] = FRNN,
    objective: Callable[[Point, np.random.Generator], float | tuple[float, ...]] = frnn_auc,
    *,
    metrics: Mapping[str, str] | None = None,
    baseline: Point | None = BASELINE,
    trials: int = 200,
    workers: int = 8,
    failing: float = 0.05,
    adaptive: bool = True,
    seed: int = 0,
    mean_s: float = 700.0,
) -> pa.Table:
    """A search whose later points stay near the best of those before, as those of real samplers do."""
    rng = np.random.default_rng(seed)
    metrics = metrics or {"quality.auc": "maximize"}
    sign = -1.0 if next(iter(metrics.values())) == "maximize" else 1.0
    free = [(0.0, worker) for worker in range(workers)]
    best: list[tuple[float, dict[str, Any]]] = []
    rows: list[dict[str, Any]] = []
    for number in range(trials):
        now, worker = heapq.heappop(free)
        first = baseline is not None and number == 0
        origin = "baseline" if first else "initial" if number < 20 or not adaptive else "sampler"
        point = dict(baseline or {}) if first else drawn(space, rng, [each for _, each in best] * (origin == "sampler"))
        started, ended = now + 0.5, now + 0.5 + mean_s * float(rng.lognormal(-0.125, 0.5))
        outcome = "ok" if first or rng.random() >= failing else str(rng.choice(["crash", "timeout", "invalid"]))
        found = objective(point, rng) if outcome == "ok" else None
        values = found if isinstance(found, tuple) else (found,) * len(metrics)
        heapq.heappush(free, (ended, worker))
        row = {"number": number, "origin": origin, "outcome": outcome, "worker": worker, "submitted_s": now}
        row |= {"started_s": started, "ended_s": ended, "proposed_after": len(rows), "suggest_s": 0.01, "stale": 0}
        row |= {f"param.{name}": point.get(name) for name in space}
        row |= {f"value.{metric}": value for metric, value in zip(metrics, values, strict=True)}
        row |= {"error": None if outcome == "ok" else f"the step {outcome}ed", "fingerprint": f"{number:064x}"}
        rows.append(row)
        if values[0] is not None:
            best = sorted([*best, (sign * values[0], point)], key=lambda each: each[0])[:10]
    rows.sort(key=lambda row: row["ended_s"])
    return table_of(rows, space, metrics, baseline=0 if baseline else None, workers=workers)


def drawn(
    space: Mapping[str, Mapping[str, Any]], rng: np.random.Generator, near: list[dict[str, Any]]
) -> dict[str, Any]:
    """A point anywhere, or near one of these."""
    by = near[rng.integers(len(near))] if near else None
    point: dict[str, Any] = {}
    for name, entry in space.items():
        when = entry.get("when") or {}
        if any(point.get(other) not in values for other, values in when.items()):
            continue
        kept = None if by is None or rng.random() < 0.15 else by.get(name)
        if "choice" in entry or "ordinal" in entry:
            options = entry.get("choice") or entry["ordinal"]
            point[name] = options[rng.integers(len(options))] if kept is None else kept
            continue
        kind = "int" if "int" in entry else "float"
        low, high = entry[kind]
        ends = (math.log(low), math.log(high)) if entry.get("log") else (low, high)
        unit = float(rng.random())
        if kept is not None:
            here = ((math.log(kept) if entry.get("log") else kept) - ends[0]) / (ends[1] - ends[0])
            unit = min(1.0, max(0.0, here + float(rng.normal(0, 0.1))))
        value = ends[0] + unit * (ends[1] - ends[0])
        value = min(high, max(low, math.exp(value) if entry.get("log") else value))
        point[name] = round(value) if kind == "int" else value
    return point


def table_of(
    rows: list[dict[str, Any]],
    space: Mapping[str, Any],
    metrics: Mapping[str, str],
    *,
    baseline: int | None = None,
    workers: int | None = None,
) -> pa.Table:
    """Rows as the table that a search writes, its metadata with them."""
    told = {
        "goal": {"metrics": list(metrics), "directions": list(metrics.values())},
        "baseline_number": baseline,
        "space": {"space": dict(space), "forbidden": []},
        "workers": workers,
    }
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    return table.replace_schema_metadata({"etude.search": json.dumps(told)})
