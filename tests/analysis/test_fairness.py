"""No difference in costs is claimed that start-up, order, neighbours or another day could make."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa
import pytest

from etude.analysis.aggregation import summarise
from etude.analysis.summary import Comparison

CHEAP = (1.0, 1.1, 0.9, 1.05)
DEAR = (2.0, 2.2, 1.9, 2.1)


def compared(
    cheap: Mapping[str, tuple[object, ...]], dear: Mapping[str, tuple[object, ...]], metric: str = "m.cost.energy_j"
) -> Comparison:
    """Two groups of four replicates whose costs differ clearly, measured under these conditions."""
    rows = []
    for name, values, conditions in (("cheap", CHEAP, cheap), ("dear", DEAR, dear)):
        for seed, value in enumerate(values):
            told = {f"m.cost.{column}": each[seed] for column, each in conditions.items()}
            rows.append({"method": name, "seed": seed, "m.accuracy": value, metric: value, **told})
    meaning = {"params": ["method", "seed"], "repeat": "seed", "metrics": ["m.accuracy"], "costs": [metric]}
    records = pa.Table.from_pylist(rows).replace_schema_metadata({"etude": json.dumps(meaning)})
    (one,) = summarise(records, metrics=[metric], baseline={"method": "cheap"}).comparisons
    return one


FAIR = {
    "run": ("r",) * 4,
    "first_in_process": (False,) * 4,
    "order": (1, 4, 5, 8),
    "others_cpus": (0.1, 0.9, 0.3, 0.5),
}
ALSO_FAIR = {**FAIR, "order": (2, 3, 6, 7), "others_cpus": (0.5, 0.2, 0.4, 0.1)}


def test_costs_of_one_run_in_mixed_order_may_be_compared() -> None:
    told = compared(FAIR, ALSO_FAIR)
    assert (told.claim, told.note, told.pairs) == ("higher", compared({}, {}).note, 4)


def test_pairs_of_which_one_was_cold_are_left_out() -> None:
    told = compared({**FAIR, "first_in_process": (True, False, False, False)}, ALSO_FAIR)
    assert (told.claim, told.pairs) == ("higher", 3)
    assert "1 pair left out: one of the two was the first node of its process" in told.note


def test_two_that_were_cold_both_may_be_compared() -> None:
    cold = {"first_in_process": (True,) * 4}
    assert compared({**FAIR, **cold}, {**ALSO_FAIR, **cold}).pairs == 4


def test_costs_of_different_runs_are_not_compared() -> None:
    told = compared({**FAIR, "run": ("r", "r", "r", "q")}, {**ALSO_FAIR, "run": ("r", "q", "q", "r")})
    assert (told.claim, told.pairs) == ("not tested", 1)
    assert "3 pairs left out: the two were measured in different runs" in told.note


def test_nothing_is_claimed_where_one_always_went_first() -> None:
    told = compared({**FAIR, "order": (1, 3, 5, 7)}, {**ALSO_FAIR, "order": (2, 4, 6, 8)})
    assert (told.claim, told.p_t, told.p_sign) == ("not tested", None, None)
    assert "method=cheap was measured before method=dear in every pair" in told.note
    assert told.difference is not None


def test_nothing_is_claimed_where_neighbours_were_always_busier_beside_one() -> None:
    told = compared(FAIR, {**ALSO_FAIR, "others_cpus": (1.1, 1.9, 1.3, 1.5)})
    assert told.claim == "not tested"
    assert "others kept 1 cores busier beside method=dear in every pair" in told.note
    slight = {**ALSO_FAIR, "others_cpus": (0.15, 0.95, 0.35, 0.55)}
    assert compared(FAIR, slight).claim == "higher"


@pytest.mark.parametrize("column", ["start_up_wall_s", "start_up_cpu_s", "start_up_energy_j"])
def test_start_up_is_no_conditions_own(column: str) -> None:
    told = compared(FAIR, ALSO_FAIR, f"m.cost.{column}")
    assert told.claim == "not tested"
    assert "whichever node comes first" in told.note


def test_metrics_are_compared_whatever_their_costs_were_measured_beside() -> None:
    conditions = {**ALSO_FAIR, "order": (2, 5, 6, 9), "run": ("q",) * 4}
    assert compared(FAIR, conditions, "m.accuracy").claim == "higher"
