"""`extends`: a YAML or JSON study laid over others."""

from __future__ import annotations

from pathlib import Path

from study_files import FaultAt, Read, Write

BASE = """
name: base
params: {size: 100, seed: 0}
env: {SIZE: size}
pipeline:
  raw: {step: text.load, with: {source: a, size: "${size}"}}
  model: {step: text.train, from: raw, with: {epochs: 10}}
collect: {table: {step: a.b, from: records}}
"""
CHILD = """
extends: base.yaml
params: {extra: 1}
pipeline:
  model: {with: {epochs: 3, extra: "${extra}"}}
"""


def test_a_child_adds_to_and_changes_its_base(read: Read, write: Write) -> None:
    write(BASE, "base.yaml")
    reading = read(CHILD, environment={"SIZE": "7"})
    assert reading.faults == ()
    study = reading.study
    assert study.params == {"size": 7, "seed": 0, "extra": 1}
    assert study.pipeline["model"].settings == {"epochs": 3, "extra": "${extra}"}
    assert study.pipeline["model"].step == "text.train"
    assert list(study.collect) == ["table"]


def test_a_child_has_a_name_of_its_own(read: Read, write: Write) -> None:
    write(BASE, "base.yaml")
    assert read(CHILD, "child.yaml").study.name == "child"


def test_every_file_is_on_record(read: Read, write: Write, tmp_path: Path) -> None:
    write(BASE, "base.yaml")
    assert read(CHILD).study.files == (tmp_path / "study.yaml", tmp_path / "base.yaml")


def test_null_takes_away_what_the_base_says(read: Read, write: Write) -> None:
    write(BASE, "base.yaml")
    assert read("extends: base.yaml\ncollect: null").study.collect == {}
    assert read("extends: base.yaml\ncollect: {table: null}").study.collect == {}


def test_of_several_bases_the_later_wins(read: Read, write: Write) -> None:
    write(BASE, "base.yaml")
    write('{"params": {"size": 1, "b": 2}}', "more.json")
    study = read("extends: [base.yaml, more.json]\nparams: {b: 3}").study
    assert study.params == {"size": 1, "seed": 0, "b": 3}


def test_a_base_may_extend_a_base_in_another_folder(read: Read, write: Write, tmp_path: Path) -> None:
    write(BASE, "shared/base.yaml")
    write("extends: base.yaml\nparams: {size: 1}", "shared/middle.yaml")
    study = read("extends: ../shared/middle.yaml", "studies/child.yaml").study
    assert study.params == {"size": 1, "seed": 0}
    assert [file.name for file in study.files] == ["child.yaml", "middle.yaml", "base.yaml"]


def test_a_value_stands_in_the_file_that_says_it(read: Read, write: Write, tmp_path: Path) -> None:
    write(BASE, "base.yaml")
    lines = read(CHILD).study.lines
    assert (Path(lines["pipeline.model.with.epochs"].file).name, lines["pipeline.model.with.epochs"].line) == (
        "study.yaml",
        5,
    )
    assert (Path(lines["pipeline.raw.step"].file).name, lines["pipeline.raw.step"].line) == ("base.yaml", 6)


def test_a_fault_in_a_base_is_told_there(read: Read, write: Write, tmp_path: Path) -> None:
    write(BASE.replace("from: raw", "from: rwa"), "base.yaml")
    (fault,) = read(CHILD).faults
    assert (fault.file, fault.line, fault.value) == (str(tmp_path / "base.yaml"), 7, "rwa")


def test_a_base_that_is_not_there_suggests_the_nearest_file(fault_at: FaultAt, write: Write) -> None:
    write(BASE, "base.yaml")
    fault = fault_at("name: x\nextends: bsae.yaml", "extends")
    assert fault.line == 2
    assert "'base.yaml'" in fault.mend


def test_a_missing_base_in_a_list_has_its_place(fault_at: FaultAt, write: Write) -> None:
    write(BASE, "base.yaml")
    assert "'gone.yaml'" in fault_at("extends:\n- base.yaml\n- gone.yaml", "extends.1").reason


def test_a_circle_is_told_with_its_files(fault_at: FaultAt, write: Write) -> None:
    write("extends: c.yaml", "b.yaml")
    write("extends: a.yaml", "c.yaml")
    fault = fault_at("extends: b.yaml", "extends", "a.yaml")
    assert "a.yaml → b.yaml → c.yaml → a.yaml" in fault.reason


def test_a_study_cannot_extend_itself(fault_at: FaultAt) -> None:
    assert "itself" in fault_at("extends: study.yaml", "extends").reason


def test_jsonnet_is_not_extended_but_imported(fault_at: FaultAt, write: Write) -> None:
    write("{}", "base.jsonnet")
    assert "(import 'base.jsonnet')" in fault_at("extends: base.jsonnet", "extends").mend


def test_two_bases_may_share_a_base(read: Read, write: Write) -> None:
    write(BASE, "base.yaml")
    write("extends: base.yaml\nparams: {size: 1}", "one.yaml")
    write("extends: base.yaml\nparams: {seed: 1}", "two.yaml")
    reading = read("extends: [one.yaml, two.yaml]")
    assert reading.faults == ()
    assert reading.study.params == {"size": 100, "seed": 1}


def test_what_extends_names_must_be_text(fault_at: FaultAt) -> None:
    assert fault_at("extends: {a: 1}\npipeline: {n: {step: a.b}}", "extends").value == {"a": 1}
    assert fault_at("extends: [3]\npipeline: {n: {step: a.b}}", "extends.0").value == 3


def test_profiles_of_a_base_are_extended_and_keep_their_nulls(read: Read, write: Write) -> None:
    write(BASE + "profiles: {tiny: {params: {size: 1, seed: 5}}}", "base.yaml")
    study = read(CHILD + "profiles: {tiny: {params: {seed: null}}}", profile="tiny").study
    assert study.params == {"size": 1, "seed": None, "extra": 1}
