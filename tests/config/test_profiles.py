"""Profiles are laid over the study key by key; one that is not chosen is checked all the same."""

from __future__ import annotations

import pytest

from study_files import FaultAt, Read

STUDY = """
params: {size: 100, seed: 0, spectral: 1}
pipeline:
  raw: {step: text.load, with: {source: a, size: "${size}"}}
  model: {step: text.train, from: raw, with: {epochs: 10}, on: {gpus: 1, walltime: 2h}}
vary: {grid: {size: [1, 2]}, repeat: {seed: [0, 1]}}
collect: {table: {step: a.b, from: records}, votes: {step: a.c, from: "model[*]"}}
place: {backend: processes, workers: 4}
profiles:
  tiny:
"""


def with_profile(lines: str) -> str:
    return STUDY + "".join(f"    {line}\n" for line in lines.splitlines())


def chosen(read: Read, lines: str):
    reading = read(with_profile(lines), profile="tiny")
    assert reading.faults == ()
    return reading.study


def test_a_profile_changes_what_it_says_and_nothing_else(read: Read) -> None:
    study = chosen(
        read, "params: {size: 5}\npipeline: {model: {with: {epochs: 1}, on: {gpus: 0}}}\nplace: {workers: 1}"
    )
    assert study.params == {"size": 5, "seed": 0, "spectral": 1}
    assert study.pipeline["model"].settings == {"epochs": 1}
    assert study.pipeline["model"].sources[""].node == "raw"
    assert (study.pipeline["model"].needs.gpus, study.pipeline["model"].needs.walltime_s) == (0, 7200)
    assert (study.place.backend, study.place.workers) == ("processes", 1)


def test_what_a_profile_changed_is_on_record(read: Read) -> None:
    origin = chosen(read, "params: {size: 5}\nvary: {repeat: {seed: [0]}}\npipeline: {model: {on: {gpus: 0}}}").origin
    assert origin == dict.fromkeys(("params.size", "vary.repeat.seed", "pipeline.model.on.gpus"), "profile tiny")


def test_a_list_takes_the_place_of_a_list(read: Read) -> None:
    assert chosen(read, "vary: {grid: {size: [9]}}").vary.grid == {"size": (9,)}


def test_null_takes_away_a_node_an_axis_and_a_section(read: Read) -> None:
    study = chosen(read, "collect: {votes: null}\nvary: {grid: null}\nplace: {workers: null}")
    assert list(study.collect) == ["table"]
    assert study.vary.grid == {}
    assert study.vary.repeat == {"seed": (0, 1)}
    assert study.place.workers is None


def test_null_is_a_value_for_params_and_settings(read: Read) -> None:
    study = chosen(read, "params: {spectral: null}\npipeline: {model: {with: {epochs: null}}}")
    assert study.params["spectral"] is None
    assert study.pipeline["model"].settings == {"epochs": None}


def test_a_profile_may_add_a_node_with_a_step(read: Read) -> None:
    assert chosen(read, "pipeline: {extra: {step: a.b}}").pipeline["extra"].step == "a.b"


def test_a_profile_that_is_not_chosen_changes_nothing(read: Read) -> None:
    reading = read(with_profile("params: {size: 5}"))
    assert reading.study.params["size"] == 100
    assert reading.study.origin == {}


def test_an_unknown_profile_suggests_the_nearest(fault_at: FaultAt) -> None:
    fault = fault_at(with_profile("params: {size: 5}"), "profiles", profile="tinny")
    assert "'tinny'" in fault.reason
    assert "'tiny'" in fault.mend


@pytest.mark.parametrize("profile", [None, "tiny"])
@pytest.mark.parametrize(
    ("lines", "path", "mend"),
    [
        ("params: {sise: 5}", "params.sise", "'size'"),
        ("pipeline: {modle: {with: {epochs: 1}}}", "pipeline.modle", "'model'"),
        ("collect: {vots: null}", "collect.vots", "'votes'"),
        ("env: {A: size}", "env", "outside of profiles"),
        ("extends: x.yaml", "extends", "outside of profiles"),
        ("plac: {workers: 1}", "plac", "'place'"),
    ],
)
def test_a_profile_names_only_what_there_is(
    fault_at: FaultAt, lines: str, path: str, mend: str, profile: str | None
) -> None:
    fault = fault_at(with_profile(lines), f"profiles.tiny.{path}", profile=profile)
    assert fault.line == 11
    assert mend in fault.mend


@pytest.mark.parametrize(
    ("lines", "path", "value"),
    [
        ("place: {workers: 0}", "place.workers", 0),
        ("pipeline: {model: {on: {gpus: many}}}", "pipeline.model.on.gpus", "many"),
        ("pipeline: {model: {with: {epochs: '${epoch}'}}}", "pipeline.model.with.epochs", "${epoch}"),
        ("pipeline: {model: {from: rwa}}", "pipeline.model.from", "rwa"),
        ("pipeline: {model: {form: raw}}", "pipeline.model.form", "raw"),
        ("vary: {grid: {sise: [1]}}", "vary.grid.sise", None),
        ("vary: {grid: {size: [1, 1]}}", "vary.grid.size.1", 1),
        ("vary: {grid: {seed: [1]}}", "vary.repeat.seed", None),
    ],
)
def test_a_fault_inside_a_profile_is_told_whether_it_is_chosen_or_not(
    read, lines: str, path: str, value: object
) -> None:
    (fault,) = read(with_profile(lines)).faults
    assert fault.value == value
    if path != "vary.repeat.seed":
        assert (fault.path, fault.line) == (f"profiles.tiny.{path}", 11)
    (same,) = read(with_profile(lines), profile="tiny").faults
    assert (same.path, same.value) == (path, value)


def test_what_a_profile_breaks_elsewhere_is_told_with_its_name(read: Read) -> None:
    (fault,) = read(with_profile("pipeline: {raw: null}")).faults
    assert fault.path == "pipeline.model.from"
    assert "(with profile tiny)" in fault.reason


def test_a_fault_of_the_study_is_not_told_again_for_each_profile(read: Read) -> None:
    text = with_profile("params: {size: 5}\n").replace("epochs: 10", "epochs: '${epoch}'")
    assert len(read(text).faults) == 1


@pytest.mark.parametrize("text", ["3", "[a]", "text"])
def test_a_profile_is_a_mapping(fault_at: FaultAt, text: str) -> None:
    assert fault_at(STUDY.rstrip() + f" {text}\n", "profiles.tiny").reason.startswith("expected a mapping")


def test_profiles_of_jsonnet_are_checked_as_well(fault_at: FaultAt) -> None:
    text = "{params: {a: 1}, pipeline: {n: {step: 'a.b'}}, profiles: {p: {params+: {b: 1}}}}"
    assert fault_at(text, "profiles.p.params.b", "s.jsonnet").value == 1
