"""A writer that is killed at any moment leaves results that are right, or none."""

from __future__ import annotations

import os
import random
import select
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.store import Lease, Manifest, Store
from storing import fingerprint, header

ROUNDS = 120
NAMES = 24


def value_of(i: int, version: int) -> Any:
    """What is stored for a number and a version: other sizes and codecs for other numbers."""
    fill = i * 1000 + version
    match i % 6:
        case 0:
            return {"loss": fill / 7, "version": version}
        case 1:
            return np.full(500, fill)
        case 2:
            return {"x": np.full(5000, fill), "y": np.arange(fill % 50), "n": None}
        case 3:
            return f"{fill} " * 20_000
        case 4:
            return [np.full(200_000, float(fill)), fill, "x" * 5000]
        case _:
            return [fill] * 3000


def same(left: Any, right: Any) -> bool:
    """Equal throughout."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, np.ndarray):
        return isinstance(right, np.ndarray) and np.array_equal(left, right)
    if isinstance(left, list) and len(left) < 10:
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def write_for_ever(root: Path, seed: int, say: int) -> None:
    """Commit, replace, adopt and move folders in, in an order of its own."""
    store = Store.open(root)
    choose = random.Random(seed)
    while True:
        i, version = choose.randrange(NAMES), choose.randrange(3)
        os.write(say, b".")
        name = fingerprint(f"{i}")
        told = header(identity={"i": i, "version": version})
        lease = store.lease(name)
        match choose.randrange(4):
            case 0 if isinstance(store.inspect(name), Manifest):
                store.adopt(fingerprint(f"adopted {i} {version}"), name, told)
            case 1:
                made = store.scratch(name) / "made"
                made.mkdir(exist_ok=True)
                (made / "model").write_bytes(b"%d" % version * 50_000)
                moved = fingerprint(f"moved {i}")
                store.commit(moved, made, Path, told, owned=made.parent, replace=True)
            case _:
                store.commit(name, value_of(i, version), object, told, replace=choose.random() < 0.7)
        store.put_note("symbols", {"i": i})
        if isinstance(lease, Lease):
            lease.release()


def kill_a_writer(root: Path, seed: int) -> int:
    """Let a writer of its own process begin some commits and kill it in the midst; its process id."""
    choose = random.Random(seed)
    hear, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            write_for_ever(root, seed, say)
        finally:
            os._exit(1)
    os.close(say)
    try:
        for _ in range(choose.randrange(1, 12)):
            ready, _, _ = select.select([hear], [], [], 30)
            assert ready, "the writer hangs"
            assert os.read(hear, 1), "the writer failed"
        until = time.perf_counter() + choose.random() * 0.004
        while time.perf_counter() < until:
            pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(hear)
    return pid


def check(store: Store) -> int:
    """Every result is sound and what was meant; how many there are."""
    count = 0
    for name in store.entries():
        found = store.inspect(name)
        assert isinstance(found, Manifest), found
        value = store.read(name)
        i, version = found.identity["i"], found.identity["version"]
        if isinstance(value, Path):
            assert (value / "model").read_bytes() == b"%d" % version * 50_000
        elif name == fingerprint(f"{i}"):
            assert same(value, value_of(i, version))
        else:
            assert any(same(value, value_of(i, each)) for each in range(3))
        count += 1
    return count


@pytest.mark.slow
def test_a_killed_writer_leaves_results_that_are_right_or_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a kill is no power cut: only the order of calls counts here
    store.commit(fingerprint("0"), value_of(0, 0), object, header(identity={"i": 0, "version": 0}))
    counts = []
    for seed in range(ROUNDS):
        kill_a_writer(store.root, seed)
        counts.append(check(store))
        store.gc(list(store.entries()))
        assert list((store.root / "tmp").iterdir()) == []
        for i in (seed % 4, (seed * 7) % NAMES):
            name = fingerprint(f"{i}")
            lease = store.lease(name)
            assert isinstance(lease, Lease), "a killed writer's lease is taken over"
            told = header(identity={"i": i, "version": 1})
            store.commit(name, value_of(i, 1), object, told, replace=True)
            assert same(store.read(name), value_of(i, 1))
            lease.release()
    assert counts[-1] > NAMES
    assert all(verdict.damage is None for verdict in store.verify())
