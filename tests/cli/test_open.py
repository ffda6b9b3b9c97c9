"""A value at hand: in a shell, or by lines for a notebook."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from commands import Etude, etude_in

STEPS = """
from dataclasses import dataclass
from etude import step

@dataclass(frozen=True)
class Scores:
    accuracy: float

@step
def score(*, rate: float) -> Scores:
    return Scores(accuracy=rate / 2)
"""

STUDY = """
name: small
params: {rate: 1.0}
pipeline:
  quality: {step: "open_steps:score", with: {rate: "${rate}"}}
vary: {grid: {rate: [1.0, 2.0]}}
place: {backend: inline}
"""


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    (tmp_path / "small.yaml").write_text(STUDY)
    (tmp_path / "open_steps.py").write_text(STEPS)
    (tmp_path / "etude.toml").write_text("")
    monkeypatch.delitem(sys.modules, "open_steps", raising=False)
    monkeypatch.setattr("etude.cli.commands.open.find_spec", lambda _name: None)  # Python's own shell
    return etude_in(tmp_path, monkeypatch, capfd)


def test_what_is_not_stored_cannot_be_opened(etude: Etude) -> None:
    said = etude("open", "small.yaml", "quality")
    assert said.code == 1
    assert "nothing of quality is stored" in said.err
    assert "no node 'nope'" in etude("open", "small.yaml", "nope").err


def test_a_shell_has_the_value_of_one_variant(etude: Etude, monkeypatch: pytest.MonkeyPatch) -> None:
    etude("run", "small.yaml")
    monkeypatch.setattr("sys.stdin", io.StringIO("print('half', value.accuracy)\n"))
    said = etude("open", "small.yaml", "quality", "--only-variant", "rate=2.0")
    assert "value: quality rate=2.0, Scores" in said.err
    assert "half 1.0" in said.out


def test_a_shell_has_the_values_of_several_variants_by_their_labels(
    etude: Etude, monkeypatch: pytest.MonkeyPatch
) -> None:
    etude("run", "small.yaml")
    monkeypatch.setattr("sys.stdin", io.StringIO("print({label: values[label].accuracy for label in values})\n"))
    said = etude("open", "small.yaml", "quality")
    assert "{'quality rate=1.0': 0.5, 'quality rate=2.0': 1.0}" in said.out


@pytest.mark.parametrize(
    ("words", "expression", "expected"),
    [
        (("--only-variant", "rate=2.0"), "value.accuracy", 1.0),
        ((), "[each.accuracy for each in values.values()]", [0.5, 1.0]),
        (("--set", "vary.grid.rate=[3.0]"), "value.accuracy", 1.5),
    ],
)
def test_the_lines_for_a_notebook_load_the_same(
    etude: Etude, words: tuple[str, ...], expression: str, expected: object
) -> None:
    etude("run", "small.yaml", *[word for word in words if not words[0].startswith("--only")])
    names: dict[str, object] = {}
    exec(f"{etude('open', 'small.yaml', 'quality', *words, '--snippet').out}\nseen = {expression}", names)
    assert names["seen"] == expected


def test_an_override_that_takes_away_has_no_lines(etude: Etude) -> None:
    etude("run", "small.yaml", "--set", "~vary")
    said = etude("open", "small.yaml", "quality", "--set", "~vary", "--snippet")
    assert said.code == 2
    assert "takes no value away" in said.err
