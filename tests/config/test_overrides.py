"""`--set`: what a value means, where it goes, and what is refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config.overrides import parse_override, parse_value
from etude.errors import ConfigError, Fault
from study_files import FaultAt, Read

PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20).filter(
    lambda text: text == text.strip()
)
QUOTED = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | QUOTED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(QUOTED, inner, max_size=3),
    max_leaves=8,
)

STUDY = """
params: {pooling: mean, seed: 0, model: {width: 8, layers: [1, 2]}, spectral: null}
pipeline:
  raw: {step: text.load, with: {source: a}}
  model: {step: text.train, from: raw, with: {pooling: "${pooling}", epochs: 3}, on: login}
vary:
  grid: {pooling: [mean, max]}
  repeat: {seed: [0, 1]}
collect: {table: {step: a.b, from: records}}
place: {workers: 1}
"""
POINTS = """
params: {a: 1, b: 2}
pipeline: {raw: {step: text.load}}
vary: {list: [{a: 1, b: 1}, {a: 1, b: 2}, {a: 2, b: 3}]}
"""


def set_fault(read: Read, text: str) -> Fault:
    reading = read(STUDY, overrides=[text])
    (fault,) = reading.faults
    assert fault.file == "--set"
    assert reading.study is not None
    return fault


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.5", 1.5),
        ("1e-3", 0.001),
        ("true", True),
        ("yes", "yes"),
        ("null", None),
        ("~", None),
        ("max", "max"),
        ('"1"', "1"),
        ("'null'", "null"),
        ('""', ""),
        ("[1, 2]", [1, 2]),
        ("[]", []),
        ("{x: 1, y: [a]}", {"x": 1, "y": ["a"]}),
        ("  padded  ", "padded"),
        ("a, b", "a, b"),
        ("note: this # and that", "note: this # and that"),
        ("@other/model", "@other/model"),
        ("scored[*]", "scored[*]"),
        ("*x & !y %z", "*x & !y %z"),
        ("- item", "- item"),
        ("a=b", "a=b"),
        (".inf", math.inf),
    ],
)
def test_a_value_is_read_as_yaml_in_one_line(text: str, value: object) -> None:
    found = parse_override(f"x={text}").value
    assert found == value
    assert type(found) is type(value)


@given(JSON_VALUES)
def test_every_json_value_can_be_set(value: object) -> None:
    found = parse_value(json.dumps(value))
    assert found == value
    assert type(found) is type(value)


@given(PLAIN.filter(lambda text: text[0] not in "[{\"'"))
def test_text_without_brackets_or_quotes_never_fails_and_stays_one_line(text: str) -> None:
    value = parse_value(text)
    assert value == text or not isinstance(value, (str, list, dict))


@pytest.mark.parametrize(
    "text",
    [
        "[1",
        "{a: 1",
        '"x',
        "'x",
        '"a": 1',
        "[1] 2",
        "{a:1}",
        "{a: 1, a: 2}",
        "",
        "   ",
        "[*x]",
        "{a: !!python/name:os x}",
    ],
)
def test_a_value_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_override(f"x={text}")
    (fault,) = raised.value.faults
    assert (fault.path, fault.file, fault.value) == ("x", "--set", text)
    assert fault.mend


@pytest.mark.parametrize("text", ["pooling", "", "~x=1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_override(text)
    assert "path=value" in raised.value.faults[0].mend


def test_a_bare_name_sets_the_param(read: Read) -> None:
    assert read(STUDY, overrides=["spectral=3"]).study.params["spectral"] == 3


def test_a_dotted_name_sets_inside_a_param(read: Read) -> None:
    study = read(STUDY, overrides=["model.width=16", "model.layers.1=5"]).study
    assert study.params["model"] == {"width": 16, "layers": [1, 5]}


def test_inside_a_param_that_is_null_a_mapping_is_made(read: Read) -> None:
    assert read(STUDY, overrides=["spectral.cutoff=3"]).study.params["spectral"] == {"cutoff": 3}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pipeline.model.with.epochs=5", lambda study: study.pipeline["model"].settings["epochs"] == 5),
        ("pipeline.model.with.new=5", lambda study: study.pipeline["model"].settings["new"] == 5),
        ("pipeline.raw.on.gpus=2", lambda study: study.pipeline["raw"].needs.gpus == 2),
        ("pipeline.model.from=@other/raw", lambda study: study.pipeline["model"].sources[""].study == "other"),
        ("pipeline.extra={step: a.b}", lambda study: study.pipeline["extra"].step == "a.b"),
        ("vary.repeat.seed=[7]", lambda study: study.vary.repeat == {"seed": (7,)}),
        ("vary.grid.pooling.1=last", lambda study: study.vary.grid == {"pooling": ("mean", "last")}),
        ("place.workers=4", lambda study: study.place.workers == 4),
        ("place={backend: inline}", lambda study: (study.place.backend, study.place.workers) == ("inline", None)),
        ("name=other", lambda study: study.name == "other"),
        ("params.spectral=1", lambda study: study.params["spectral"] == 1),
        ("~pipeline.model.with.epochs", lambda study: "epochs" not in study.pipeline["model"].settings),
        ("~collect.table", lambda study: study.collect == {}),
        ("~vary.grid.pooling", lambda study: study.vary.grid == {}),
        ("~vary", lambda study: study.vary.repeat == {}),
    ],
)
def test_a_path_sets_what_it_names(read: Read, text: str, found) -> None:
    reading = read(STUDY, overrides=[text])
    assert reading.faults == ()
    assert found(reading.study)


def test_overrides_are_taken_in_order(read: Read) -> None:
    study = read(STUDY, overrides=["spectral=1", "spectral=2"]).study
    assert study.params["spectral"] == 2


def test_setting_a_param_narrows_the_grid_to_it(read: Read) -> None:
    study = read(STUDY, overrides=["pooling=last"]).study
    assert study.params["pooling"] == "last"
    assert study.vary.grid == {"pooling": ("last",)}
    assert study.origin == {"params.pooling": "--set", "vary.grid.pooling": "--set"}


def test_setting_a_param_narrows_the_repeats_to_it(read: Read) -> None:
    study = read(STUDY, overrides=["params.seed=7"]).study
    assert study.vary.repeat == {"seed": (7,)}
    assert study.origin["vary.repeat.seed"] == "--set"


def test_a_list_as_a_params_value_is_one_value_of_its_axis(read: Read) -> None:
    assert read(STUDY, overrides=["pooling=[mean, max]"]).study.vary.grid == {"pooling": (["mean", "max"],)}


def test_setting_a_param_keeps_the_points_that_have_it(read: Read) -> None:
    study = read(POINTS, overrides=["a=1"]).study
    assert study.vary.points == ({"a": 1, "b": 1}, {"a": 1, "b": 2})
    assert read(POINTS, overrides=["a=1", "b=2"]).study.vary.points == ({"a": 1, "b": 2},)


def test_setting_a_param_to_what_no_point_has_is_refused(fault_at: FaultAt) -> None:
    fault = fault_at(POINTS, "a", overrides=["a=5"])
    assert fault.value == 5
    assert "[1, 1, 2]" in fault.reason


def test_true_is_not_the_point_with_one(fault_at: FaultAt) -> None:
    assert fault_at(POINTS, "a", overrides=["a=true"]).value is True


def test_a_part_of_a_varied_param_cannot_be_set_alone(fault_at: FaultAt) -> None:
    text = "params: {m: {w: 1}}\npipeline: {n: {step: a.b}}\nvary: {grid: {m: [{w: 1}, {w: 2}]}}"
    fault = fault_at(text, "m.w", overrides=["m.w=3"])
    assert "vary.grid.m" in fault.mend


@pytest.mark.parametrize(
    ("text", "path", "mend"),
    [
        ("poolng=max", "poolng", "'pooling'"),
        ("pipline.model.with.epochs=1", "pipline.model.with.epochs", "'pipeline'"),
        ("model.with.epochs=1", "model.with.epochs", "write pipeline.model.with.epochs"),
        ("model.widht=1", "model.widht", "'width'"),
        ("raw.with.source=b", "raw.with.source", "write pipeline.raw.with.source"),
        ("table.with.x=1", "table.with.x", "write collect.table.with.x"),
        ("params.sede=1", "params.sede", "'seed'"),
        ("pipeline.modle.with.epochs=1", "pipeline.modle.with.epochs", "'model'"),
        ("pipeline.new=3", "pipeline.new", "known: model, raw"),
        ("collect.tabel.with.x=1", "collect.tabel.with.x", "'table'"),
        ("place.wrkers=4", "place.wrkers", "'workers'"),
        ("seed.x=1", "seed.x", "set params.seed itself"),
        ("pipeline.model.on.gpus=1", "pipeline.model.on.gpus", "set pipeline.model.on itself"),
        ("vary.grid.pooling.2=x", "vary.grid.pooling.2", "index from 0"),
        ("vary.grid.pooling.x=x", "vary.grid.pooling.x", "index from 0"),
        ("~vary.grid.pooling.0", "vary.grid.pooling.0", "set the whole of vary.grid.pooling"),
        ("~pipeline.model.with.epoch", "pipeline.model.with.epoch", "'epochs'"),
        ("~params.nothing", "params.nothing", "known: model, pooling"),
        ("env.X=seed", "env.X", "in the file"),
        ("profiles.tiny={}", "profiles.tiny", "in the file"),
        ("extends=base.yaml", "extends", "in the file"),
        ("pipeline..with=1", "pipeline..with", "a path such as"),
        ("place.workers=0", "place.workers", ""),
        ("vary.grid={poolin: [1]}", "vary.grid.poolin", "'pooling'"),
        ("vary.grid.pooling=[a, a]", "vary.grid.pooling.1", "keep one"),
    ],
)
def test_what_cannot_be_set_is_told_with_path_and_mend(read: Read, text: str, path: str, mend: str) -> None:
    fault = set_fault(read, text)
    assert fault.path == path
    assert mend in fault.mend


def test_every_faulty_override_is_told(read: Read) -> None:
    reading = read(STUDY, overrides=["a=1", "seed", "spectral=2", "b=1"])
    assert [fault.path for fault in reading.faults] == ["a", "seed", "b"]
    assert reading.study.params["spectral"] == 2


@pytest.mark.parametrize("text", ["spectral=2 + 3", "spectral=__import__('os').getcwd()", "spectral=${pooling}"])
def test_a_value_is_never_run(read: Read, text: str) -> None:
    assert read(STUDY, overrides=[text]).study.params["spectral"] == text.partition("=")[2]
