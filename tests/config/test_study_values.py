"""What a study file becomes: every key, read into the study's values."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.config import load_study
from etude.errors import ConfigError
from etude.study.study import Needs, PlaceSettings, Source, SourceLine, Top
from study_files import Read, Write

NODE = "pipeline: {{a: {{step: x.y}}, b: {{step: x.y}}, n: {{step: x.y, {}}}}}"


@pytest.mark.parametrize(
    ("written", "sources"),
    [
        ("from: a", {"": Source(node="a")}),
        ("from: a.train", {"": Source(node="a", item="train")}),
        ("from: a.en-US", {"": Source(node="a", item="en-US")}),
        ("from: '@other/a'", {"": Source(node="a", study="other")}),
        ("from: '@studies/other.yaml/a.x'", {"": Source(node="a", item="x", study="studies/other.yaml")}),
        ("from: [a, b.x]", {"0": Source(node="a"), "1": Source(node="b", item="x")}),
        ("from: {u: a, v: b}", {"u": Source(node="a"), "v": Source(node="b")}),
        ("from: {u: [a, b], v: b}", {"u": (Source(node="a"), Source(node="b")), "v": Source(node="b")}),
        ("with: {from: 1}", {}),
    ],
)
def test_sources(read: Read, written: str, sources: dict[str, object]) -> None:
    reading = read(NODE.format(written))
    assert reading.faults == ()
    assert reading.study.pipeline["n"].sources == sources


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("records", Source(node="records")),
        ("'n[*]'", Source(node="n", across=True)),
        ("'n.x[*]'", Source(node="n", item="x", across=True)),
        ("'@other/n[*]'", Source(node="n", study="other", across=True)),
        ("first", Source(node="first")),
        ("n", Source(node="n")),
    ],
)
def test_sources_of_collect_nodes(read: Read, written: str, source: Source) -> None:
    text = f"pipeline: {{n: {{step: x.y}}}}\ncollect: {{first: {{step: x.y}}, c: {{step: x.y, from: {written}}}}}"
    reading = read(text)
    assert reading.faults == ()
    assert reading.study.collect["c"].sources == {"": source}
    assert str(source) == written.strip("'")


@pytest.mark.parametrize(
    ("written", "needs"),
    [
        ("on: login", Needs(login=True)),
        ("on: {login: true, cpus: 2}", Needs(login=True, cpus=2)),
        ("on: {gpus: 2, memory: 4GB, walltime: 1h30m}", Needs(gpus=2, memory_bytes=4 * 10**9, walltime_s=5400)),
        ("on: {memory: 4Gi, walltime: 01:30:00}", Needs(memory_bytes=4 * 2**30, walltime_s=5400)),
        ("on: {memory: 1024, walltime: 90}", Needs(memory_bytes=1024, walltime_s=90)),
        ("on: {nodes: 2, processes: 8}", Needs(nodes=2, processes=8)),
        ("on: {}", Needs()),
    ],
)
def test_needs(read: Read, written: str, needs: Needs) -> None:
    reading = read(NODE.format(written))
    assert reading.faults == ()
    assert reading.study.pipeline["n"].needs == needs


def test_the_rest_of_a_node(read: Read) -> None:
    node = read(
        NODE.format("with: {a: .nan, b: [1, {c: null}]}, pin: [torch, scikit-learn], code: version:3b")
    ).study.pipeline["n"]
    assert (node.name, node.step, node.pin, node.code) == ("n", "x.y", ("torch", "scikit-learn"), "version:3b")
    assert node.settings["b"] == [1, {"c": None}]


def test_vary(read: Read) -> None:
    text = """
    params: {a: 0, b: 0, c: 0, s: 0}
    pipeline: {n: {step: x.y}}
    vary:
      grid: {a: [1, true, null, [1], {k: 1}], b: [x]}
      list: [{c: 1}, {c: 2}]
      repeat: {s: [0, 1]}
      top: {of: search, by: quality.auc, k: 3}
    """
    reading = read(text)
    assert reading.faults == ()
    vary = reading.study.vary
    assert vary.grid == {"a": (1, True, None, [1], {"k": 1}), "b": ("x",)}
    assert vary.points == ({"c": 1}, {"c": 2})
    assert vary.repeat == {"s": (0, 1)}
    assert vary.top == Top(of="search", by="quality.auc", k=3)


def test_place(read: Read) -> None:
    place = "{backend: inline, workers: 3, gpus: 0, memory: 8GB, retries: 1, store: s, results: r}"
    text = f"pipeline: {{n: {{step: x.y}}}}\nplace: {place}"
    expected = PlaceSettings(
        backend="inline", workers=3, gpus=0, memory_bytes=8 * 10**9, retries=1, store="s", results="r"
    )
    assert read(text).study.place == expected


def test_a_study_is_named_after_its_file(read: Read) -> None:
    assert read("pipeline: {n: {step: x.y}}", "intent-heads.v2.yaml").study.name == "intent-heads.v2"


def test_a_study_knows_its_file_and_lines(read: Read, tmp_path: Path) -> None:
    study = read("pipeline:\n  n:\n    step: x.y\n", "s.yaml").study
    assert study.file == tmp_path / "s.yaml"
    assert study.lines["pipeline.n.step"] == SourceLine(file=str(tmp_path / "s.yaml"), line=3)


@pytest.mark.parametrize("mark", [".etude", ".git", "pyproject.toml", "etude.toml"])
def test_the_project_is_the_nearest_folder_with_a_mark(read: Read, tmp_path: Path, mark: str) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / mark).touch()
    assert read("pipeline: {n: {step: x.y}}", "inner/deep/s.yaml").study.project == tmp_path / "inner"


def test_without_a_mark_the_project_is_the_files_folder(read: Read, tmp_path: Path) -> None:
    study = read("pipeline: {n: {step: x.y}}", "a/s.yaml").study
    if not any((folder / ".git").exists() for folder in tmp_path.parents):
        assert study.project == tmp_path / "a"


def test_the_project_can_be_said(read: Read, tmp_path: Path) -> None:
    assert read("pipeline: {n: {step: x.y}}", project=tmp_path / "p").study.project == tmp_path / "p"


def test_loading_gives_the_study_or_raises_every_fault(write: Write) -> None:
    assert load_study(write("params: {a: 1}\npipeline: {n: {step: x.y}}"), overrides=["a=2"]).params == {"a": 2}
    with pytest.raises(ConfigError) as raised:
        load_study(write("pipeline: {n: {stpe: x.y, from: m}}"))
    assert {fault.path for fault in raised.value.faults} == {"pipeline.n.stpe", "pipeline.n.step", "pipeline.n.from"}


def test_reading_writes_nothing(read: Read, tmp_path: Path) -> None:
    read("pipeline: {n: {step: x.y}}")
    read("{pipeline: {n: {step: 'x.y'}}}", "s.jsonnet")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["s.jsonnet", "study.yaml"]
