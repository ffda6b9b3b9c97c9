"""A disk that really is full, read-only or closed to us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from etude.errors import StoreError
from etude.store import Store
from storing import fingerprint, header

A, B, C = fingerprint("a"), fingerprint("b"), fingerprint("c")
NOBODY = 65534


def mount(*arguments: str) -> bool:
    try:
        return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)):
        pytest.skip("this user may not mount file systems")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_keeps_what_is_there_and_takes_what_fits(small_disk: Path) -> None:
    store = Store.open(small_disk / "store")
    store.commit(A, np.zeros(100_000), object, header())
    for value in (np.ones(400_000), {"x": np.ones(100_000), "y": np.ones(100_000)}, "x" * 5_000_000):
        with pytest.raises(StoreError, match=r"the disk is full \(.* free\)"):
            store.commit(B, value, object, header())
        assert store.inspect(B) is None
        assert list((store.root / "tmp").iterdir()) == []
    store.commit(C, np.zeros(10), object, header())
    assert store.read(A).shape == (100_000,)
    assert store.gc([C], older_than_s=-10).bytes > 800_000
    store.commit(B, np.ones(100_000), object, header())
    assert store.read(B).sum() == 100_000


def test_a_disk_that_fills_up_byte_by_byte_never_holds_half_a_result(small_disk: Path) -> None:
    store = Store.open(small_disk / "store")
    stored, refused = 0, 0
    for i in range(400):
        try:
            store.commit(fingerprint(i), list(range(i, i + 2000)), object, header())
        except StoreError as error:
            refused += "the disk is full" in str(error)
        else:
            stored += 1
    assert stored + refused == 400
    assert stored > 50
    assert refused > 50
    assert all(verdict.damage is None for verdict in store.verify())
    for name in store.entries():
        assert len(store.read(name)) == 2000


def test_a_read_only_disk_can_be_read_and_says_so_when_it_is_written(small_disk: Path) -> None:
    store = Store.open(small_disk / "store")
    store.commit(A, np.arange(3), object, header())
    assert mount("-o", "remount,ro", str(small_disk))
    store = Store.open(small_disk / "store")
    assert store.read(A).tolist() == [0, 1, 2]
    for write in (
        lambda: store.commit(B, 1, object, header()),
        lambda: store.lease(B),
        lambda: store.put_note("symbols", {}),
        lambda: store.scratch(B),
        lambda: store.gc([]),
    ):
        with pytest.raises(StoreError, match=r"read-only(.|\n)*Mend: name a store on a disk that can be written"):
            write()
    assert store.gc([], dry_run=True, older_than_s=-10).artifacts == [A]


def as_nobody(root: Path) -> str:
    """What a user without rights is told."""
    hear, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(NOBODY)
            try:
                store = Store.open(root)
                store.commit(A, 1, object, header())
                told = "stored"
            except StoreError as error:
                told = str(error)
            os.write(say, told.encode())
        finally:
            os._exit(0)
    os.close(say)
    with open(hear, "rb") as file:
        told = file.read().decode()
    os.waitpid(pid, 0)
    return told


@pytest.mark.skipif(os.getuid() != 0, reason="only the superuser can become somebody else")
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_store_without_the_rights_to_it_says_so(small_disk: Path, mode: int) -> None:
    small_disk.chmod(0o755)
    for parent in small_disk.parents:
        if parent.stat().st_uid == 0 and "pytest" in parent.name:
            parent.chmod(0o755)
    root = small_disk / "store"
    root.mkdir(mode=mode)
    root.chmod(mode)
    told = as_nobody(root)
    assert "no permission" in told
    assert "Mend: give yourself the right" in told
