"""Which is better: as the step says, as the study says, or as the name says where it is a term of the field."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Annotated, Any, NamedTuple, TypedDict

import pyarrow as pa
import pytest

from etude import metric
from etude.analysis.direction import is_cost, known_direction, meaning_of
from etude.analysis.steps import aggregate
from etude.errors import StepError
from etude.graph.metric import Metric, declared_metrics
from etude.report.tables.means_table import means_table
from etude.store.codecs import is_metrics
from etude.text.types import Evaluation, PredictionQuality


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize(
    "name",
    words(
        "loss validation_loss loss.test log_loss testLoss perplexity mse rmse_mean ece error_rate error.test "
        "energy_per_token_j latency_ms latency.p95 brier nll_per_token wer"
    ),
)
def test_of_losses_errors_and_costs_less_is_better(name: str) -> None:
    assert known_direction(f"q.{name}") == "lower"


@pytest.mark.parametrize(
    "name", words("accuracy acc f1_macro top_5_accuracy accuracy.top.5 auroc mcc R2 F1 test.accuracy recall_at_10")
)
def test_of_accuracies_and_their_like_more_is_better(name: str) -> None:
    assert known_direction(f"q.{name}") == "higher"


@pytest.mark.parametrize(
    "name",
    words(
        "big kwh f1_w_and_g accuracy_drop loss_scale accuracy_loss parameters threshold weight_g dropout errors_of_b "
        "loss.scale f1.weight"
    ),
)
def test_of_any_other_name_nothing_is_known(name: str) -> None:
    assert known_direction(f"q.{name}") is None


def test_a_node_s_own_name_says_nothing_of_its_numbers() -> None:
    assert known_direction("loss.value_of_x") is None
    assert known_direction("accuracy.parameters") is None


class Row(NamedTuple):
    energy: Annotated[float, metric(unit="J", lower_is_better=True)]


class Typed(TypedDict):
    parts: dict[str, Annotated[float, metric(unit="ms")]]


@dataclass(frozen=True)
class Scores:
    score: Annotated[float, metric(lower_is_better=False)]
    weight: Annotated[float | None, metric(unit="g")]
    maybe: Annotated[float, metric(unit="kB")] | None
    plain: float
    row: Row


def test_fields_of_records_say_what_their_numbers_are() -> None:
    assert declared_metrics(Scores) == {
        "score": Metric(better="higher"),
        "weight": Metric(unit="g"),
        "maybe": Metric(unit="kB"),
        "row.energy": Metric(unit="J", better="lower"),
    }
    assert declared_metrics(Typed) == {"parts.*": Metric(unit="ms")}
    assert declared_metrics(dict[str, Annotated[float, metric(unit="s")]]) == {"*": Metric(unit="s")}
    assert declared_metrics(Annotated[float, metric(unit="s")]) == {"*": Metric(unit="s")}
    assert declared_metrics(dict[str, float]) == declared_metrics(object) == {}


def test_a_mark_leaves_a_result_what_it_was() -> None:
    assert is_metrics(dict[str, Annotated[float, metric(unit="s")]])
    assert is_metrics(Evaluation)
    assert is_metrics(PredictionQuality)


def test_what_a_step_says_goes_before_its_name() -> None:
    said = {"q.loss": Metric(better="higher"), "parts.*": Metric(unit="ms", better="lower")}
    assert meaning_of("q.loss", said).better == "higher"
    assert meaning_of("parts.a.b", said) == Metric(unit="ms", better="lower")
    assert meaning_of("q.f1_w", said).unit == meaning_of("q.weight_g", said).unit == ""


def test_what_etude_measures_itself_has_its_unit() -> None:
    assert meaning_of("model.cost.energy_j", {}) == Metric(unit="J", better="lower")
    assert meaning_of("model.cost.window.prefill.wall_s", {}) == Metric(unit="s", better="lower")


def test_every_score_of_etude_s_evaluation_has_a_direction() -> None:
    assert {field.name for field in fields(Evaluation)} == declared_metrics(Evaluation).keys()
    assert {one.better for one in declared_metrics(Evaluation).values()} == {"higher"}


def records(declared: dict[str, dict[str, str]] | None = None) -> pa.Table:
    rows = {"model": ["a", "b", "c"], "q.loss": [1.0, 2.0, 4.0], "q.acc": [0.1, 0.2, 0.3], "q.big": [7.0, 8.0, 9.0]}
    meaning = {"params": ["model"], "metrics": ["q.loss", "q.acc", "q.big"], "costs": [], "declared": declared or {}}
    return pa.table(rows).replace_schema_metadata({"etude": json.dumps(meaning)})


def test_the_lowest_loss_is_the_best_and_of_an_unknown_number_none_is() -> None:
    summary = aggregate(records())
    best = [summary.best(name) for name in summary.metrics]
    assert best == [{"model=a"}, {"model=c"}, frozenset()]
    assert "no best group is marked for q.big" in summary.notes[-1]


def test_no_cell_is_bold_where_it_is_not_known_what_is_better() -> None:
    assert [line.cells[2].best for line in means_table(aggregate(records())).groups] == [False] * 3


def test_the_records_carry_what_the_step_says() -> None:
    summary = aggregate(records({"q.big": {"unit": "J", "better": "lower"}}))
    assert summary.best("q.big") == {"model=a"}
    assert summary.units == {"q.big": "J"}
    assert not any("q.big" in note for note in summary.notes)


def test_what_the_study_says_goes_before_what_the_step_says() -> None:
    said = {"q.big": {"unit": "J", "better": "lower"}}
    assert aggregate(records(said), higher_is_better=("q.big",)).best("q.big") == {"model=c"}
    with pytest.raises(StepError, match="both"):
        aggregate(records(said), higher_is_better=("q.big",), lower_is_better=("q.big",))


def test_a_table_shows_what_tells_good_from_bad_before_costs_and_lengths() -> None:
    names = ["q.tokens", "q.energy", "q.accuracy", "q.length", "q.loss"]
    table = pa.table({"seed": [0, 1], **{name: [0.1, 0.2] for name in names}})
    assert aggregate(table, replicate="seed").metrics == ("q.accuracy", "q.loss", "q.energy", "q.tokens", "q.length")
    assert aggregate(table, replicate="seed", metrics=names).metrics == tuple(names)


@pytest.mark.parametrize(
    ("number", "unit", "better", "expected"),
    [
        ("model.cost.anything", "", None, True),
        ("q.energy_used", "", "lower", True),
        ("q.decodeLatency", "", "lower", True),
        ("q.x", "J", "lower", True),
        ("q.x", "J", "higher", False),
        ("q.x", "J", None, False),
        ("q.loss", "", "lower", False),
        ("q.energy", "nats", "lower", False),
        ("energy.loss", "", "lower", False),
    ],
)
def test_a_cost_is_spent_and_the_less_the_better(number: str, unit: str, better: Any, expected: bool) -> None:
    assert is_cost(number, unit, better) == expected


def test_a_note_names_the_numbers_without_a_direction_but_not_those_of_a_step_that_spoke() -> None:
    def notes(of: str) -> list[str]:
        return [note for note in aggregate(records({of: {"unit": "", "better": "lower"}})).notes if "q.big" in note]

    assert len(notes("other.loss")) == 1
    assert notes("q.loss") == []
