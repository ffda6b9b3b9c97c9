"""The JSON Schema and the reader are one: what the one accepts the other does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.config import json_schema, read_study
from etude.config.build import build
from etude.config.extends import load_plain
from etude.config.schema import STUDY
from etude.config.study_tree import PlainTree
from etude.keys import Either, FileKey, ListOf, MappingOf, Partial, Referenced, Section, type_of

SCHEMA = json_schema()
VALID = jsonschema.Draft202012Validator(SCHEMA)
ROOT = Path(__file__).parents[2]
FULL: dict[str, Any] = {
    "name": "full",
    "description": "x",
    "extends": "base.yaml",
    "params": {"a": 1, "s": None, "pooling": "mean"},
    "env": {"A": "a", "B": {"sets": "a", "one_of": [1, 2]}, "C": {"secret": True}},
    "pipeline": {
        "raw": {"step": "text.load", "on": "login"},
        "model": {
            "step": "mine:train",
            "from": {"x": "raw", "y": ["raw.a", "raw"]},
            "with": {"a": "${a}", "b": [1]},
            "on": {"gpus": 1, "cpus": 2, "memory": "4GB", "walltime": "2h", "nodes": 1, "processes": 1, "login": False},
            "pin": ["torch"],
            "code": "version:3",
        },
    },
    "vary": {
        "grid": {"pooling": ["mean", "max"]},
        "list": [{"a": 1}, {"a": 2}],
        "repeat": {"s": [0, 1]},
        "top": {"of": "x", "by": "y", "k": 3, "direction": "minimize"},
        "search": {
            "space": {
                "a": {"float": [0.5, 1.0], "int": [1, 2], "log": True, "step": 0.1, "when": {"b": [1]}},
                "b": {"choice": [1, "x"], "ordinal": [1, 2]},
            },
            "forbidden": [{"a": 1}],
            "objective": "quality.auc",
            "direction": "minimize",
            "constraints": {"cost.energy_j": {"at_most": 5, "at_least": 0.5}},
            "trials": 3,
            "timeout": "2h",
            "trial_timeout": 60,
            "workers": 2,
            "sampler": {"name": "random"},
            "seed": 1,
            "baseline": {"a": 0.5},
            "warm_start": "earlier.csv",
            "stop_early": {"method": "asha", "min_step": 1, "reduction": 2.5, "startup": 3},
            "retry": {"preempted": 1, "out_of_memory": 1, "crash": 1, "timeout": 1, "invalid": 1},
            "ahead": 1,
            "grace": "5s",
        },
    },
    "collect": {"table": {"step": "a.b", "from": "records"}},
    "groups": {"inputs": ["raw"]},
    "place": {
        "backend": "inline",
        "workers": 1,
        "gpus": 0,
        "memory": 1024,
        "retries": 0,
        "most_variants": 500,
        "store": "s",
        "results": "r",
        "meter": {"country": "DEU", "g_per_kwh": 35.5, "pue": 1.2, "calibration": "processor.json", "beside": ["zeus"]},
        "track": [
            "tensorboard",
            {"mlflow": {"uri": "sqlite:///m.db", "experiment": "e"}},
            {"wandb": {"project": "p", "entity": "e", "mode": "offline"}, "tensorboard": {"folder": "t"}},
        ],
    },
    "profiles": {
        "tiny": {"params": {"a": 2}, "pipeline": {"model": {"with": {"a": 1}}, "raw": None}, "vary": {"grid": None}}
    },
}


def keys_of(value_type: object, path: str = "") -> Iterator[tuple[str, FileKey]]:
    """Every key of the study file with its dotted path; `*` stands for a name."""
    if isinstance(value_type, Section):
        for name, key in value_type.keys.items():
            inner = f"{path}.{name}" if path else name
            yield inner, key
            yield from keys_of(type_of(key), inner)
    elif isinstance(value_type, (Referenced, Partial)):
        yield from keys_of(value_type.value_type, path)
    elif isinstance(value_type, (MappingOf, ListOf)):
        yield from keys_of(value_type.item, f"{path}.*")
    elif isinstance(value_type, Either):
        for each in (value_type.text, value_type.items, value_type.mapping):
            yield from keys_of(each, path)


KEYS = dict(keys_of(STUDY))


def properties_of(schema: Any, path: str = "") -> Iterator[str]:
    """The same from the published schema."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield from properties_of(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)  # type: ignore[index]
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}" if path else name
        yield from properties_of(inner, f"{path}.{name}" if path else name)
    for part in ("additionalProperties", "items"):
        yield from properties_of(schema.get(part), f"{path}.*")
    for each in schema.get("anyOf", ()):
        yield from properties_of(each, path)


