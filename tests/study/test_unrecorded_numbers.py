"""Numbers that a step returns reach the record in many spellings; those that do not are told by name."""

from __future__ import annotations

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
}
TOLD = {
    "mixed": ["acc"],
    "scalar": [""],
    "npscalar": [""],
    "tup": ["[2]"],
    "withtable": ["acc"],
    "lst": ["[2]"],
}


def test_every_number_reaches_the_record_or_is_told(project: Project) -> None:
    code = CODE.replace("\ndef ", "\n@step\ndef ")
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
