"""A system call that fails, whichever it is, leaves no half-written result and a store that goes on working."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.errors import StoreError
from etude.store import Lease, Manifest, Store
from storing import fingerprint, fresh, header

A, B, OLD = fingerprint("a"), fingerprint("b"), fingerprint("old")
MIXED = {"x": np.arange(50), "y": [1.5, None], "z": "text" * 20_000}
CALLS = ("open", "write", "close", "rename", "mkdir", "link", "fsync", "chmod", "utime", "symlink", "unlink")


class Faulty:
    """The system's calls, of which the n-th fails. Half of what a failing write had to write is written."""

    def __init__(self, patch: pytest.MonkeyPatch, nth: int, number: int) -> None:
        self.left = nth
        self.number = number
        self.failed: str | None = None
        for name in CALLS:
            real = (lambda _: None) if name == "fsync" else getattr(os, name)
            patch.setattr(os, name, self._wrapped(name, real))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self.failed = name
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                if name == "close":
                    real(*args)
                raise OSError(self.number, os.strerror(self.number))
            return real(*args, **options)

        return call


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, Path):
        return {path.name: path.read_bytes() for path in value.iterdir()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def commit_mixed(store: Store) -> None:
    store.commit(A, MIXED, object, header())


def commit_long(store: Store) -> None:
    store.commit(A, MIXED, object, header(cost={"wall_s": 100.0}))


def prepare(store: Store) -> Path:
    """A result to be swept, and a folder that a step made in its scratch folder, to be moved into the store."""
    store.commit(B, [1, 2], object, header())
    made = store.scratch(A) / "made"
    (made / "deep").mkdir(parents=True, exist_ok=True)
    if not (made / "weights").exists():
        (made / "weights").write_bytes(b"w" * 1000)
        (made / "link").symlink_to("weights")
    return made


def commit_moved(store: Store) -> None:
    made = Path(f"{store.root}/scratch/{A[:2]}/{A}/made")
    store.commit(A, made, Path, header(), owned=made.parent)


def replace(store: Store) -> None:
    store.commit(OLD, MIXED, object, header(), replace=True)


def adopt(store: Store) -> None:
    store.adopt(A, OLD, header())


def quarantine(store: Store) -> None:
    store.quarantine(OLD, "test")


def documents(store: Store) -> None:
    store.record_failure(A, {"error": "x"})
    store.put_note("symbols", {"a": 1})


def lease(store: Store) -> None:
    taken = store.lease(A)
    assert isinstance(taken, Lease)
    taken.release()


def sweep(store: Store) -> None:
    store.gc([OLD, A], older_than_s=-10)


ALLOWED = (plain(MIXED), [7] * 50, {"after": [1, 1]}, [1, 2])


def check(store: Store) -> None:
    """Every result that can be read is right, and the store takes the next."""
    for name in store.entries():
        found = store.inspect(name)
        assert found is None or isinstance(found, Manifest), found
        if found is not None:
            value = store.read(name)
            if isinstance(value, Path):
                assert (value / "weights").read_bytes() == b"w" * 1000
            else:
                assert plain(value) in ALLOWED
    assert all(verdict.damage is None for verdict in store.verify())
    name = fresh()
    store.commit(name, {"after": np.ones(2)}, object, header())
    assert store.read(name)["after"].tolist() == [1, 1]
    taken = store.lease(A)
    assert isinstance(taken, Lease)
    taken.release()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize(
    "scenario", [commit_mixed, commit_long, commit_moved, replace, adopt, quarantine, documents, lease, sweep]
)
def test_no_failing_call_leaves_a_wrong_result(tmp_path: Path, scenario: Callable[[Store], None], number: int) -> None:
    told = 0
    for nth in itertools.count(1):
        root = tmp_path / str(nth)
        Store.open(root).commit(OLD, np.full(50, 7), object, header())
        store = Store.open(root)
        made = prepare(store)
        with pytest.MonkeyPatch.context() as patch:
            faulty = Faulty(patch, nth, number)
            try:
                scenario(store)
            except StoreError as error:
                told += "Mend:" in str(error)
        check(store)
        assert isinstance(store.inspect(A), Manifest) or (made / "weights").exists()
        if faulty.failed is None:
            break
        prepare(store)
        scenario(store)
        check(store)
    assert nth > 2
    assert told > 0


def test_a_full_disk_is_told_with_what_is_left_and_what_to_do(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    store.commit(B, 1, object, header())
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match=r"cannot write result .* the disk is full \(\d.* free\)(.|\n)*etude gc"):
        store.commit(A, np.arange(10), object, header())
    monkeypatch.undo()
    assert store.inspect(A) is None
    assert list((store.root / "tmp").iterdir()) == []


def test_an_interrupt_in_the_middle_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    store.commit(B, 1, object, header())
    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.commit(A, np.arange(10), object, header())
    monkeypatch.undo()
    assert store.inspect(A) is None
    assert list((store.root / "tmp").iterdir()) == []
