"""Numbers that a step returns reach the record in many spellings; those that do not are told by name."""

from __future__ import annotations

import math

from etude.study.unrecorded_numbers import unrecorded_numbers
from projects import Project

CODE = """
from dataclasses import dataclass
from typing import NamedTuple, TypedDict
import numpy as np

@dataclass(frozen=True)
class F:
    acc: float
@dataclass
class Mu:
    acc: float
class NT(NamedTuple):
    acc: float
class TD(TypedDict):
    acc: float

def plain(*, k: int): return {"acc": 0.5}
def ann(*, k: int) -> dict[str, float]: return {"acc": 0.5}
def anndict(*, k: int) -> dict: return {"acc": 0.5}
def npf(*, k: int): return {"acc": np.float64(0.5), "n": np.int64(3)}
def nested(*, k: int): return {"test": {"acc": 0.5}, "train": {"acc": 0.6}}
def labelled(*, k: int) -> dict[str, float | str | None]: return {"acc": 0.5, "name": "x", "none": None}
def fz(*, k: int) -> F: return F(0.5)
def mu(*, k: int) -> Mu: return Mu(0.5)
def nt(*, k: int) -> NT: return NT(0.5)
def td(*, k: int) -> TD: return {"acc": 0.5}
def mixed(*, k: int): return {"acc": 0.5, "name": "x"}
def scalar(*, k: int) -> float: return 0.5
def npscalar(*, k: int): return np.float32(0.5)
def tup(*, k: int): return (0.5, 0.6)
def withtable(*, k: int): return {"acc": 0.5, "preds": np.arange(3)}
@dataclass(frozen=True)
class Fitted:
    weights: np.ndarray
    bias: float
    steps: int
def undefined(*, k: int) -> float: return float("inf")
def flag(*, k: int): return {"ok": np.bool_(True)}
def fitted(*, k: int) -> Fitted: return Fitted(weights=np.zeros(2), bias=0.25, steps=3)
def tensor(*, k: int):
    import torch
    return {"acc": torch.tensor(0.5)}
def by_number(*, k: int) -> dict[int, float]: return {1: 0.5, 2: 0.25}
def vocabulary(*, k: int): return {str(number): number for number in range(1001)}
def lst(*, k: int): return [0.5, 0.6]
def data(*, k: int) -> list[float]: return [0.5, 0.6]
"""
RECORDED = {
    "plain": {"acc": 0.5},
    "ann": {"acc": 0.5},
    "anndict": {"acc": 0.5},
    "npf": {"acc": 0.5, "n": 3},
    "nested": {"test.acc": 0.5, "train.acc": 0.6},
    "labelled": {"acc": 0.5, "name": "x", "none": None},
    "fz": {"acc": 0.5},
    "mu": {"acc": 0.5},
    "nt": {"acc": 0.5},
    "td": {"acc": 0.5},
    "mixed": {"acc": 0.5, "name": "x"},
    "scalar": {"value": 0.5},
    "npscalar": {"value": 0.5},
    "undefined": {"value": math.inf},
    "flag": {"ok": True},
    "tup": {"0": 0.5, "1": 0.6},
    "withtable": {"acc": 0.5},
    "tensor": {"acc": 0.5},
    "by_number": {"1": 0.5, "2": 0.25},
}
TOLD = {"fitted": ["bias", "steps"], "lst": ["[2]"], "vocabulary": [str(number) for number in range(1001)]}


def test_every_number_reaches_the_record_or_is_told(project: Project) -> None:
    code = CODE
    names = [*RECORDED, *TOLD, "data"]
    study = project.write(code).study({name: (name, None, {"k": 1}) for name in names}, params={"k": 1})
    result = project.run(study)
    (row,) = result.records().to_pylist()
    found = {name: {} for name in RECORDED}
    for column, value in row.items():
        node, _, metric = column.partition(".")
        if metric and not metric.startswith("cost."):
            found[node][metric] = value
    assert found == RECORDED
    assert unrecorded_numbers(result.prepared) == TOLD
