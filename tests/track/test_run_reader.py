"""What trackers are told of a study."""

from __future__ import annotations

import json
from collections.abc import Callable

from etude.redaction import HIDDEN, Redactor
from etude.study.execution import Result
from etude.study.prepare import prepare
from etude.study.study import Study
from etude.track.run_reader import RunReader, flatten, number
from projects import Project


def test_nested_params_come_under_dotted_names() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": [{"g": "x"}], "h": {}}) == {
        "a.b": 1,
        "a.c.d": None,
        "e": "[1, 2]",
        "f.0.g": "x",
        "h": "{}",
    }


def test_only_finite_numbers_are_numbers() -> None:
    given = [1, True, 0.5, float("nan"), float("inf"), 10**400, "1", None]
    assert [number(value) for value in given] == [1.0, 1.0, 0.5, None, None, None, None, None]


def test_a_variant_tells_its_params_metrics_costs_and_curves(finished: Result) -> None:
    run = RunReader(prepared=finished.prepared, redact=Redactor()).variant(1)
    assert run.name == "rate=1.0 seed=1"
    assert run.params["rate"] == 1.0
    assert run.params["options.deep.er"] == 1
    assert run.params["model.options.deep.er"] == 1
    assert run.metrics["quality.accuracy"] == 0.6
    assert run.metrics["model.cost.wall_s"] > 0
    assert run.error == ""
    (curve,) = run.curves
    assert curve.name == "model.history.loss"
    assert curve.points == ((1, 0.5), (2, 1 / 3), (3, 0.25), (4, 0.2))
    assert run.started_s < run.ended_s
    assert json.loads(run.texts["record.json"])["record"]["quality.unknown"] is None


def test_what_is_undefined_is_named_and_what_is_unknown_is_left_out(finished: Result) -> None:
    run = RunReader(prepared=finished.prepared, redact=Redactor()).variant(0)
    assert run.tags["undefined"] == "quality.mcc"
    assert not run.metrics.keys() & {"quality.mcc", "quality.unknown"}


def test_equal_results_have_equal_keys_and_digests_however_often_they_are_read(finished: Result) -> None:
    first, again = (
        RunReader(prepared=prepare(finished.prepared.study), redact=Redactor()).variant(0) for _ in range(2)
    )
    assert (first.key, first.digest) == (again.key, again.digest)
    assert RunReader(prepared=finished.prepared, redact=Redactor()).variant(1).key != first.key


def test_other_code_makes_another_run(project: Project, toy: Callable[..., Study], finished: Result) -> None:
    before = RunReader(prepared=finished.prepared, redact=Redactor()).variant(0)
    path = project.folder / f"{project.module}.py"
    path.write_text(path.read_text().replace("0.1 * seed", "0.2 * seed"))
    assert RunReader(prepared=prepare(toy()), redact=Redactor()).variant(0).key != before.key


def test_a_failed_variant_says_what_went_wrong(project: Project, toy: Callable[..., Study]) -> None:
    result = project.run(toy(9.0))
    run = RunReader(prepared=result.prepared, redact=Redactor()).variant(0)
    assert run.error == "quality rate=9.0 seed=0: ValueError: rate 9.0 is too high"
    assert run.metrics["model.cost.wall_s"] > 0


def test_the_study_as_a_whole_has_its_results_and_its_file(project: Project, finished: Result) -> None:
    results = finished.prepared.workplace.results
    (results / "charts").mkdir(parents=True)
    (results / "charts" / "a.png").write_bytes(b"x")
    (results / ".exported.json").write_text("{}")
    run = RunReader(prepared=finished.prepared, redact=Redactor()).whole()
    assert run.files == {"charts/a.png": results / "charts" / "a.png"}
    assert run.metrics["variants_done"] == 2
    assert run.key == RunReader(prepared=finished.prepared, redact=Redactor()).variant(0).parent


def test_secrets_are_in_nothing_that_is_told(finished: Result) -> None:
    redact = Redactor.of({"TOKEN": "rate=1.0"})  # any text that the study does hold
    run = RunReader(prepared=finished.prepared, redact=redact).variant(0)
    assert run.name == f"{HIDDEN} seed=0"
    assert "rate=1.0" not in run.texts["record.json"]
