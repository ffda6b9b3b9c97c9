"""What the recorded runs of a project need of its store: what is left out here, a sweep may take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etude.study.needed_results import needed_results


def record(folder: Path, name: str, said: Any) -> None:
    run = folder / "runs" / name
    run.mkdir(parents=True)
    (run / "resolved.json").write_text(said if isinstance(said, str) else json.dumps(said))


@pytest.mark.parametrize("damaged", ["", "[]", "{}", '{"nodes": []}', '{"nodes": {"a": "x"}}', "\xff{"])
def test_a_run_whose_record_cannot_be_read_hides_no_other(tmp_path: Path, damaged: str) -> None:
    record(tmp_path, "1", damaged)
    (tmp_path / "runs" / "2").mkdir()
    record(tmp_path, "3", {"study": "s", "nodes": {"a": "x", "b": "y"}})
    assert needed_results(tmp_path).recorded == {"s": {"x", "y"}}


def test_all_recorded_runs_of_a_study_are_needed_and_those_with_overrides_stand_apart(tmp_path: Path) -> None:
    record(tmp_path, "1", {"study": "s", "nodes": {"a": "x"}})
    record(tmp_path, "2", {"study": "s", "nodes": {"a": "y"}, "searches": False})
    record(tmp_path, "3", {"study": "s", "nodes": {"a": "z"}, "form": "tiny"})
    found = needed_results(tmp_path)
    assert found.recorded == {"s": {"x", "y"}, "s@tiny": {"z"}}
    assert found.latest == {}


def test_without_runs_nothing_is_needed(tmp_path: Path) -> None:
    assert needed_results(tmp_path).recorded == {}
