from __future__ import annotations

import pytest

from etude.analysis.estimates import estimate
from etude.analysis.summary import Comparison, Group, Interval, Reference, StudySummary
from etude.study.execution import Result
from etude.study.study import Vary
from projects import Project

ACCURACY, LOSS, COST = "quality.accuracy", "quality.loss", "fit.cost.wall_s"
VALUES = {"mean": [0.70, 0.72], "a_b & 50%": [0.75, 0.77]}


@pytest.fixture
def summary() -> StudySummary:
    """Two groups, one of them with a name that every format must escape, and a reference."""
    groups = tuple(
        Group(
            name=f"pooling={pooling}",
            params={"pooling": pooling},
            replicates=2,
            estimates={
                ACCURACY: estimate(values),
                LOSS: estimate([values[0] / 2]),
                "fit.cost.wall_s": estimate([3.0]),
            },
        )
        for pooling, values in VALUES.items()
    )
    comparison = Comparison(
        metric=ACCURACY,
        group="pooling=a_b & 50%",
        baseline="pooling=mean",
        pairs=5,
        difference=0.05,
        interval=Interval(0.031, 0.069),
        p_t=0.0021,
        p_t_holm=0.0042,
        p_sign=0.0625,
        p_sign_holm=0.125,
        effect=1.61,
        wins=1.0,
        claim="higher",
        note="5 pairs: rests on normal differences",
    )
    return StudySummary(
        metrics=(ACCURACY, LOSS),
        costs=(COST,),
        varied=("pooling",),
        repeat="seed",
        lower_is_better=(LOSS,),
        higher_is_better=(ACCURACY,),
        groups=groups,
        comparisons=(comparison,),
        references=(Reference(node="majority", title="commonest | label", values={ACCURACY: 0.1111, LOSS: None}),),
        notes=("2 replicates in the smallest group",),
    )


HOSTILE = '</script><script>alert(1)</script> & "quoted" <b>bold</b>'

STEPS = """
from dataclasses import dataclass
import pyarrow as pa

@dataclass(frozen=True)
class Scores:
    accuracy: float
    latency_ms: float

@dataclass(frozen=True)
class Model:
    weight: float
    curve: pa.Table

@step
def texts() -> pa.Table:
    return pa.table({"id": [0, 1, 2, 3], "label": ["cat", "dog", "cat", "<b>cow</b>"]})

@step
def fit(texts: pa.Table, *, width: int, seed: int) -> Model:
    loss = pa.field("loss", pa.float64(), metadata={"unit": "nats"})
    columns = pa.schema([("epoch", pa.int64()), loss])
    curve = pa.table({"epoch": [1, 2, 3], "loss": [1.0 + seed, 0.5, 0.25 / width]}, schema=columns)
    return Model(float(width), curve)

@step
def predict(model: Model, texts: pa.Table) -> pa.Table:
    said = texts["label"].to_pylist()
    return pa.table({"label": said, "prediction": said[1:] + said[:1]})

@step
def score(predictions: pa.Table, *, width: int) -> Scores:
    return Scores(1.0 - 1.0 / (1 + width), float(width))

@step
def other(texts: pa.Table) -> Scores:
    return Scores(0.25, 1.0)
"""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A study of two groups and two seeds, run in this process."""
    project = Project(tmp_path_factory.mktemp("gallery")).write(STEPS)
    study = project.study(
        {
            "texts": ("texts",),
            "model": ("fit", "texts", {"width": "${width}", "seed": "${seed}"}),
            "scored": ("predict", {"model": "model", "texts": "texts"}),
            "quality": ("score", "scored", {"width": "${width}"}),
            "majority": ("other", "texts"),
        },
        collect={"table": ("analysis.aggregate", "records", {"references": {"majority": "commonest"}})},
        params={"width": 1, "seed": 0, "title": HOSTILE},
        vary=Vary(grid={"width": (1, 2)}, repeat={"seed": (0, 1)}),
    )
    result = project.run(study)
    assert result.succeeded
    return result
