"""The page on study files tells the truth: its examples are read, its tables are the schema, its messages are real."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest

from etude.config import json_schema, read_study
from etude.config.build import build
from etude.config.schema import NODE, STUDY
from etude.config.study_tree import PlainTree, overlay
from etude.config.yaml12 import parse_yaml
from etude.execute.node_metering import MeterSettings
from etude.graph.pipeline import Needs
from etude.keys import section_of
from etude.study.study import PlaceSettings, Top, Vary
from study_files import Read, Write

PAGE = (Path(__file__).parents[2] / "docs" / "study-files.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
YAML = [text for kind, text in BLOCKS if kind == "yaml"]
JSONNET = [text for kind, text in BLOCKS if kind == "jsonnet"]
(MESSAGE,) = [text for kind, text in BLOCKS if kind == "text"]
FIRST = YAML[0]


def tree_of(text: str) -> dict[str, object]:
    document = parse_yaml(text, "docs")
    assert document.faults == ()
    assert isinstance(document.tree, dict)
    return document.tree


def table_after(heading: str) -> list[str]:
    """The first column of the first table after this line."""
    rows = PAGE.partition(f"\n{heading}\n")[2].partition("|---|---|\n")[2].partition("\n\n")[0].splitlines()
    return [re.match(r"\| `([^`]+)`", row)[1] for row in rows]  # type: ignore[index]


@pytest.mark.parametrize("text", YAML, ids=lambda text: text.splitlines()[0])
def test_each_example_fits_the_first_one(text: str) -> None:
    draft = PlainTree(tree_of(FIRST))
    overlay(draft, tree_of(text))
    assert build(draft.tree, name="docs").faults == ()
    assert list(jsonschema.Draft202012Validator(json_schema()).iter_errors(draft.tree)) == []


@pytest.mark.parametrize("profile", [None, "tiny"])
def test_the_examples_of_layers_can_be_read_together(read: Read, write: Write, profile: str | None) -> None:
    layers = [text for text in YAML if text.startswith(("env:", "profiles:"))]
    write(FIRST + "".join(layers), "heads.yaml")
    (child,) = [text for text in YAML if text.startswith("extends:")]
    reading = read(child, "child.yaml", profile=profile, environment={"POOL": "max"})
    assert reading.faults == ()
    assert reading.study.vary.grid == {"pooling": ("max",)}
    assert reading.study.params["size"] == (100 if profile else 5000)
    assert list(reading.study.collect) == ([] if profile else ["table"])


def test_the_jsonnet_example_does_what_the_page_says(write: Write) -> None:
    paths = [write(text, re.match(r"// (\S+)", text)[1]) for text in JSONNET]  # type: ignore[index]
    study = read_study(paths[-1], overrides=["width=256"]).study
    assert study is not None
    assert study.pipeline["head_max"].settings["hidden"] == 512
    assert read_study(paths[-1], profile="tiny").study.params["size"] == 100  # type: ignore[union-attr]
    assert [path.name for path in study.files] == ["heads.jsonnet", "heads.libsonnet"]
    assert read_study(paths[-1]).faults == ()


def test_the_message_is_what_the_reader_says(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = FIRST.replace("text.split, from", "text.split, form").replace("${pooling}", "${poolng}")
    write(text.replace("workers: 2", "workers: 0"), "heads.yaml")
    monkeypatch.chdir(tmp_path)
    assert "\n".join(map(str, read_study(Path("heads.yaml")).faults)) + "\n" == MESSAGE


@pytest.mark.parametrize(
    ("heading", "record"),
    [
        ("## The study", STUDY),
        ("## Nodes", NODE),
        ("### on", section_of(Needs)),
        ("## vary", section_of(Vary)),
        ("`top` takes these keys:", section_of(Top)),
        ("## place", section_of(PlaceSettings)),
        ("`meter` takes these keys:", section_of(MeterSettings)),
    ],
)
def test_each_table_names_every_key_once(heading: str, record) -> None:
    assert sorted(table_after(heading)) == sorted(record.keys)


@pytest.mark.parametrize("written", table_after("### from"))
def test_each_way_to_name_inputs_is_read(read: Read, written: str) -> None:
    nodes = ", ".join(f"{name}: {{step: a.b}}" for name in ("a", "b", "c", "model", "tokens", "splits", "scored"))
    section = "collect" if "records" in written or "[*]" in written else "also"
    node = f"n: {{step: a.b, {written}}}"
    text = f"pipeline: {{{nodes}{', ' + node if section == 'also' else ''}}}"
    assert read(text if section == "also" else f"{text}\ncollect: {{{node}}}").faults == ()
