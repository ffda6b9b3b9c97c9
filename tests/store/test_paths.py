"""Files and folders that a step made come back as they are, whether moved or copied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etude.errors import DamagedArtifact, StepError, StoreError
from etude.store import Store
from storing import fresh, header, round_trip, stored

many = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=6).filter(
    lambda name: name.strip(".") != ""
)
trees = st.recursive(st.binary(max_size=50), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=6)


def write(tree: dict[str, object] | bytes, at: Path) -> Path:
    """A tree of files and folders on the disk."""
    if isinstance(tree, bytes):
        at.write_bytes(tree)
    else:
        at.mkdir()
        for name, inner in tree.items():
            write(inner, at / name)  # type: ignore[arg-type]
    return at


def read(at: Path) -> dict[str, object] | bytes:
    """The tree that stands on the disk."""
    return {inner.name: read(inner) for inner in at.iterdir()} if at.is_dir() else at.read_bytes()


@many
@given(st.dictionaries(names, trees, max_size=3))
def test_folders_come_back_whole_empty_ones_too(store: Store, tmp_path: Path, tree: dict[str, object]) -> None:
    shutil.rmtree(tmp_path / "made", ignore_errors=True)
    made = write(tree, tmp_path / "made")
    assert read(round_trip(store, made)) == tree
    assert read(made) == tree


@many
@given(st.dictionaries(names, trees, max_size=3))
def test_a_moved_folder_has_the_content_of_a_copied_one(store: Store, tmp_path: Path, tree: dict[str, object]) -> None:
    shutil.rmtree(tmp_path / "made", ignore_errors=True)
    made = write(tree, tmp_path / "made")
    copied = stored(store, made)
    moved = stored(store, made, owned=tmp_path)
    assert moved.content == copied.content
    assert read(store.read(moved.fingerprint)) == tree
    assert not made.exists()


def test_a_file_keeps_its_name_and_is_read_only(store: Store, tmp_path: Path) -> None:
    back = round_trip(store, write(b"a,b\n", tmp_path / "scores.csv"), Path)
    assert back.name == "scores.csv"
    assert back.read_bytes() == b"a,b\n"
    assert back.stat().st_mode & 0o222 == 0


def test_a_file_in_the_owned_folder_is_moved(store: Store, tmp_path: Path) -> None:
    scratch = store.scratch(fresh())
    made = write(b"x" * 1000, scratch / "model.bin")
    inode = made.stat().st_ino
    back = store.read(stored(store, made, Path, owned=scratch).fingerprint)
    assert back.stat().st_ino == inode
    assert back.stat().st_mode & 0o222 == 0
    assert not made.exists()


def test_a_file_with_other_links_is_copied(store: Store, tmp_path: Path) -> None:
    made = write(b"x", tmp_path / "a")
    os.link(made, tmp_path / "b")
    assert store.read(stored(store, made, owned=tmp_path).fingerprint).stat().st_nlink == 1
    made.write_bytes(b"y")


def test_a_file_and_the_folder_around_it_are_both_stored(store: Store, tmp_path: Path) -> None:
    folder = write({"best": b"1", "last": b"2"}, tmp_path / "folder")
    back = store.read(
        stored(store, {"all": folder, "best": folder / "best"}, dict[str, Path], owned=tmp_path).fingerprint
    )
    assert read(back["all"]) == {"best": b"1", "last": b"2"}
    assert back["best"].read_bytes() == b"1"


def test_the_name_and_place_of_a_folder_are_not_content(store: Store, tmp_path: Path) -> None:
    one, two = write({"a": b"1"}, tmp_path / "one"), write({"a": b"1"}, tmp_path / "two")
    os.utime(two / "a", (0, 0))
    assert stored(store, one).content == stored(store, two).content


def test_whether_a_file_can_be_executed_is_kept(store: Store, tmp_path: Path) -> None:
    made = write({"run": b"#!/bin/sh\n"}, tmp_path / "made")
    (made / "run").chmod(0o755)
    assert os.access(round_trip(store, made) / "run", os.X_OK)
    assert os.access(store.read(stored(store, made, owned=tmp_path).fingerprint) / "run", os.X_OK)


@pytest.mark.parametrize("moved", [False, True])
def test_links_within_a_folder_are_kept(store: Store, tmp_path: Path, moved: bool) -> None:
    made = write({"step=3.ckpt": b"3", "deep": {}}, tmp_path / "made")
    (made / "last.ckpt").symlink_to("step=3.ckpt")
    (made / "deep" / "up").symlink_to("../step=3.ckpt")
    back = store.read(stored(store, made, owned=tmp_path if moved else None).fingerprint)
    assert (back / "last.ckpt").readlink() == Path("step=3.ckpt")
    assert (back / "deep" / "up").read_bytes() == b"3"


@pytest.mark.parametrize("target", ["../outside", "/etc/hostname", "deep/../../outside", "."])
def test_links_that_leave_the_folder_are_refused(store: Store, tmp_path: Path, target: str) -> None:
    made = write({"deep": {}}, tmp_path / "made")
    write(b"secret", tmp_path / "outside")
    (made / "link").symlink_to(target)
    if target == ".":
        assert (round_trip(store, made) / "link").is_symlink()
    else:
        with pytest.raises(StepError, match="leaves the returned folder"):
            stored(store, made)


def test_pipes_are_refused(store: Store, tmp_path: Path) -> None:
    made = write({}, tmp_path / "made")
    os.mkfifo(made / "pipe")
    with pytest.raises(StepError, match="pipe"):
        stored(store, made)


def test_a_path_that_does_not_exist_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="nothing does not exist"):
        stored(store, tmp_path / "nothing")


def test_a_missing_empty_folder_is_damage(store: Store, tmp_path: Path) -> None:
    manifest = stored(store, write({"empty": {}}, tmp_path / "made"))
    (store.read(manifest.fingerprint) / "empty").rmdir()
    with pytest.raises(DamagedArtifact, match="empty is missing"):
        store.read(manifest.fingerprint)


def test_what_was_moved_comes_back_when_storing_fails(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write({"weights": b"hours of work"}, tmp_path / "made")
    stored(store, 1)
    real = os.rename

    def failing(source: str, target: str) -> None:
        if Path(source).parent == store.root / "tmp":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(StoreError, match="disk is full"):
        store.commit(fresh(), made, Path, header(), owned=tmp_path)
    assert read(made) == {"weights": b"hours of work"}
    (made / "weights").write_bytes(b"more work")
