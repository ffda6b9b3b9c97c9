"""Projects to be measured: a folder with steps that do next to nothing, and studies over them of any size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NUMBERS = "steps_of_numbers"

STEPS_OF_NUMBERS = '''
import os
import time

from etude import step


@step
def root(*, seed: int) -> int:
    return seed


@step
def node(a: int, *, l: int) -> int:
    return (a + l) % 1_000_003


@step
def slow(a: int, *, l: int, sleep_s: float, calls: str) -> int:
    """Says that it ran: one byte appended is one write, whole among any number of processes."""
    time.sleep(sleep_s)
    handle = os.open(calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, b".")
    os.close(handle)
    return (a + l) % 1_000_003
'''

ARRAYS = "steps_of_arrays"

STEPS_OF_ARRAYS = """
import numpy as np

from etude import step


@step
def made(*, floats: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(floats)


@step
def shifted(a: np.ndarray) -> np.ndarray:
    return a + 1.0
"""


def chains(folder: Path, variants: int, nodes: int) -> dict[str, Any]:
    """A study of `variants` chains of `nodes` integers each; no two nodes of it are the same."""
    _write_module(folder, NUMBERS, STEPS_OF_NUMBERS)
    pipeline: dict[str, Any] = {"n0": {"step": f"{NUMBERS}:root", "with": {"seed": "${seed}"}}}
    for index in range(1, nodes):
        pipeline[f"n{index}"] = {"step": f"{NUMBERS}:node", "from": f"n{index - 1}", "with": {"l": index}}
    return _study(pipeline, variants)


def last_of_chain(seed: int, nodes: int) -> int:
    """What the last node of one chain holds."""
    value = seed
    for index in range(1, nodes):
        value = (value + index) % 1_000_003
    return value


def slow_chains(folder: Path, variants: int, nodes: int, sleep_s: float) -> dict[str, Any]:
    """The same, but every node after the first sleeps, and says in `calls` that it ran."""
    study = chains(folder, variants, nodes)
    for name, spec in study["pipeline"].items():
        if name != "n0":
            spec["step"] = f"{NUMBERS}:slow"
            spec["with"] |= {"sleep_s": sleep_s, "calls": str(folder / "calls")}
    return study


def arrays(folder: Path, size_bytes: int) -> dict[str, Any]:
    """A study of two nodes: one makes an array of float64, the next reads it and gives back another."""
    _write_module(folder, ARRAYS, STEPS_OF_ARRAYS)
    pipeline = {
        "made": {"step": f"{ARRAYS}:made", "with": {"floats": size_bytes // 8, "seed": "${seed}"}},
        "shifted": {"step": f"{ARRAYS}:shifted", "from": "made"},
    }
    return _study(pipeline, 1)


def _study(pipeline: dict[str, Any], variants: int) -> dict[str, Any]:
    return {
        "name": "measured",
        "params": {"seed": 0},
        "pipeline": pipeline,
        "vary": {"grid": {"seed": list(range(variants))}},
        "place": {"backend": "inline", "workers": 2},
    }


def _write_module(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text, encoding="utf-8")


def write_json(study: dict[str, Any], folder: Path) -> Path:
    """The study as a JSON file."""
    path = folder / "study.json"
    path.write_text(json.dumps(study), encoding="utf-8")
    return path


def write_yaml(study: dict[str, Any], folder: Path) -> Path:
    """The study as a YAML file."""
    import yaml

    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path
