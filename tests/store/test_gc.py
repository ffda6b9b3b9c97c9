"""A sweep removes what nothing needs and leaves alone what anyone works on."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np

from etude.store import Header, Lease, Manifest, Store
from etude.store.files.owner import Owner
from storing import files_below, fingerprint, fresh, header, stored

A, B, C = fingerprint("a"), fingerprint("b"), fingerprint("c")
context = multiprocessing.get_context("fork")
NOW = -10.0
"""An age that everything has: younger than what is written next."""


def age(path: Path, seconds: float = 10**6) -> None:
    """Make a file or folder and all below it old."""
    for each in (*path.rglob("*"), path):
        os.utime(each, (each.lstat().st_mtime - seconds,) * 2, follow_symlinks=False)


def test_results_that_are_not_kept_go_with_their_traces(store: Store) -> None:
    kept, dropped = stored(store, 1), stored(store, np.zeros(1000))
    removed = store.gc([kept.fingerprint], older_than_s=NOW)
    assert removed.artifacts == [dropped.fingerprint]
    assert removed.bytes > 8000
    assert removed.traces == 1
    assert list(store.entries()) == [kept.fingerprint]
    assert (store.traced(kept.trace), store.traced(dropped.trace)) == (kept.fingerprint, None)


def test_a_dry_run_says_the_same_and_removes_nothing(store: Store) -> None:
    for _ in range(3):
        stored(store, np.zeros(10))
    store.put_note("symbols", {"a": 1})
    store.record_failure(A, {"error": "x"})
    (store.scratch(B) / "checkpoint").write_bytes(b"x" * 100)
    before = files_below(store.root)
    told = store.gc([], dry_run=True, older_than_s=NOW)
    assert files_below(store.root) == before
    done = store.gc([], older_than_s=NOW)
    assert (told.artifacts, told.bytes, told.things) == (done.artifacts, done.bytes, done.things)
    assert (done.traces, done.notes, done.failures, done.scratch) == (3, 1, 1, 1)
    left = [path for path in files_below(store.root) if path.parent.name != "holders"]
    assert left == [store.root / "store.json"]


def test_what_is_young_stays(store: Store) -> None:
    manifest = stored(store, 1)
    store.put_note("symbols", {"a": 1})
    store.record_failure(A, {})
    store.scratch(B)
    assert not store.gc([]).quarantined
    age(store.root / manifest.fingerprint[:2])
    assert store.gc([]).artifacts == [manifest.fingerprint]


def test_what_is_leased_stays(store: Store) -> None:
    manifest = stored(store, 1)
    store.scratch(manifest.fingerprint)
    other = Store.open(store.root)
    with other.lease(manifest.fingerprint):  # type: ignore[union-attr]
        assert store.gc([], older_than_s=NOW, dry_run=True).artifacts == []
        removed = store.gc([], older_than_s=NOW)
    assert (removed.artifacts, removed.scratch, removed.leases) == ([], 0, 0)
    assert store.gc([], older_than_s=NOW).artifacts == [manifest.fingerprint]


def test_a_file_that_a_kept_result_shares_frees_nothing(store: Store) -> None:
    store.commit(A, np.zeros(100_000), object, header())
    store.adopt(B, A, header())
    store.adopt(C, A, header())
    assert store.gc([A], older_than_s=NOW).bytes < 10_000
    assert store.read(A).sum() == 0
    assert store.gc([], older_than_s=NOW).bytes > 800_000


def test_notes_stay_while_a_manifest_or_a_named_note_names_them(store: Store) -> None:
    inner = store.put_note("symbols", {"b": 2})
    outer = store.put_note("symbols", {"a": 1, "see": inner})
    lost = store.put_note("symbols", {"c": 3})
    store.commit(A, 1, object, header(identity={"symbols": outer}))
    assert store.gc([A], older_than_s=NOW).notes == 1
    assert (store.note("symbols", outer), store.note("symbols", inner)) == ({"a": 1, "see": inner}, {"b": 2})
    assert store.note("symbols", lost) is None


def test_failures_and_scratch_of_what_is_kept_stay(store: Store) -> None:
    store.record_failure(A, {"error": "x"})
    (store.scratch(A) / "checkpoint").write_text("1")
    assert not store.gc([A], older_than_s=NOW)
    assert store.failure(A) == {"error": "x"}
    assert (store.scratch(A) / "checkpoint").exists()


def test_scratch_in_use_is_as_young_as_its_youngest_file(store: Store) -> None:
    deep = store.scratch(A) / "deep"
    deep.mkdir()
    age(store.root / "scratch")
    (deep / "checkpoint").write_text("1")
    os.utime(deep, (0, 0))
    assert store.gc([]).scratch == 0


def test_what_a_living_process_writes_stays_and_what_a_dead_one_left_goes(store: Store) -> None:
    stored(store, 1)
    tmp = store.root / "tmp"
    alive = tmp / f"{Owner.current().name}.77"
    dead = tmp / f"{Owner.current().name.replace(str(os.getpid()), '4194999', 1)}.78"
    elsewhere = tmp / "host-othermachine-1-1-abc.79"
    for path in (alive, dead, elsewhere):
        path.mkdir()
        (path / "value.npy").write_bytes(b"x" * 100)
    age(alive)
    assert store.gc(list(store.entries())).temporary == 1
    assert not dead.exists()
    assert store.gc(list(store.entries()), older_than_s=NOW).temporary == 0
    age(elsewhere)
    assert store.gc(list(store.entries())).temporary == 1
    assert list(tmp.iterdir()) == [alive]


def test_old_quarantine_goes(store: Store) -> None:
    store.commit(A, np.zeros(1000), object, header())
    moved = store.quarantine(A, "test")
    age(store.root / str(moved))
    assert not store.gc([]).quarantined
    age(store.root / "quarantine")
    removed = store.gc([])
    assert (removed.quarantined, removed.bytes > 8000) == (1, True)
    assert list((store.root / "quarantine").iterdir()) == []


def test_leases_of_the_dead_go(store: Store) -> None:
    stored(store, 1)

    def child() -> None:
        Store.open(store.root).lease(A)
        os._exit(0)

    process = context.Process(target=child)
    process.start()
    process.join()
    with store.lease(B):  # type: ignore[union-attr]
        assert store.gc(list(store.entries()), older_than_s=NOW).leases == 1
        assert [path.name for path in store.root.glob("leases/??/*")] == [B]


def write_much(root: Path, answers: Any) -> None:
    store = Store.open(root)
    with store.lease(C):  # type: ignore[union-attr]
        store.commit(C, np.ones(10), object, header())
        for _ in range(400):
            name = fresh()
            store.commit(name, {"x": np.arange(10), "n": 1}, object, Header(trace=name))
            found = store.inspect(name)
            if found is not None and not isinstance(found, Manifest):
                answers.put(f"damaged: {found}")
                return
        answers.put("sound" if store.read(C).sum() == 10 else "wrong")


def test_sweeping_beside_a_writer_harms_neither(store: Store) -> None:
    stored(store, 1)
    answers = context.Queue()
    writer = context.Process(target=write_much, args=(store.root, answers))
    writer.start()
    swept = 0
    while writer.is_alive():
        swept += len(store.gc([], older_than_s=NOW).artifacts)
    assert answers.get(timeout=30) == "sound"
    writer.join()
    assert swept > 0
    store.gc([], older_than_s=NOW)
    assert not isinstance(store.lease(C), Lease) or list(store.entries()) == []
