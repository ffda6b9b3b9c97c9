"""Jsonnet: imports, late binding under every layer, and errors with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from study_files import FaultAt, Read, Write

STUDY = """
local shared = import 'lib/shared.libsonnet';
{
  params: {seed: 1, width: 8, double: 2 * $.params.width, data: error 'say --set data=…'},
  env: {WIDTH: 'width'},
  pipeline: shared.nodes('text.train') + {
    model+: {with+: {width: $.params.width, doubled: $.params.double, data: $.params.data}},
  },
  vary: {repeat: {seed: std.range(0, 2)}, list: [{width: 8}, {width: 16}]},
  profiles:: {small: {params+: {width: 4}, pipeline+: {model+: {on: {gpus: 0}}}}},
}
"""
SHARED = "{ nodes(step):: (import 'nodes.jsonnet')(step) }"
NODES = "function(step) { raw: {step: 'text.load'}, model: {step: step, from: 'raw', on: {gpus: 1}} }"


@pytest.fixture
def study(write: Write):
    write(SHARED, "lib/shared.libsonnet")
    write(NODES, "lib/nodes.jsonnet")
    return STUDY


def settings(reading):
    assert reading.faults == ()
    return reading.study.pipeline["model"].settings


def test_imports_functions_and_references_are_evaluated(read: Read, study) -> None:
    reading = read(study, "s.jsonnet", overrides=["data=x"])
    assert settings(reading) == {"width": 8, "doubled": 16, "data": "x"}
    assert reading.study.pipeline["raw"].step == "text.load"
    assert reading.study.vary.repeat == {"seed": (0, 1, 2)}


def test_every_imported_file_is_on_record(read: Read, study, tmp_path: Path) -> None:
    files = read(study, "s.jsonnet", overrides=["data=x"]).study.files
    assert files == tuple(tmp_path / name for name in ("s.jsonnet", "lib/shared.libsonnet", "lib/nodes.jsonnet"))


def test_what_refers_to_an_overridden_param_follows(read: Read, study) -> None:
    assert settings(read(study, "s.jsonnet", overrides=["data=x", "width=16"]))["doubled"] == 32


def test_what_refers_to_a_param_of_the_environment_follows(read: Read, study) -> None:
    reading = read(study, "s.jsonnet", overrides=["data=x"], environment={"WIDTH": "16"})
    assert settings(reading)["doubled"] == 32


def test_what_refers_to_a_param_of_a_profile_follows(read: Read, study) -> None:
    reading = read(study, "s.jsonnet", overrides=["data=x"], profile="small")
    assert settings(reading)["doubled"] == 8
    assert reading.study.pipeline["model"].needs.gpus == 0
    assert reading.study.pipeline["model"].sources[""].node == "raw"
    assert reading.study.origin["params.width"] == "profile small"


def test_a_required_value_that_is_never_given_is_told(fault_at: FaultAt, study) -> None:
    fault = fault_at(study, "params.data", "s.jsonnet")
    assert "say --set data" in fault.reason
    assert fault.line == 4


@pytest.mark.parametrize(
    "value", ["it's", 'say "x"', "a'+error 'x", "${x}", "\\u0041", "é😀", "std.extVar('A')", "]]}} + {"]
)
def test_text_from_outside_is_never_program_text(read: Read, value: str) -> None:
    reading = read(
        "{params: {a: 1}, pipeline: {n: {step: 'a.b'}}, description: 'd'}",
        "s.jsonnet",
        overrides=[f"description={value}"],
    )
    assert reading.faults == ()
    assert reading.study.description == value


def test_a_list_item_is_set_in_place(read: Read, study) -> None:
    reading = read(study, "s.jsonnet", overrides=["data=x", "vary.list.1.width=32"])
    assert reading.study.vary.points == ({"width": 8}, {"width": 32})


def test_a_long_path_of_indices_is_set(read: Read) -> None:
    text = "{params: {x: null, y: [[[1, 2]]]}, pipeline: {n: {step: 'a.b'}}}"
    params = read(text, "s.jsonnet", overrides=["y.0.0.1=3", "x" + ".0" * 40 + "=1"]).study.params
    assert params["y"] == [[[1, 3]]]
    assert str(params["x"]).count("'0'") == 40


def test_a_path_that_is_not_there_is_made(read: Read, study) -> None:
    reading = read(study, "s.jsonnet", overrides=["data=x", "pipeline.raw.on.cpus=3", "place.workers=2"])
    assert reading.study.pipeline["raw"].needs.cpus == 3
    assert reading.study.place.workers == 2


def test_a_value_can_be_taken_away(read: Read, study) -> None:
    reading = read(study, "s.jsonnet", overrides=["data=x", "~pipeline.model.with.doubled", "~vary.list"])
    assert "doubled" not in settings(reading)
    assert reading.study.vary.points == ()


def test_the_order_of_the_file_is_kept(read: Read) -> None:
    reading = read(
        "{params: {z: 1, a: 2}, vary: {grid: {z: [1, 2], a: [3]}}, pipeline: {z: {step: 'a.b'}, b: {step: 'a.b'}}}",
        "s.jsonnet",
        overrides=["z=5"],
    )
    assert list(reading.study.params) == ["z", "a"]
    assert list(reading.study.vary.grid) == ["z", "a"]
    assert list(reading.study.pipeline) == ["z", "b"]


@pytest.mark.parametrize(
    ("text", "path", "line", "said"),
    [
        ("{\n pipeline: nope }", "pipeline", 2, "nope"),
        ("{\n a: }", "", 2, "syntax error"),
        ("{\n a: error 'boom' }", "a", 2, "boom"),
        ("{\n params: {x: std.extVar('HOME')}}", "params.x", 2, "HOME"),
        ("{\n assert false : 'too small',\n a: 1}", "", 2, "too small"),
        ("{params: {x: self.y,\n y: self.x}}", "params.x", 2, "infinite"),
        ("local f(x) = f(x) + 1;\n{params: {a: f(1)}}", "params.a", 1, "stack overflow"),
        ("{a: 1,\n a: 2}", "", 2, "duplicate"),
        ("{\n\n a: import 'lbi.libsonnet'}", "", 3, "lbi.libsonnet"),
        ("function(x) {}", "", None, "function"),
        ("[1]", "", None, "array"),
        ("{params: {x: self.y}}", "params.x", None, "no such field"),
        ("{pipeline: {}, extends: 'base.yaml'}", "extends", None, "import"),
        ("\n" + "[" * 3000, "", 2, "deep"),
    ],
)
def test_what_cannot_be_evaluated_is_told_with_file_and_place(
    read, write: Write, tmp_path: Path, text, path, line, said
) -> None:
    write("{}", "lib.jsonnet")
    reading = read(text, "s.jsonnet")
    (fault,) = reading.faults
    assert reading.study is None
    assert (fault.file, fault.path, fault.line) == (str(tmp_path / "s.jsonnet"), path, line)
    assert said in fault.reason


def test_an_error_in_an_imported_file_is_told_there_and_how_it_was_reached(
    read: Read, write: Write, tmp_path: Path
) -> None:
    write("{\n x:\n  nope }", "lib.libsonnet")
    (fault,) = read("local lib = import 'lib.libsonnet';\n{params:\n {x: lib.x}}", "s.jsonnet").faults
    assert (fault.file, fault.line) == (str(tmp_path / "lib.libsonnet"), 3)


def test_the_environment_itself_cannot_be_read_by_a_program(fault_at: FaultAt) -> None:
    text = "{params: {x: std.extVar('HOME')}, env: {X: 'x'}}"
    fault = fault_at(text, "params.x", "s.jsonnet", environment={"HOME": "/home"})
    assert "declare `env:" in fault.mend


def test_a_missing_import_suggests_the_nearest_file(read: Read, write: Write) -> None:
    write("{}", "shared.jsonnet")
    (fault,) = read("(import 'shard.jsonnet')", "s.jsonnet").faults
    assert "shared.jsonnet" in fault.mend


def test_whole_numbers_that_jsonnet_rounds_are_refused(fault_at: FaultAt) -> None:
    fault = fault_at("{params: {x: 9007199254740993}, pipeline: {n: {step: 'a.b'}}}", "params.x", "s.jsonnet")
    assert fault.value == 2**53
    assert "2^53" in fault.reason


def test_endless_numbers_cannot_be_set_in_jsonnet(fault_at: FaultAt) -> None:
    text = "{params: {x: 1}, pipeline: {n: {step: 'a.b'}}}"
    assert ".inf" in fault_at(text, "params.x", "s.jsonnet", overrides=["x=.inf"]).reason


def test_json_can_be_imported(read: Read, write: Write) -> None:
    write('{"n": {"step": "a.b"}}', "nodes.json")
    assert list(read("{pipeline: import 'nodes.json'}", "s.jsonnet").study.pipeline) == ["n"]
