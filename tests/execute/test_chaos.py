"""Fifty kills on each backend: what is stored is what an undisturbed run stores, and none of it is computed again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from etude.store import Manifest, Store

pytestmark = pytest.mark.slow

KILLS = 50
EACH = 5
"""Nodes that a round computes at most before it is killed, so that work is left for the last one."""

STEPS = """
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from etude import Context, step

HERE = Path(__file__).parent

class Colour(Enum):
    RED = "red"

class Pair(NamedTuple):
    left: int
    right: str

@dataclass(frozen=True)
class Quality:
    accuracy: float
    note: str | None

@dataclass(frozen=True)
class Bundle:
    table: pa.Table
    weights: np.ndarray
    quality: Quality

def begun(name):
    descriptor = os.open(HERE / "calls.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{name}\\n".encode())
    os.close(descriptor)

def made(kind, i):
    numbers = np.arange(i * 50 + 1) / 7
    match kind:
        case "number": return i / 7
        case "text": return f"{i} " * 5_000
        case "none": return None
        case "bytes": return bytes(i % 251 for _ in range(3_000))
        case "list": return [i, None, "x", [1.5, float("nan")], {"a": True}]
        case "tuple": return (i, "y", numbers)
        case "mapping": return {"loss": i / 3, "inner": {"rows": i}}
        case "array": return numbers
        case "strange": return np.array([[i, -0.0], [float("inf"), float("nan")]], dtype=">f4")
        case "table": return pa.table({"i": list(range(i)), "text": [str(row) for row in range(i)]})
        case "metrics": return Quality(i / 11, None)
        case "bundle": return Bundle(pa.table({"i": [i]}), numbers, Quality(0.5, "n"))
        case "enum": return Colour.RED
        case "pair": return Pair(i, "p")
        case "tensor":
            import torch
            return torch.arange(i + 1, dtype=torch.float32)

@step
def value(*, kind: str, i: int):
    begun(f"value{i}")
    return made(kind, i)

@step
def folder(*, i: int, ctx: Context) -> Path:
    begun(f"folder{i}")
    place = ctx.scratch / "out"
    place.mkdir(exist_ok=True)
    for name in range(3):
        (place / f"{name}.txt").write_text(f"{i} {name}" * 1_000)
    return place

@step
def reads(value, folder: Path, *, i: int) -> int:
    begun(f"reads{i}")
    return len((folder / "1.txt").read_text()) + i
"""
KINDS = (
    *("number", "text", "none", "bytes", "list", "tuple", "mapping", "array", "strange", "table"),
    *("metrics", "bundle", "enum", "pair", "tensor"),
)


class Project:
    """A study of nodes of every type of value, each pair read by a third node, run in processes of its own."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "chaos_steps.py").write_text(STEPS)
        (folder / "etude.toml").touch()
        pipeline: dict[str, object] = {}
        for i in range(1, KILLS * EACH // 3):
            kind = KINDS[i % len(KINDS)]
            pipeline[f"value{i}"] = {"step": "chaos_steps:value", "with": {"kind": kind, "i": i}}
            pipeline[f"folder{i}"] = {"step": "chaos_steps:folder", "with": {"i": i}}
            inputs = {"value": f"value{i}", "folder": f"folder{i}"}
            pipeline[f"reads{i}"] = {"step": "chaos_steps:reads", "from": inputs, "with": {"i": i}}
        study = {"name": "chaos", "pipeline": pipeline, "place": {"workers": 2, "backend": backend}}
        (folder / "study.json").write_text(json.dumps(study))

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "etude.cli.main", "run", "study.json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        )

    def calls(self) -> list[str]:
        """The nodes that began, once for each time."""
        log = self.folder / "calls.log"
        return log.read_text().split() if log.exists() else []

    def manifests(self) -> list[Manifest]:
        """Those of all that is stored."""
        store = Store.open(self.folder / ".etude" / "store")
        found = [store.inspect(fingerprint) for fingerprint in store.entries()]
        return [each for each in found if isinstance(each, Manifest)]

    def stored(self) -> set[str]:
        """The nodes whose results are there."""
        return {each.provenance["node"] for each in self.manifests()}

    def contents(self) -> dict[str, str]:
        """Node → digest of what is stored for it; the records, which hold costs, aside."""
        return {
            each.provenance["node"]: each.content for each in self.manifests() if each.provenance["node"] != "records"
        }


@pytest.mark.parametrize("backend", ["inline", "processes"])
def test_kills_at_any_moment_neither_change_lose_nor_repeat_what_is_stored(tmp_path: Path, backend: str) -> None:
    choose = random.Random(backend)
    project = Project(tmp_path / "killed", backend)
    repeated: set[str] = set()
    for _ in range(KILLS):
        before, there = len(project.calls()), project.stored() if project.calls() else set()
        process = project.start()
        wanted, delay_s = before + choose.randrange(1, EACH), choose.uniform(0, 0.03)
        while len(project.calls()) < wanted and process.poll() is None:
            time.sleep(0.005)
        time.sleep(delay_s)
        process.kill()
        process.communicate()
        repeated |= there & set(project.calls()[before:])
    assert not repeated
    process = project.start()
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    calm = Project(tmp_path / "calm", backend)
    process = calm.start()
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert project.contents() == calm.contents()
    assert set(Counter(calm.calls()).values()) == {1}
    store = Store.open(project.folder / ".etude" / "store")
    assert [verdict for verdict in store.verify() if verdict.damage] == []
