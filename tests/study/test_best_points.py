"""Which points of an earlier study are its best."""

from __future__ import annotations

import pyarrow as pa
import pytest

from etude.errors import ConfigError
from etude.study.best_points import direction_of
from etude.study.study import Study


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("fit.loss", "minimize"),
        ("fit.cost.energy_j", "minimize"),
        ("fit.accuracy", "maximize"),
        ("fit.auc", "maximize"),
    ],
)
def test_a_metrics_name_says_whether_more_or_less_of_it_is_better(metric: str, direction: str) -> None:
    assert direction_of(Study(name="s"), pa.table({metric: [0.5]}), metric, "vary.top.direction") == direction


def test_a_metric_of_which_nothing_says_what_is_better_asks_for_the_direction() -> None:
    with pytest.raises(ConfigError, match=r"vary\.top\.direction: nothing says whether more or less of 'fit\.value'"):
        direction_of(Study(name="s"), pa.table({"fit.value": [0.5]}), "fit.value", "vary.top.direction")
