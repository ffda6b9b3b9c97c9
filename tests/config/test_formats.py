"""One study in YAML, JSON and Jsonnet is the same study."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.config import read_study
from etude.study.study import Study

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: name not in ("records", "name", "env", "params", "vary", "place", "collect", "extends")
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**52), 2**52)
    | st.floats(-1e15, 1e15, allow_nan=False).filter(lambda number: abs(number) > 1e-200 or number == 0)
    | st.sampled_from(["on", "no", "1e-3", "null", "2001-01-01", "a: b", "#x", "it's", 'say "x"', "é", " pad ", ""])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


@st.composite
def studies(draw: st.DrawFn) -> dict[str, object]:
    """A valid study as a plain tree."""
    params = draw(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    pipeline = {}
    for index, name in enumerate(names):
        given_settings = draw(st.dictionaries(NAMES, VALUES, max_size=3))
        given_settings["param"] = f"${{{draw(st.sampled_from(sorted(params)))}}}"
        node: dict[str, object] = {"step": "room.step", "with": given_settings}
        if index:
            node["from"] = draw(_ways(draw(st.sampled_from(names[:index]))))
        if draw(st.booleans()):
            node["on"] = {"gpus": draw(st.integers(0, 8)), "walltime": draw(st.sampled_from(["2h", 90, "01:30:00"]))}
        pipeline[name] = node
    tree: dict[str, object] = {"params": params, "pipeline": pipeline}
    if draw(st.booleans()):
        axis = draw(st.sampled_from(sorted(params)))
        tree["vary"] = {
            draw(st.sampled_from(["grid", "repeat"])): {
                axis: draw(st.lists(st.integers(0, 9), min_size=1, unique=True))
            }
        }
    return tree


def _ways(other: str) -> st.SearchStrategy[object]:
    return st.sampled_from([other, f"{other}.item", [other], {"x": other, "y": [other, other]}])


def as_yaml(value: object, indent: int = 0) -> str:
    """The tree in block style, with quotes only around text."""
    pad = "  " * indent
    if isinstance(value, Mapping) and value:
        return "".join(f"\n{pad}{json.dumps(key)}: {as_yaml(inner, indent + 1)}" for key, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"\n{pad}- {as_yaml(inner, indent + 1).lstrip()}" for inner in value)
    return json.dumps(value, ensure_ascii=False)


def as_jsonnet(tree: Mapping[str, object]) -> str:
    """The same values by way of variables, functions and composition."""
    params = json.dumps(tree["params"], ensure_ascii=False)
    rest = json.dumps({key: value for key, value in tree.items() if key != "params"}, ensure_ascii=False)
    return f"local with(params) = {{params+: params}};\n{{params: {{}}}} + with({params}) + {rest}"


def bare(study: Study | None) -> Study:
    """The study without the file it came from."""
    assert study is not None
    return replace(study, file=None, files=(), lines={})


def read_all(tree: Mapping[str, object], **how: object) -> list[Study]:
    texts = {"s.yaml": as_yaml(tree), "s.json": json.dumps(tree), "s.jsonnet": as_jsonnet(tree)}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            reading = read_study(path, **how)  # type: ignore[arg-type]
            assert reading.faults == (), text
            found.append(bare(reading.study))
    return found


@settings(deadline=None)  # a process of the Jsonnet engine starts for each
@given(studies())
def test_the_same_study_in_three_formats_is_the_same_study(tree: dict[str, object]) -> None:
    from_yaml, from_json, from_jsonnet = read_all(tree)
    assert from_yaml == from_json == from_jsonnet
    for study in (from_yaml, from_json, from_jsonnet):
        assert list(study.params) == list(tree["params"])  # type: ignore[call-overload]
        assert list(study.pipeline) == list(tree["pipeline"])  # type: ignore[call-overload]


@settings(deadline=None)
@given(studies(), st.data())
def test_an_override_does_the_same_in_three_formats(tree: dict[str, object], data: st.DataObject) -> None:
    params, pipeline = tree["params"], tree["pipeline"]
    assert isinstance(params, dict)
    assert isinstance(pipeline, dict)
    node = data.draw(st.sampled_from(sorted(pipeline)))
    value = json.dumps(data.draw(SCALARS))
    target = data.draw(st.sampled_from([min(params), f"pipeline.{node}.with.param", f"pipeline.{node}.with.new"]))
    from_yaml, from_json, from_jsonnet = read_all(tree, overrides=[f"{target}={value}"])
    assert from_yaml == from_json == from_jsonnet
    assert from_yaml.origin[f"params.{target}" if target in params else target] == "--set"


FULL = {
    "name": "full",
    "description": "every key",
    "params": {"pooling": "mean", "seed": 0, "width": 8},
    "env": {"POOL": "pooling"},
    "pipeline": {
        "raw": {"step": "text.load", "on": "login", "pin": ["torch"]},
        "model": {
            "step": "mine.steps:train",
            "from": {"x": "raw.train", "y": ["raw", "@other/raw"]},
            "code": "version:2",
        },
    },
    "vary": {"grid": {"pooling": ["mean", "max"]}, "list": [{"width": 1}, {"width": 2}], "repeat": {"seed": [0, 1]}},
    "collect": {"table": {"step": "a.b", "from": "records"}, "votes": {"step": "a.c", "from": {"p": "model[*]"}}},
    "place": {"backend": "inline", "workers": 1, "memory": "4GB"},
    "profiles": {"tiny": {"params": {"width": 4}, "vary": {"list": None}, "collect": {"votes": None}}},
}


@pytest.mark.parametrize("profile", [None, "tiny"])
@pytest.mark.parametrize("environment", [{}, {"POOL": "max"}])
@pytest.mark.parametrize(
    "overrides", [(), ("width=2",), ("seed=1", "~collect.table", "collect.table={step: a.d}", "place.workers=3")]
)
def test_every_layer_does_the_same_in_three_formats(profile, environment, overrides) -> None:
    if profile is None and overrides == ("width=2",):
        expected = ({"width": 2},)
    else:
        expected = ({"width": 1}, {"width": 2}) if profile is None else ()
    for study in (studies := read_all(FULL, profile=profile, environment=environment, overrides=overrides)):
        assert study == studies[0]
        assert study.vary.points == expected
