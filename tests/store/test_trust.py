"""A store is not trusted more than it must be: what a manifest says is no leave to read or import anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from etude.errors import DamagedArtifact, StoreError
from etude.store import Damaged, Manifest, Store
from etude.store.files.manifest import SCHEMA, _tail
from storing import fingerprint, header, stored

A, B = fingerprint("a"), fingerprint("b")


def forged(store: Store, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest and have its check agree."""
    path = store.folder(name) / "manifest.json"
    fields = orjson.loads(path.read_bytes())
    del fields["check"]
    change(fields)
    body = orjson.dumps(fields)[:-1]
    path.chmod(0o644)
    path.write_bytes(body + _tail(body))


@pytest.mark.parametrize("path", ["../../secret", "/etc/hostname", "x/../../../secret", "", "a\0b"])
def test_a_manifest_that_names_a_file_outside_of_its_folder_is_damaged(store: Store, path: str) -> None:
    store.commit(A, np.arange(3), object, header())

    def outside(fields: dict[str, Any]) -> None:
        fields["files"][0][0] = path
        fields["codec"]["file"] = path

    forged(store, A, outside)
    found = store.inspect(A)
    assert isinstance(found, Damaged)
    assert "outside of its folder" in found.reason
    assert [verdict.damage is None for verdict in store.verify()] == [False]
    with pytest.raises(DamagedArtifact):
        store.read(A)


def test_a_file_with_two_dots_in_its_name_is_no_way_out(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a..b").write_text("x")
    manifest = stored(store, tmp_path / "a..b", Path)
    assert store.read(manifest.fingerprint).read_text() == "x"


@pytest.mark.parametrize("inner", ["file", "folder"])
def test_a_data_file_that_became_a_link_to_the_outside_is_not_read(store: Store, tmp_path: Path, inner: str) -> None:
    secret = tmp_path / "folder" / "value.npy"
    secret.parent.mkdir()
    store.commit(A, {"x": np.arange(3), "y": {"z": np.arange(4.0)}}, object, header())
    (data, *_) = list(store.folder(A).rglob("*.npy")) or list(store.folder(A).rglob("*.safetensors"))
    if inner == "file":
        secret.write_bytes(data.read_bytes())
        data.unlink()
        data.symlink_to(secret)
    else:
        (store.folder(A) / "d").symlink_to(secret.parent)
        secret.write_bytes(data.read_bytes())

        def through(fields: dict[str, Any]) -> None:
            text = orjson.dumps(fields).decode().replace(str(data.relative_to(store.folder(A))), "d/value.npy")
            fields.update(orjson.loads(text))

        forged(store, A, through)
    with pytest.raises(DamagedArtifact, match="leads out of its folder"):
        store.read(A)
    assert "leads out" in str(next(store.verify()).damage)


def test_a_stored_folder_whose_link_leads_out_is_damaged(store: Store, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "one").write_text("1")
    (made / "two").symlink_to("one")
    store.commit(A, made, Path, header())
    (link,) = store.folder(A).rglob("two")
    link.unlink()
    link.symlink_to("../../../../../secret")

    def elsewhere(fields: dict[str, Any]) -> None:
        fields["codec"]["links"] = [["two", "../../../../../secret"]]

    forged(store, A, elsewhere)
    with pytest.raises(DamagedArtifact, match="leads out"):
        store.read(A)
    forged(store, A, lambda fields: fields["codec"].update(folder="../..", links=[]))
    with pytest.raises(DamagedArtifact, match="outside of its folder"):
        store.read(A)


@dataclass(frozen=True)
class Own:
    x: int


@pytest.mark.parametrize("kind", ["side_effect:Thing", "antigravity:Thing", "os:system", "eval", "nothing", 3])
def test_no_module_is_imported_and_nothing_but_a_class_is_made_on_a_manifest_s_word(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    (tmp_path / "side_effect.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Thing: pass")
    monkeypatch.syspath_prepend(tmp_path)
    store.commit(A, Own(1), Own, header())
    assert store.read(A) == Own(1)
    forged(store, A, lambda fields: fields["codec"].update(type=kind))
    with pytest.raises(StoreError):
        store.read(A)
    assert not (tmp_path / "ran").exists()
    assert "antigravity" not in sys.modules
    assert store.read(A, as_type=Own) == Own(1), "the reader's own annotation needs no word of the manifest"


def test_a_class_of_a_package_of_the_project_is_found_in_a_module_not_imported_yet(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mine_for_trust"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "types.py").write_text(
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Thing:\n    x: int\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import mine_for_trust  # type: ignore[import-not-found]  # noqa: F401
    from mine_for_trust.types import Thing  # type: ignore[import-not-found]

    store.commit(A, Thing(1), Thing, header())
    monkeypatch.delitem(sys.modules, "mine_for_trust.types")
    assert store.read(A).x == 1


def test_a_result_of_a_newer_schema_stops_no_check_of_the_others(store: Store) -> None:
    for name in (A, B):
        store.commit(name, np.arange(3), object, header())
    forged(store, A, lambda fields: fields.update(schema=SCHEMA + 1))
    found = {verdict.fingerprint: (verdict.damage, verdict.unknown) for verdict in store.verify()}
    assert found[B] == (None, None)
    assert found[A][0] is None, "it is not damaged, and not to be set aside"
    assert "newer étude" in str(found[A][1])


def test_a_shard_that_is_a_link_is_read_and_checked_and_left_alone_by_a_sweep(store: Store, tmp_path: Path) -> None:
    note = store.put_note("symbols", {"f": "1"})
    manifest = store.commit(A, np.arange(3), object, header(provenance={"symbols": note}))
    shard, elsewhere = store.root / A[:2], tmp_path / "elsewhere"
    shard.rename(elsewhere)
    shard.symlink_to(elsewhere)
    assert not store.gc([], older_than_s=-10).artifacts
    assert isinstance(store.inspect(A), Manifest)
    assert store.note("symbols", note) == {"f": "1"}
    assert store.traced(manifest.trace) == A
    assert [verdict.damage for verdict in store.verify()] == [None]
    assert np.array_equal(store.read(A), np.arange(3))


def test_what_the_system_takes_a_few_bytes_of_at_a_time_is_written_whole_and_with_its_own_digest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: whole(handle, memoryview(data).cast("B")[:7]))
    store.commit(A, {"x": np.arange(1000), "text": "long " * 1000}, object, header())
    monkeypatch.undo()
    assert [verdict.damage for verdict in store.verify()] == [None]
    assert store.read(A)["x"].sum() == 499_500
