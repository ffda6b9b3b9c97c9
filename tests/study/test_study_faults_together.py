"""Faults of several checks: put in their places, told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from etude.config import read_study
from etude.errors import ConfigError, Fault
from etude.identity.files import FileDigests
from etude.study.expand import expand
from etude.study.fault_places import in_order, locate, together
from etude.study.study import SourceLine, Study

STUDY = Study(
    name="s",
    lines={
        "": SourceLine(file="s.yaml", line=1),
        "pipeline.a": SourceLine(file="s.yaml", line=3),
        "pipeline.a.with.x": SourceLine(file="--set"),
    },
)


@pytest.mark.parametrize(
    ("path", "file", "line"),
    [
        ("pipeline.a.step", "s.yaml", 3),
        ("pipeline.a.with.x.0", "--set", None),
        ("vary.grid", "s.yaml", 1),
        ("", "s.yaml", 1),
    ],
)
def test_a_fault_stands_where_the_nearest_part_around_it_stands(path: str, file: str, line: int | None) -> None:
    (fault,) = locate([Fault(path, "x")], STUDY)
    assert (fault.file, fault.line) == (file, line)


def test_a_fault_that_knows_its_place_keeps_it() -> None:
    fault = Fault("pipeline.a", "x", file="other.yaml", line=9)
    assert locate([fault], STUDY) == (fault,)


@pytest.mark.parametrize(
    ("found", "later", "kept"),
    [
        ("pipeline.a.with.x", "pipeline.a.with.x", False),
        ("pipeline.a.with.x", "pipeline.a.with.x.0", False),
        ("pipeline.a.from.x", "pipeline.a.from", False),
        ("pipeline.a", "pipeline.a.step", False),
        ("pipeline.a.with.x", "pipeline.a.with.y", True),
        ("pipeline.a.with.x", "pipeline.a.with.xy", True),
        ("pipeline.a.with.x", "pipeline.a.from", True),
        ("pipeline.a.with.x", "pipeline.b.with.x", True),
        ("pipeline.a.with.x", "pipeline.a", True),
        ("", "pipeline.a", True),
    ],
)
def test_a_later_fault_is_dropped_where_it_follows_from_an_earlier_one(found: str, later: str, kept: bool) -> None:
    first, second = Fault(found, "found"), Fault(later, "later")
    assert together([first], [second]) == ((first, second) if kept else (first,))


def test_faults_come_once_in_the_order_of_files_and_lines() -> None:
    faults = [
        Fault("a", "x", file="--set"),
        Fault("b", "x", value=[1], file="b.yaml", line=1),
        Fault("c", "x", file="a.yaml", line=7),
        Fault("d", "x", file="a.yaml", line=2),
        Fault("c", "x", file="a.yaml", line=7),
    ]
    ordered = in_order(faults, [Path("a.yaml"), Path("b.yaml")])
    assert [fault.path for fault in ordered] == ["d", "c", "b", "a"]


def test_what_the_reader_told_is_not_told_again_when_the_study_is_laid_out(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "pipeline:\n"
        "  raw: {step: text.load, with: {source: '${src}', seed: 0}}\n"
        "  splits: {step: text.split, from: rw, with: {test_fraction: 0.2, seed: 0}}\n"
        "  broken: 3\n"
        "  other: {step: text.splitt, from: broken}\n"
    )
    reading = read_study(path)
    assert reading.study is not None
    with pytest.raises(ConfigError) as raised:
        expand(reading.study, FileDigests(tmp_path / "digests.json"), faults=reading.faults)
    paths = [fault.path for fault in raised.value.faults]
    assert paths == ["pipeline.raw.with.source", "pipeline.splits.from", "pipeline.broken", "pipeline.other.step"]