def set_in(tree: object, path: list[str], value: object) -> Any:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if key == "*":
        return {"n": set_in({"step": "a.b"} if "pipeline" in str(path) else {}, rest, value)}
    known = tree if isinstance(tree, dict) else {}
    return {**known, key: set_in(known.get(key), rest, value)}


def shape_faults(tree: dict[str, Any]) -> list[str]:
    """The paths that the reader finds faulty by their shape alone."""
    faults: list[Any] = []
    STUDY.read(tree, "", faults)
    return [fault.path for fault in faults]


def test_the_published_schema_is_valid_and_serialisable() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_published_schema_has_exactly_the_readers_keys() -> None:
    assert set(properties_of(SCHEMA)) == set(KEYS)


def test_every_key_tells_what_it_means() -> None:
    for path, key in KEYS.items():
        assert len(key.meaning) > 10, path
        assert key.meaning.endswith("."), path


@pytest.mark.parametrize("path", [path for path in KEYS if not path.startswith("profiles.")])
def test_the_example_of_every_key_is_accepted_by_schema_and_reader(path: str) -> None:
    example = KEYS[path].example
    tree = set_in({"pipeline": {"n": {"step": "a.b"}}}, path.split("."), example)
    if path.startswith("vary.top."):
        tree["vary"]["top"] = {"of": "x", "by": "y", "k": 1, **tree["vary"]["top"]}
    if path.startswith("vary.search."):
        tree["vary"]["search"] = {"space": {}, "objective": "q.auc", **tree["vary"]["search"]}
    if path.startswith("vary.search.stop_early."):
        tree["vary"]["search"]["stop_early"].setdefault("method", "asha")
    if path.startswith("place.track.*"):
        tree["place"]["track"] = [*tree["place"]["track"].values()]
    if ".*." in path:
        for section in ("pipeline", "collect"):
            for node in tree.get(section, {}).values():
                node.setdefault("step", "a.b")
    assert shape_faults(tree) == []
    assert list(VALID.iter_errors(tree)) == []


def test_a_study_with_every_key_is_accepted_by_schema_and_reader() -> None:
    assert list(VALID.iter_errors(FULL)) == []
    assert shape_faults(FULL) == []
    written = set(_written(FULL))
    assert {path for path in KEYS if not path.startswith(("profiles.", "collect."))} <= written


def _written(tree: object, path: str = "") -> Iterator[str]:
    named = {"pipeline", "collect", "params", "env", "profiles", "vary.grid", "vary.repeat"}
    named |= {"vary.search.space", "vary.search.constraints"}
    for key, inner in tree.items() if isinstance(tree, dict) else ():
        here = f"{path}.*" if path in named or path.endswith(".with") else f"{path}.{key}" if path else key
        yield here
        yield from _written(inner, here)
        for each in inner if isinstance(inner, list) else ():
            yield from _written(each, f"{here}.*")


WRONG = st.sampled_from(
    [None, True, -1, 0, 1, 1.0, 1.5, "", "x y", "login", "4GB", "2h", [], ["a"], [None], {}, {"a": 1}, {"nope": 1}]
)


def places_in(tree: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield path
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from places_in(inner, (*path, key))


PLACES = [path for path in places_in({key: value for key, value in FULL.items() if key != "profiles"}) if path]


@given(st.sampled_from(PLACES), WRONG)
def test_reader_and_schema_agree_on_a_study_with_one_value_changed(place: tuple[object, ...], value: object) -> None:
    tree = json.loads(json.dumps(FULL))
    at = tree
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    if tree["pipeline"] in (None, {}):
        return
    assert (shape_faults(tree) == []) == VALID.is_valid(tree)


@given(st.sampled_from(PLACES), st.text("abc _-.", min_size=1, max_size=8))
def test_reader_and_schema_agree_on_a_study_with_one_key_added(place: tuple[object, ...], name: str) -> None:
    tree = json.loads(json.dumps(FULL))
    at = tree
    for key in place:
        at = at[key]
    if isinstance(at, dict) and name not in at:
        at[name] = 1
        assert (shape_faults(tree) == []) == VALID.is_valid(tree)


STUDIES = sorted(
    path for path in (ROOT / "studies").rglob("*") if path.suffix in (".yaml", ".yml", ".json", ".jsonnet")
)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_study_that_comes_along_is_accepted_by_schema_and_reader(path: Path) -> None:
    assert read_study(path).faults == ()
    tree = _tree(path)
    assert [error.message for error in VALID.iter_errors(tree)] == []
    assert isinstance(tree, dict)
    assert build(PlainTree(tree).tree, name=path.stem).faults == ()


def _tree(path: Path) -> object:
    if path.suffix == ".jsonnet":
        from etude.config.jsonnet import JsonnetTree

        return JsonnetTree(path).value(())
    return load_plain(path).tree
