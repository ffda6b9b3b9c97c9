"""Whatever a file holds, reading it ends in faults or a study, never in another error."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from etude.config import Reading, read_study
from etude.config.schema import NODE, STUDY
from etude.graph.pipeline import Needs
from etude.keys import section_of
from etude.study.study import PlaceSettings, Top, Vary

WORDS = sorted(
    {
        *STUDY.keys,
        *NODE.keys,
        *(key for spec in (Needs, Vary, Top, PlaceSettings) for key in section_of(spec).keys),
        *("n", "records", "", "a.b", "${x}"),
    }
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)
STUDIES = st.dictionaries(st.sampled_from(sorted(STUDY.keys)), TREES, max_size=6)
OVERRIDES = st.lists(
    st.text("pipeln.mods=~[]{}'\"0:, ${}", max_size=12) | st.sampled_from(["n=1", "~n", "vary.list=[{n: 1}]"]),
    max_size=3,
)


def reading_of(text: str, name: str, **how: object) -> Reading:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        reading = read_study(path, **how)  # type: ignore[arg-type]
    for fault in reading.faults:
        assert fault.reason
        assert str(fault)
    assert reading.study is not None or reading.faults
    return reading


@given(STUDIES, OVERRIDES, st.sampled_from([None, "n", "a.b"]))
def test_any_tree(tree: dict[str, object], overrides: list[str], profile: str | None) -> None:
    text = json.dumps(tree, allow_nan=True)
    reading_of(text.replace("NaN", "null").replace("Infinity", "1"), "s.json", overrides=overrides, profile=profile)


@given(st.text(max_size=60) | st.text("ab:{}[],&*!|>-# \n'\"?<%@\t", max_size=60))
def test_any_text(text: str) -> None:
    reading_of(text, "s.yaml")
    reading_of(text, "s.json")


@given(STUDIES, OVERRIDES)
def test_any_tree_as_jsonnet(tree: dict[str, object], overrides: list[str]) -> None:
    text = json.dumps(tree).replace("NaN", "null").replace("Infinity", "1")
    reading_of(text.encode("utf-8", "ignore").decode(), "s.jsonnet", overrides=overrides)
