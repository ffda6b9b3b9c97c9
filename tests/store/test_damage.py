"""Whatever happens to the bytes on the disk, no wrong value is ever read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etude.errors import DamagedArtifact, StoreError
from etude.store import Damaged, Store
from storing import files_below, fingerprint, header, stored

many = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

A = fingerprint("a")
VALUES: dict[str, Any] = {
    "json": {"accuracy": 0.5, "n": [1, 2, 3]},
    "long json": list(range(2000)),
    "text": "words " * 20_000,
    "array": np.arange(40.0),
    "large array": np.arange(20_000.0),
    "named arrays": {"a": np.arange(5), "b": np.ones((2, 2), np.float32)},
    "table": pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]}),
    "composite": {"t": pa.table({"a": [1]}), "x": np.arange(3), "n": 0.5},
}


def plain(value: Any) -> Any:
    """A value that can be compared."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def rewrite(path: Path, change: Callable[[bytearray], bytes]) -> None:
    """Change a read-only file behind the store's back."""
    data = bytearray(path.read_bytes())
    path.chmod(0o644)
    path.write_bytes(change(data))


def flipped(at: float, bit: int) -> Callable[[bytearray], bytes]:
    def change(data: bytearray) -> bytes:
        if data:
            data[int(at * (len(data) - 1))] ^= 1 << bit
        return bytes(data)

    return change


@many
@given(st.sampled_from(sorted(VALUES)), st.integers(0, 9), st.floats(0, 1), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_never_read_as_a_value(
    store: Store, name: str, which: int, at: float, bit: int
) -> None:
    manifest = stored(store, VALUES[name])
    files = files_below(store.root / manifest.fingerprint[:2] / manifest.fingerprint)
    rewrite(files[which % len(files)], flipped(at, bit))
    with pytest.raises(StoreError):
        store.read(manifest.fingerprint)


@many
@given(st.sampled_from(sorted(VALUES)), st.integers(0, 9), st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_seen_at_a_glance(store: Store, name: str, which: int, at: float) -> None:
    manifest = stored(store, VALUES[name])
    files = files_below(store.root / manifest.fingerprint[:2] / manifest.fingerprint)
    rewrite(files[which % len(files)], lambda data: bytes(data[: int(at * len(data))]))
    assert isinstance(store.inspect(manifest.fingerprint), Damaged)
    with pytest.raises(DamagedArtifact):
        store.read(manifest.fingerprint)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_that_nobody_touched_are_read(store: Store, name: str) -> None:
    assert plain(store.read(stored(store, VALUES[name]).fingerprint)) == plain(VALUES[name])


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"schema":1}', b"{" * 100])
def test_a_manifest_that_is_none_is_damage(store: Store, text: bytes) -> None:
    store.commit(A, 1, object, header())
    rewrite(store.root / A[:2] / A / "manifest.json", lambda _: text)
    found = store.inspect(A)
    assert isinstance(found, Damaged)
    assert "manifest" in found.reason


@pytest.mark.parametrize("what", ["folder", "manifest"])
def test_something_else_in_the_place_of_a_result_is_damage(store: Store, what: str) -> None:
    folder = store.root / A[:2] / A
    stored(store, 1)
    if what == "folder":
        folder.parent.mkdir(exist_ok=True)
        folder.write_text("a file")
    else:
        (folder / "manifest.json").mkdir(parents=True)
    assert isinstance(store.inspect(A), Damaged)
    store.quarantine(A, "not a result")
    store.commit(A, 2, object, header())
    assert store.read(A) == 2


def test_a_large_file_that_was_checked_once_is_checked_again_when_it_changed(store: Store) -> None:
    manifest = stored(store, np.zeros(200_000))
    store.read(manifest.fingerprint)
    rewrite(store.root / manifest.fingerprint[:2] / manifest.fingerprint / "value.npy", flipped(0.9, 3))
    with pytest.raises(DamagedArtifact, match="checksum"):
        store.read(manifest.fingerprint)


def test_verify_finds_what_a_glance_does_not(store: Store) -> None:
    sound, rotten, cut = (stored(store, np.arange(100)).fingerprint for _ in range(3))
    rewrite(store.root / rotten[:2] / rotten / "value.npy", flipped(0.9, 0))
    rewrite(store.root / cut[:2] / cut / "manifest.json", lambda data: bytes(data[:50]))
    damage = {verdict.fingerprint: verdict.damage for verdict in store.verify()}
    assert damage[sound] is None
    assert damage[rotten] == "data file value.npy does not match its checksum"
    assert "manifest is cut" in str(damage[cut])
    assert [verdict.size for verdict in store.verify([sound])] == [928]
    assert [verdict.damage for verdict in store.verify([A])] == ["there is no such result"]


def test_a_disk_that_fails_while_reading_is_told_as_that(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = stored(store, list(range(2000))).fingerprint
    real = os.read

    def failing(handle: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", failing)
    with pytest.raises(StoreError, match="the disk failed"):
        store.inspect(fingerprint)
    monkeypatch.setattr(os, "read", real)
    assert store.read(fingerprint) == list(range(2000))
