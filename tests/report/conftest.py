from __future__ import annotations

import pytest

from etude.analysis.estimates import estimate
from etude.analysis.summary import Comparison, Group, Interval, Reference, Summary

ACCURACY, LOSS, COST = "quality.accuracy", "quality.loss", "fit.cost.wall_s"
VALUES = {"mean": [0.70, 0.72], "a_b & 50%": [0.75, 0.77]}


@pytest.fixture
def summary() -> Summary:
    """Two groups, one of them with a name that every format must escape, and a reference."""
    groups = tuple(
        Group(
            name=f"pooling={pooling}",
            params={"pooling": pooling},
            replicates=2,
            estimates={
                ACCURACY: estimate(values),
                LOSS: estimate([values[0] / 2, None]),
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
    return Summary(
        metrics=(ACCURACY, LOSS),
        costs=(COST,),
        varied=("pooling",),
        repeat="seed",
        lower_is_better=(LOSS,),
        groups=groups,
        comparisons=(comparison,),
        references=(Reference(node="majority", title="commonest | label", values={ACCURACY: 0.1111, LOSS: None}),),
        notes=("2 replicates in the smallest group",),
    )
