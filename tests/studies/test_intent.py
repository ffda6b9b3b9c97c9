"""The studies of classification heads: what they are made of, what a cluster script's variables pick, and the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from etude.config.load import load_study, read_study
from etude.errors import ConfigError
from etude.study.execution import Execution
from etude.study.prepare import Options, PreparedStudy, prepare
from projects import environment

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "studies" / "intent"
ANYWHERE = sorted(path.name for path in FOLDER.glob("*.jsonnet") if not path.name.startswith("local"))
PAGE = (ROOT / "docs" / "intent.md").read_text(encoding="utf-8")


def planned(tmp_path: Path, name: str, variables: Mapping[str, str] | None = None, *settings: str) -> PreparedStudy:
    places = [f"place.store={tmp_path / 'store'}", f"place.results={tmp_path / 'results'}"]
    return prepare(load_study(FOLDER / name, overrides=[*places, *settings], environment=variables or {}))


def heads(prepared: PreparedStudy) -> list[tuple[Any, ...]]:
    """Head, pooling and filter of each variant of the first seed."""
    params = [variant.params for variant in prepared.expansion.variants]
    return [(each["head"], each["pooling"], each["spectral"]) for each in params if each["seed"] == params[0]["seed"]]


@pytest.mark.parametrize("name", ANYWHERE)
def test_every_study_plans_nine_heads_without_fetching_anything(tmp_path: Path, name: str) -> None:
    found = heads(planned(tmp_path, name))
    custom = [("linear", pool, filter) for pool in ("mean", "max", "attention", "last") for filter in (None, "low")]
    assert found == [("default", None, None), *custom]


@pytest.mark.parametrize("name", ["local.jsonnet", "local-noisy.jsonnet"])
def test_the_local_study_takes_an_encoder_and_data_of_the_users_own(tmp_path: Path, name: str) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text("{}")
    (tmp_path / "intents.csv").write_text("text,label\n")
    own = {"ENCODER": str(tmp_path / "encoder"), "DATA": str(tmp_path / "intents.csv")}
    assert len(heads(planned(tmp_path, name, own))) == 9
    assert {fault.path for fault in read_study(FOLDER / name, environment=own).faults} == set()


@pytest.mark.parametrize(
    ("variables", "picked"),
    [
        ({"CUSTOM": "False"}, [("default", None, None)]),
        ({"EVAL": "default_head"}, [("default", None, None)]),
        ({"CUSTOM": "True", "POOL": "max", "FFT": "True"}, [("linear", "max", "low")]),
        ({"EVAL": "custom_head", "CUSTOM": "True", "POOL": "last", "FFT": "False"}, [("linear", "last", None)]),
        ({"CUSTOM": "true", "POOL": "mean"}, [("linear", "mean", None), ("linear", "mean", "low")]),
    ],
)
def test_variables_of_a_cluster_script_pick_heads(
    tmp_path: Path, variables: dict[str, str], picked: list[tuple[Any, ...]]
) -> None:
    assert heads(planned(tmp_path, "tiny.jsonnet", variables)) == picked


def test_a_script_s_name_and_seed_are_those_of_the_study(tmp_path: Path) -> None:
    prepared = planned(tmp_path, "tiny.jsonnet", {"EXP": "run_7", "SEED": "7", "CUSTOM": "False"})
    assert prepared.study.name == "run_7"
    assert [variant.params["seed"] for variant in prepared.expansion.variants] == [7]


def test_variables_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    (fault, *_) = read_study(FOLDER / "tiny.jsonnet", environment={"EVAL": "default_head", "CUSTOM": "True"}).faults
    assert "no head is asked for" in fault.reason


@pytest.mark.parametrize(
    ("variable", "value"),
    [("EVAL", "banana"), ("CUSTOM", "1"), ("POOL", "median"), ("FFT", "yes"), ("SEED", "abc"), ("NOISE", "loud")],
)
def test_a_variable_of_unknown_value_is_refused_by_its_name(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, "tiny.jsonnet", {variable: value})
    told = "\n".join(f"{fault.file} {fault.reason} {fault.value}" for fault in refused.value.faults)
    assert variable in told
    assert value in told


def test_one_configuration_is_the_same_results_as_in_the_whole_study(tmp_path: Path) -> None:
    one = planned(tmp_path, "tiny.jsonnet", {"CUSTOM": "True", "POOL": "max", "FFT": "False", "SEED": "1", "EXP": "a"})
    whole = planned(tmp_path, "tiny.jsonnet")
    (model,) = (row["model"].fingerprint for row in one.expansion.nodes)
    assert model in {row["model"].fingerprint for row in whole.expansion.nodes}


def test_a_training_without_a_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path, "tiny.jsonnet", {}, "~pipeline.model.with.seed")
    assert any("seed" in str(fault) for fault in caught.value.faults)


def test_noise_changes_what_is_trained_on_and_not_the_texts_that_are_read(tmp_path: Path) -> None:
    clean, noisy = planned(tmp_path, "tiny.jsonnet"), planned(tmp_path, "tiny-noisy.jsonnet")
    first, second = clean.expansion.nodes[0], noisy.expansion.nodes[0]
    assert first["splits"].fingerprint == second["splits"].fingerprint
    assert first["model"].fingerprint != second["model"].fingerprint


@pytest.mark.slow
def test_the_tiny_study_runs_from_end_to_end(tmp_path: Path) -> None:
    few = ["pipeline.raw.with.per_label=40", "pipeline.model.with.epochs=1", "place.backend=inline"]
    few.append("pipeline.latencies.with={examples: 10, warm_up: 1, batch: 4}")
    prepared = planned(tmp_path, "tiny.jsonnet", {"SEED": "0", "POOL": "mean"}, *few)
    result = Execution(prepared, Options(environment=environment()), lambda _event: None).run()
    assert result.succeeded, [failure.outcome.error for failure in result.summary.failures]
    table = result.value("table")
    assert [group.name for group in table.groups] == [
        "head=default, pooling=null, spectral=null",
        "head=linear, pooling=mean, spectral=null",
        "head=linear, pooling=mean, spectral=low",
    ]
    for group in table.groups:
        assert group.estimates["quality.accuracy"].n == 1
        assert group.estimates["efficiency.flops_per_example"].mean > 0


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) >= 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), (file, test)


def test_every_study_that_the_page_names_is_there() -> None:
    for file in re.findall(r"studies/intent/[\w.-]+\w", PAGE):
        assert (ROOT / file).exists(), file
