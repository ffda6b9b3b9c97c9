"""file < profile < environment < --set, pair by pair, in each format."""

from __future__ import annotations

import json

import pytest

from study_files import FaultAt, Read

TREE = {
    "params": {"x": "file", "y": "file"},
    "env": {"X": "x", "CORES": "pipeline.n.on.cpus"},
    "profiles": {"p": {"params": {"x": "profile"}, "place": {"workers": 2}}},
    "pipeline": {"n": {"step": "a.b", "with": {"x": "${x}"}, "on": {"cpus": 1}}},
    "vary": {"repeat": {"y": ["a", "b"]}},
    "place": {"workers": 1, "retries": 0},
}
JSONNET = (
    json.dumps({key: value for key, value in TREE.items() if key != "vary"})[:-1] + ", vary: {repeat: {y: ['a', 'b']}}}"
)
FORMATS = {"study.json": json.dumps(TREE), "study.yaml": json.dumps(TREE), "study.jsonnet": JSONNET}

PROFILE = {"profile": "p"}
ENV = {"environment": {"X": "env"}}
SET = {"overrides": ["x=set"]}


@pytest.fixture(params=FORMATS)
def reading(request, read: Read):
    def do(**how):
        found = read(FORMATS[request.param], request.param, **how)
        assert found.faults == ()
        return found.study

    return do


@pytest.mark.parametrize(
    ("layers", "value", "origin"),
    [
        ({}, "file", None),
        (PROFILE, "profile", "profile p"),
        (ENV, "env", "env X"),
        (SET, "set", "--set"),
        (PROFILE | ENV, "env", "env X"),
        (PROFILE | SET, "set", "--set"),
        (ENV | SET, "set", "--set"),
        (PROFILE | ENV | SET, "set", "--set"),
    ],
)
def test_the_later_layer_wins_and_is_on_record(reading, layers, value, origin) -> None:
    study = reading(**layers)
    assert study.params["x"] == value
    assert study.origin.get("params.x") == origin


def test_layers_that_say_different_things_all_count(reading) -> None:
    study = reading(profile="p", environment={"CORES": "3"}, overrides=["y=c"])
    assert study.place.workers == 2
    assert study.place.retries == 0
    assert study.pipeline["n"].needs.cpus == 3
    assert study.params == {"x": "profile", "y": "c"}


def test_a_variable_of_the_environment_is_read_as_yaml(reading) -> None:
    assert reading(environment={"X": "3"}).params["x"] == 3


def test_an_empty_variable_is_as_good_as_none(reading) -> None:
    assert reading(environment={"X": ""}).params["x"] == "file"


def test_a_variable_that_the_study_does_not_declare_changes_nothing(reading) -> None:
    assert reading(environment={"Y": "env", "x": "env"}).params == {"x": "file", "y": "file"}


def test_the_environment_narrows_an_axis(read: Read) -> None:
    text = """
    params: {pooling: mean}
    env: {POOL: pooling}
    pipeline: {n: {step: a.b}}
    vary: {grid: {pooling: [mean, max]}}
    """
    study = read(text, environment={"POOL": "max"}).study
    assert study.vary.grid == {"pooling": ("max",)}
    assert study.origin == {"params.pooling": "env POOL", "vary.grid.pooling": "env POOL"}


def test_a_profile_does_not_narrow_an_axis(read: Read) -> None:
    text = "params: {s: 0}\npipeline: {n: {step: a.b}}\nvary: {repeat: {s: [1, 2]}}\nprofiles: {p: {params: {s: 9}}}"
    study = read(text, profile="p").study
    assert study.params == {"s": 9}
    assert study.vary.repeat == {"s": (1, 2)}


def test_the_environment_of_the_process_is_never_read(read: Read, monkeypatch) -> None:
    monkeypatch.setenv("X", "leaked")
    assert read(FORMATS["study.yaml"]).study.params["x"] == "file"


@pytest.mark.parametrize(
    ("target", "mend"),
    [
        ("poling", "'pooling'"),
        ("pipeline.m.with.x", "known: n"),
        ("profiles.x", "in the file"),
        ("pooling.x", "set params.pooling"),
    ],
)
def test_a_binding_to_what_is_not_there_is_a_fault_of_the_file(fault_at: FaultAt, target: str, mend: str) -> None:
    text = f"params: {{pooling: mean}}\nenv:\n  POOL: {target}\npipeline: {{n: {{step: a.b}}}}"
    fault = fault_at(text, "env.POOL")
    assert (fault.value, fault.line) == (target, 3)
    assert mend in fault.mend


def test_a_faulty_value_of_a_variable_names_the_variable(fault_at: FaultAt) -> None:
    text = "env: {N: place.workers}\npipeline: {n: {step: a.b}}"
    fault = fault_at(text, "place.workers", environment={"N": "many"})
    assert (fault.file, fault.value) == ("env N", "many")


def test_a_variable_that_cannot_be_read_names_the_variable(fault_at: FaultAt) -> None:
    text = "env: {N: place.workers}\npipeline: {n: {step: a.b}}"
    assert fault_at(text, "place.workers", environment={"N": "[1"}).file == "env N"


@pytest.mark.parametrize(
    ("value", "allowed"), [("max", True), ("true", True), ("yes", False), ("3", False), ("mx", False)]
)
def test_a_variable_may_be_none_but_what_it_may_be(read: Read, value: str, *, allowed: bool) -> None:
    text = "params: {p: 0}\nenv: {POOL: {sets: p, one_of: [mean, max, true]}}\npipeline: {n: {step: a.b}}"
    faults = read(text, environment={"POOL": value}).faults
    assert (faults == ()) == allowed
    if not allowed:
        assert "POOL is expected to be one of 'mean', 'max', True" in faults[0].reason
        assert str(faults[0].value) == value


def test_a_variable_that_is_marked_as_secret_is_known_and_may_stand_nowhere(read: Read) -> None:
    text = "params: {a: 0}\nenv: {LOGIN: {secret: true}}\npipeline: {n: {step: a.b}}"
    assert read(text).study.secrets == ("LOGIN",)
    (fault,) = read(text.replace("a: 0", "a: hunter22"), environment={"LOGIN": "hunter22"}).faults
    assert (fault.path, fault.value) == ("params.a", "(redacted)")
