"""Results appear whole or not at all; the first writer wins; everything else follows from that."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etude.errors import DamagedArtifact, StepError, StoreError
from etude.store import Damaged, Header, Manifest, Store
from etude.store.files.manifest import SCHEMA, content_digest
from storing import Quality, files_below, fingerprint, fresh, header, stored

A, B, C = fingerprint("a"), fingerprint("b"), fingerprint("c")


def folder(store: Store, name: str) -> Path:
    assert store.folder(name) == store.root / name[:2] / name
    return store.folder(name)


def test_a_result_comes_back_with_all_that_was_said_of_it(store: Store) -> None:
    said = Header(
        trace=B,
        inputs={"x": C},
        identity={"step": "text.split", "settings": {"seed": 0}},
        provenance={"host": "here"},
        cost={"wall_s": 0.5, "energy_j": None},
        deterministic=False,
    )
    written = store.commit(A, Quality(0.5, 3), Quality, said)
    found = store.inspect(A)
    assert isinstance(found, Manifest)
    assert found == written
    assert (found.trace, found.inputs, found.identity) == (B, {"x": C}, said.identity)
    assert (found.provenance, found.cost, found.deterministic) == (said.provenance, said.cost, False)
    assert datetime.fromisoformat(found.created).tzinfo == UTC


def test_the_time_of_a_result_is_the_clock_that_was_given(tmp_path: Path) -> None:
    moment = datetime(2020, 1, 2, tzinfo=UTC)
    assert stored(Store(tmp_path, clock=lambda: moment), 1).created == "2020-01-02T00:00:00+00:00"


def test_nothing_stands_where_nothing_was_stored(store: Store) -> None:
    assert store.inspect(A) is None
    with pytest.raises(StoreError, match="there is no result"):
        store.read(A)


def test_looking_makes_nothing(store: Store) -> None:
    store.inspect(A)
    assert (store.traced(A), store.note("symbols", A), store.failure(A), store.holder(A)) == (None, None, None, None)
    assert list(store.entries()) == list(store.verify()) == []
    assert not store.gc([])
    assert not store.root.exists()


def test_the_first_writer_wins_and_the_second_gets_its_manifest(store: Store) -> None:
    first = store.commit(A, 1, object, header())
    second = store.commit(A, 2, object, header())
    assert second == first
    assert store.read(A) == 1


def test_replacing_puts_the_new_result_in_the_place_of_the_old(store: Store) -> None:
    store.commit(A, np.zeros(3), object, header())
    store.commit(A, np.ones(3), object, header(), replace=True)
    assert store.read(A).tolist() == [1, 1, 1]
    assert list((store.root / "tmp").iterdir()) == []


def test_what_was_loaded_before_a_replacement_stays_as_it_was(store: Store) -> None:
    store.commit(A, np.zeros(100_000), object, header())
    before = store.read(A)
    store.commit(A, np.ones(100_000), object, header(), replace=True)
    store.gc([], older_than_s=-10)
    assert before.sum() == 0


def test_a_result_that_is_swapped_while_it_is_read_is_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from etude.store.files.artifact import Content

    store.commit(A, {"x": np.zeros(3), "s": "a" * 5000}, object, header())
    real = Content.read

    def swapping(self: Content, name: str) -> bytes:
        monkeypatch.setattr(Content, "read", real)
        data = real(self, name)
        store.commit(A, {"x": np.ones(3), "s": "b" * 5000}, object, header(), replace=True)
        return data

    monkeypatch.setattr(Content, "read", swapping)
    back = store.read(A)
    assert (back["x"].tolist(), back["s"][0]) == ([1, 1, 1], "b")


def test_a_damaged_result_is_replaced_by_the_next_writer_and_kept_aside(store: Store) -> None:
    store.commit(A, np.zeros(3), object, header())
    (folder(store, A) / "value.npy").unlink()
    store.commit(A, np.ones(3), object, header())
    assert store.read(A).tolist() == [1, 1, 1]
    assert len(list((store.root / "quarantine").glob("*.json"))) == 1


def test_a_folder_without_a_manifest_is_no_result_and_gives_way(store: Store) -> None:
    folder(store, A).mkdir(parents=True)
    (folder(store, A) / "value.npy").write_bytes(b"half")
    store._made = True
    assert store.inspect(A) is None
    store.commit(A, 5, object, header())
    assert store.read(A) == 5


def test_adopting_gives_the_same_bytes_without_a_copy(store: Store) -> None:
    source = store.commit(A, np.arange(5), object, header())
    adopted = store.adopt(B, A, header(identity={"accepted": True}))
    assert adopted.content == source.content
    assert adopted.identity == {"accepted": True}
    assert (folder(store, A) / "value.npy").samefile(folder(store, B) / "value.npy")
    assert store.read(B).tolist() == [0, 1, 2, 3, 4]


def test_adopting_copies_and_checks_where_links_cannot_be(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    store.commit(A, np.arange(5), object, header())
    monkeypatch.setattr("os.link", no_links)
    store.adopt(B, A, header())
    assert not (folder(store, A) / "value.npy").samefile(folder(store, B) / "value.npy")
    assert store.read(B).tolist() == [0, 1, 2, 3, 4]
    (folder(store, A) / "value.npy").chmod(0o644)
    (folder(store, A) / "value.npy").write_bytes(b"x" * 168)
    with pytest.raises(DamagedArtifact, match="checksum"):
        store.adopt(C, A, header())
    assert store.inspect(C) is None


def test_adopting_keeps_empty_folders_and_links(store: Store, tmp_path: Path) -> None:
    made = tmp_path / "made"
    (made / "empty").mkdir(parents=True)
    (made / "a").write_bytes(b"1")
    (made / "b").symlink_to("a")
    store.commit(A, made, Path, header())
    store.adopt(B, A, header())
    back = store.read(B)
    assert (back / "empty").is_dir()
    assert (back / "b").read_bytes() == b"1"


def test_adopting_what_is_missing_or_damaged_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no result"):
        store.adopt(B, A, header())
    store.commit(A, np.arange(5), object, header())
    (folder(store, A) / "value.npy").unlink()
    with pytest.raises(DamagedArtifact, match=r"value.npy is missing"):
        store.adopt(B, A, header())
    assert store.inspect(B) is None


def test_adopting_never_replaces_a_sound_result(store: Store) -> None:
    store.commit(A, 1, object, header())
    store.commit(B, 2, object, header())
    store.adopt(B, A, header())
    assert store.read(B) == 2
    store.adopt(B, A, header(), replace=True)
    assert (store.read(A), store.read(B)) == (1, 1)
    store.adopt(A, A, header("again"), replace=True)
    assert store.traced(fingerprint("again")) == A


def test_a_trace_key_finds_a_sound_result_and_no_other(store: Store) -> None:
    store.commit(A, np.ones(2), object, Header(trace=C))
    assert store.traced(C) == A
    (folder(store, A) / "value.npy").unlink()
    assert store.traced(C) is None
    store.quarantine(A, "test")
    assert store.traced(C) is None


def test_a_trace_to_a_result_of_another_trace_key_is_ignored(store: Store) -> None:
    store.commit(A, 1, object, Header(trace=C))
    path = store.root / "traces" / B[:2] / B
    path.parent.mkdir(exist_ok=True)
    path.write_text(A)
    assert store.traced(B) is None
    path.write_text(A[:10])
    assert store.traced(B) is None


def test_notes_are_shared_and_found_by_their_digest(store: Store) -> None:
    digest = store.put_note("symbols", {"b": 1, "a": "2"})
    assert store.put_note("symbols", {"a": "2", "b": 1}) == digest
    assert store.note("symbols", digest) == {"a": "2", "b": 1}
    assert store.note("other", digest) is None


def test_a_torn_note_is_none_and_is_written_again(store: Store) -> None:
    digest = store.put_note("symbols", {"a": 1})
    path = store.root / "notes" / "symbols" / digest[:2] / f"{digest}.json"
    path.chmod(0o644)
    path.write_bytes(b"")
    assert store.note("symbols", digest) is None
    store.put_note("symbols", {"a": 1})
    assert store.note("symbols", digest) == {"a": 1}


@pytest.mark.parametrize("kind", ["../x", "", "A b"])
def test_a_kind_of_note_is_a_word(store: Store, kind: str) -> None:
    with pytest.raises(StoreError, match="is no kind of note"):
        store.put_note(kind, {})


def test_failures_are_recorded_but_are_no_results(store: Store) -> None:
    store.record_failure(A, {"error": "ValueError", "log": "/x"})
    assert store.failure(A) == {"error": "ValueError", "log": "/x"}
    assert store.inspect(A) is None
    store.commit(A, 1, object, header())
    assert store.failure(A) is None


def test_scratch_is_kept_until_it_is_dropped(store: Store) -> None:
    (store.scratch(A) / "checkpoint").write_text("1")
    assert (store.scratch(A) / "checkpoint").read_text() == "1"
    store.drop_scratch(A)
    store.drop_scratch(A)
    assert list(store.scratch(A).iterdir()) == []


def test_quarantine_moves_the_result_away_and_says_why(store: Store) -> None:
    store.commit(A, np.ones(2), object, header())
    moved = store.quarantine(A, "a bit was flipped")
    assert moved is not None
    assert (moved / "value.npy").exists()
    assert json.loads(Path(f"{moved}.json").read_text())["reason"] == "a bit was flipped"
    assert store.inspect(A) is None
    assert store.quarantine(A, "again") is None


def test_entries_are_the_fingerprints_that_stand_there(store: Store) -> None:
    for name in (B, A):
        store.commit(name, 1, object, header())
    assert list(store.entries()) == sorted([A, B])


def test_a_value_that_cannot_be_stored_leaves_nothing(store: Store) -> None:
    with pytest.raises(StepError):
        store.commit(A, {"x": np.ones(3), "y": np.array([None])}, object, header())
    assert store.inspect(A) is None
    assert files_below(store.root) == [store.root / "store.json"]


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n"])
def test_a_fingerprint_is_never_a_path_of_its_own(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="is no fingerprint"):
        store.inspect(name)


def test_a_header_that_is_no_json_is_refused_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(StoreError, match="its header is not plain JSON"):
        store.commit(A, 1, object, header(identity={"x": object()}))
    assert store.inspect(A) is None


class TestOpening:
    def test_a_store_is_made_when_something_is_written(self, tmp_path: Path) -> None:
        store = Store.open(tmp_path / "deep" / "store")
        assert not store.root.exists()
        stored(store, 1)
        assert json.loads((store.root / "store.json").read_text()) == {"schema": SCHEMA}
        assert len(list(Store.open(store.root, create=False).entries())) == 1

    def test_a_store_that_must_exist_is_missed(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="there is no store at"):
            Store.open(tmp_path / "store", create=False)

    def test_a_folder_of_something_else_is_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(StoreError, match=r"is not a store: it holds 'thesis.tex'"):
            Store.open(tmp_path)

    def test_a_store_that_another_process_makes_meanwhile_is_a_store(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look = os.listdir

        def look_later(path: str) -> list[str]:
            monkeypatch.undo()
            stored(Store.open(tmp_path), 1)
            return look(path)

        monkeypatch.setattr(os, "listdir", look_later)
        assert len(list(Store.open(tmp_path).entries())) == 1

    def test_hidden_files_do_not_make_a_folder_something_else(self, tmp_path: Path) -> None:
        (tmp_path / ".gitignore").write_text("*\n")
        assert stored(Store.open(tmp_path), 1)

    def test_a_store_of_a_newer_etude_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "store.json").write_text('{"schema": 99}')
        with pytest.raises(StoreError, match=r"newer étude \(schema 99"):
            Store.open(tmp_path)

    @pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
    def test_a_marker_that_says_nothing_is_told(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "store.json").write_text(text)
        with pytest.raises(StoreError, match="is no marker of a store"):
            Store.open(tmp_path)

    def test_a_file_in_the_place_of_the_store_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "store").touch()
        with pytest.raises(StoreError, match="a file stands where the store needs a folder"):
            Store.open(tmp_path / "store")

    def test_a_file_in_the_place_of_an_inner_folder_is_told(self, store: Store) -> None:
        store.commit(A, 1, object, header())
        (store.root / B[:2]).touch()
        with pytest.raises(StoreError, match="a file stands where the store needs a folder"):
            store.commit(B, 1, object, header())
        assert list((store.root / "tmp").iterdir()) == []


def test_the_content_digest_is_fixed_for_all_time(store: Store) -> None:
    """A change here makes every early cut-off miss once: raise the schema if that is meant."""
    manifest = stored(store, {"b": 1, "a": [1.5, None]})
    assert manifest.content == content_digest({"codec": "json", "text": '{"b":1,"a":[1.5,null]}'}, [])
    assert manifest.content == "0ad3e67b6da466268646a47db7bb6e61a45d35fa8166b83420eaef86279779f3"
    assert (
        stored(store, np.arange(3, dtype="<i8")).content
        == "10e59c57bda88d7b69f820adeb805c484f387b9ec4e2aa2cc89322aa264513c3"
    )


def commit_at_once(root: Path, start: Any, finished: Any, value: int) -> None:
    store = Store.open(root)
    start.wait()
    finished.put(
        [store.commit(fingerprint(f"shared {i}"), np.full(50, value), object, header()).content for i in range(50)]
    )


def test_two_processes_that_commit_the_same_result_get_the_same_content(store: Store) -> None:
    stored(store, 0)
    context = multiprocessing.get_context("fork")
    start, finished = context.Barrier(2), context.Queue()
    writers = [context.Process(target=commit_at_once, args=(store.root, start, finished, value)) for value in (1, 2)]
    for writer in writers:
        writer.start()
    contents = [finished.get(timeout=30) for _ in writers]
    for writer in writers:
        writer.join()
    assert contents[0] == contents[1]
    for i in range(50):
        assert len(set(store.read(fingerprint(f"shared {i}")).tolist())) == 1
    assert list((store.root / "tmp").iterdir()) == []


def test_a_manifest_of_a_newer_etude_is_refused_by_name(store: Store) -> None:
    store.commit(A, 1, object, header())
    path = folder(store, A) / "manifest.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace('{"schema":1', '{"schema":7', 1))
    with pytest.raises(StoreError, match=f"result {A[:12]} was written by a newer étude \\(schema 7"):
        store.inspect(A)
    with pytest.raises(StoreError, match="newer étude"):
        store.commit(A, 2, object, header())


def test_a_result_in_the_place_of_another_is_damage(store: Store) -> None:
    store.commit(A, 1, object, header())
    folder(store, A).rename(folder(store, B).parent.parent / "moved")
    folder(store, B).parent.mkdir(exist_ok=True)
    (store.root / "moved").rename(folder(store, B))
    assert store.inspect(B) == Damaged(fingerprint=B, reason=f"its manifest is that of {A[:12]}")


def test_large_and_long_results_are_synced_and_small_ones_are_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    stored(store, 1)
    assert not synced
    store.commit(fresh(), np.zeros(200_000), object, header())
    large = len(synced)
    assert large >= 4
    store.commit(fresh(), 1, object, header(cost={"wall_s": 11.0}))
    assert len(synced) > large


def _modes(root: Path) -> dict[str, set[int]]:
    """Kind → the modes of all folders and of all files below."""
    found: dict[str, set[int]] = {"folders": set(), "files": set()}
    for path in root.rglob("*"):
        if path.name == "store.json":
            continue
        found["folders" if path.is_dir() else "files"].add(stat.S_IMODE(path.stat().st_mode))
    return found


@pytest.mark.parametrize(("mode", "umask", "files"), [(0o2775, 0o022, 0o444), (0o2770, 0o077, 0o440)])
def test_what_is_written_has_the_mode_of_the_store_whatever_the_umask(
    tmp_path: Path, mode: int, umask: int, files: int
) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(mode)
    before = os.umask(umask)
    try:
        store = Store.open(root)
        kept = store.scratch(fingerprint("a")) / "folder"
        (kept / "inner").mkdir(parents=True)
        (kept / "inner" / "weights").write_bytes(b"1")
        store.commit(fingerprint("a"), kept, Path, header(), owned=kept.parent)
        store.commit(fingerprint("b"), {"x": np.arange(3)}, object, header())
        store.record_failure(fingerprint("c"), {})
        store.put_note("symbols", {})
        store.register("p", "/p", "study", [])
        store.quarantine(fingerprint("b"), "for a test")
    finally:
        os.umask(before)
    found = _modes(root)
    assert found["folders"] == {mode}
    assert found["files"] == {files}


def test_a_store_made_in_a_folder_shared_by_a_group_is_shared_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o2775)
    before = os.umask(0o022)
    try:
        Store.open(tmp_path / "store").put_note("symbols", {})
    finally:
        os.umask(before)
    assert _modes(tmp_path)["folders"] == {0o2775}


def _as_member(user: int, group: int, root: str, name: str) -> int:
    """Write, read, lease and sweep as a member of a group, in a child process; its exit code."""

    def act() -> None:
        os.umask(0o022)
        os.setgroups([group])
        os.setgid(user)
        os.setuid(user)
        store = Store.open(Path(root))
        store.commit(fingerprint(name), np.arange(user), np.ndarray, header())
        assert store.read(fingerprint("first")).size == 60_001
        with store.lease(fingerprint("first")):  # type: ignore[union-attr]
            pass
        store.gc([fingerprint("first")], older_than_s=-10)
        assert list(store.entries()) == [fingerprint("first")]

    child = multiprocessing.get_context("fork").Process(target=act)
    child.start()
    child.join()
    return child.exitcode or 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be two users")
def test_two_members_of_a_group_share_a_store() -> None:
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        root = Path(above) / "store"
        root.mkdir()
        os.chown(root, 0, 60_009)
        root.chmod(0o2775)
        assert _as_member(60_001, 60_009, str(root), "first") == 0
        assert _as_member(60_002, 60_009, str(root), "second") == 0
