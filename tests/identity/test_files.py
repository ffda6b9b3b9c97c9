from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

import pytest

from etude.errors import IdentityError
from etude.identity import files
from etude.identity.files import FileDigests

SECOND = 1_000_000_000


class Clock:
    """A clock that is set by hand, to seconds after the files of a test were written."""

    def __init__(self, path: Path, after_s: float = 10.0) -> None:
        status = path.stat()
        self.now_ns = max(status.st_mtime_ns, status.st_ctime_ns) + round(after_s * SECOND)

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really read, in order."""
    seen: list[Path] = []
    real = files._hashed

    def noted(path: Path, stamp: files._Stamp) -> str:
        seen.append(path)
        return real(path, stamp)

    monkeypatch.setattr(files, "_hashed", noted)
    return seen


def digest(path: Path) -> str:
    return FileDigests().digest(path)


def rewrite(path: Path, text: str) -> None:
    """Write a file so much later that the file system gives it other times."""
    before = path.stat()
    path.write_text(text)
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        os.utime(path)


def test_the_digest_of_a_file_is_the_sha256_of_its_content_and_its_suffix(data: Path) -> None:
    assert digest(data) == hashlib.sha256(b"a,b\n1,2\n").hexdigest() + ".csv"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.CSV", ".csv"),
        ("a.csv.gz", ".csv.gz"),
        ("A.Tar.BZ2", ".tar.bz2"),
        ("v1.2.parquet", ".parquet"),
        ("README", ""),
        (".hidden", ""),
        (".hidden.gz", ".gz"),
        ("gz", ""),
    ],
)
def test_the_suffix_is_what_a_reader_goes_by(tmp_path: Path, name: str, suffix: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert digest(tmp_path / name)[64:] == suffix


def test_the_path_never_counts(data: Path, tmp_path: Path) -> None:
    before = digest(data)
    moved = tmp_path / "elsewhere" / "renamed.csv"
    moved.parent.mkdir()
    data.rename(moved)
    assert digest(moved) == before


def test_content_and_suffix_count(data: Path) -> None:
    before = digest(data)
    assert digest(data.rename(data.with_suffix(".tsv"))) != before
    data.write_text("a,b\n1,3\n")
    assert digest(data) != before


def test_a_link_is_what_it_points_to(data: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(data)
    assert digest(link) == digest(data)


def test_files_longer_than_one_chunk_are_read_to_the_end(tmp_path: Path) -> None:
    content = b"0123456789" * 300_000
    (tmp_path / "long").write_bytes(content)
    assert digest(tmp_path / "long") == hashlib.sha256(content).hexdigest()


# Folders.


def folder(root: Path, names: dict[str, str]) -> Path:
    for name, text in names.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


FOLDER = "cbe7979e1c8b6ae2c0f719a2306d53d91c0f5dc61410252f9f726203dcbd2505/"
CONTENT = {"a.txt": "1", "b/c.txt": "2", "b/d/e.txt": "3"}


def test_the_digest_of_a_folder_never_changes(tmp_path: Path) -> None:
    assert digest(folder(tmp_path, CONTENT)) == FOLDER


def test_a_folder_may_be_moved_and_is_told_from_a_file(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "x", CONTENT), folder(tmp_path / "y", dict(reversed(CONTENT.items())))
    assert digest(first) == digest(second)
    assert digest(first).endswith("/")


@pytest.mark.parametrize(
    "other",
    [
        {**CONTENT, "a.txt": "9"},
        {**CONTENT, "new.txt": ""},
        {"a.txt": "1", "b/c.txt": "2"},
        {"A.txt": "1", "b/c.txt": "2", "b/d/e.txt": "3"},
        {"a.txt": "2", "b/c.txt": "1", "b/d/e.txt": "3"},
        {"a.txt": "1", "c.txt": "2", "b/d/e.txt": "3"},
    ],
)
def test_names_and_contents_at_any_depth_count(tmp_path: Path, other: dict[str, str]) -> None:
    assert digest(folder(tmp_path / "x", CONTENT)) != digest(folder(tmp_path / "y", other))


def test_an_empty_folder_inside_counts(tmp_path: Path) -> None:
    before = digest(folder(tmp_path, CONTENT))
    (tmp_path / "empty").mkdir()
    assert digest(tmp_path) != before


def test_links_in_a_folder_are_followed(tmp_path: Path) -> None:
    plain = folder(tmp_path / "plain", CONTENT)
    (tmp_path / "linked").mkdir()
    for name in ("a.txt", "b"):
        (tmp_path / "linked" / name).symlink_to(plain / name)
    assert digest(tmp_path / "linked") == digest(plain)


def test_two_links_to_one_folder_are_no_cycle(tmp_path: Path) -> None:
    root = folder(tmp_path / "x", {"b/c": "1"})
    (root / "again").symlink_to(root / "b")
    assert digest(root)


def test_a_link_to_a_folder_around_it_is_refused(tmp_path: Path) -> None:
    (folder(tmp_path, CONTENT) / "b" / "up").symlink_to(tmp_path)
    with pytest.raises(IdentityError, match=r"b/up: is a link to a folder that it stands in"):
        digest(tmp_path)


def test_names_that_are_no_text_count_as_they_are(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_bytes(b"")
    assert digest(tmp_path)


# What is refused.


def refusal(path: Path) -> str:
    with pytest.raises(IdentityError) as refused:
        digest(path)
    assert str(path) in str(refused.value)
    assert "Mend:" in str(refused.value)
    return str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing.csv")


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    assert "link to nothing" in refusal(tmp_path / "link")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be read" in refusal(tmp_path / "loop")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert "neither a file nor a folder" in refusal(tmp_path / "s")


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in refusal(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(data: Path) -> None:
    data.chmod(0)
    assert "Permission denied" in refusal(data)


def test_a_file_that_changes_while_it_is_read_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def meddling(self: Path, *args: object, **kwargs: object) -> object:
        with real(data, "a") as stream:
            stream.write("3,4\n")
        return real(self, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", meddling)
    assert "was changed while it was read" in refusal(data)


# What is remembered.


def test_a_file_is_read_once(data: Path, reads: list[Path]) -> None:
    digests = FileDigests(clock_ns=Clock(data))
    assert digests.digest(data) == digests.digest(data)
    assert reads == [data]


def test_a_changed_file_is_read_again(data: Path, reads: list[Path]) -> None:
    digests = FileDigests(clock_ns=Clock(data))
    before = digests.digest(data)
    rewrite(data, "a,b\n9,9\n")
    assert digests.digest(data) != before
    assert len(reads) == 2


def test_a_file_that_was_just_written_is_read_each_time(data: Path, reads: list[Path]) -> None:
    digests = FileDigests(clock_ns=Clock(data, after_s=1.0))
    digests.digest(data)
    digests.digest(data)
    assert len(reads) == 2


def test_a_second_change_within_one_tick_is_seen(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same size, same times, same inode, other content: what a coarse file system shows of two quick writes."""
    digests = FileDigests(clock_ns=Clock(data, after_s=0.5))
    stamp = files._Stamp.of(data.stat())
    monkeypatch.setattr(files._Stamp, "of", classmethod(lambda cls, status: stamp))
    before = digests.digest(data)
    data.write_text("a,b\n1,9\n")
    assert digests.digest(data) != before


def test_setting_the_time_back_does_not_hide_a_change(data: Path) -> None:
    digests = FileDigests(clock_ns=Clock(data))
    before, status = digests.digest(data), data.stat()
    rewrite(data, "a,b\n1,9\n")
    os.utime(data, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digests.digest(data) != before


def test_a_file_with_a_date_in_the_future_is_never_trusted(data: Path, reads: list[Path]) -> None:
    clock = Clock(data)
    os.utime(data, ns=(clock.now_ns + SECOND, clock.now_ns + SECOND))
    digests = FileDigests(clock_ns=clock)
    digests.digest(data)
    digests.digest(data)
    assert len(reads) == 2


def test_digests_are_kept_between_runs(data: Path, tmp_path: Path, reads: list[Path]) -> None:
    cache = tmp_path / "cache" / "digests.json"
    first = FileDigests(cache, clock_ns=Clock(data))
    before = first.digest(data)
    first.save()
    assert FileDigests(cache).digest(data) == before
    assert reads == [data]


def test_the_same_content_under_a_link_is_read_once(data: Path, tmp_path: Path, reads: list[Path]) -> None:
    digests = FileDigests(clock_ns=Clock(data))
    (tmp_path / "link.csv").symlink_to(data)
    digests.digest(data)
    digests.digest(tmp_path / "link.csv")
    assert len(reads) == 1


def test_files_of_a_folder_are_remembered_one_by_one(tmp_path: Path, reads: list[Path]) -> None:
    root = folder(tmp_path, CONTENT)
    digests = FileDigests(clock_ns=Clock(root))
    before = digests.digest(root)
    rewrite(root / "a.txt", "9")
    assert digests.digest(root) != before
    assert len(reads) == 4


def test_processes_that_save_one_after_the_other_keep_what_each_found(data: Path, tmp_path: Path) -> None:
    cache, other = tmp_path / "digests.json", tmp_path / "other.csv"
    other.write_text("x")
    first, second = FileDigests(cache, clock_ns=Clock(data)), FileDigests(cache, clock_ns=Clock(other))
    first.digest(data)
    second.digest(other)
    first.save()
    second.save()
    assert set(json.loads(cache.read_text())["files"]) == {str(data), str(other)}


def test_saving_leaves_nothing_but_the_cache(data: Path, tmp_path: Path) -> None:
    digests = FileDigests(tmp_path / "cache" / "digests.json", clock_ns=Clock(data))
    digests.digest(data)
    digests.save()
    digests.save()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["digests.json"]


def test_nothing_is_saved_where_nothing_is_known(tmp_path: Path) -> None:
    FileDigests(tmp_path / "digests.json").save()
    FileDigests(None).save()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"version": 99, "files": {}}',
        b'{"version": 1}',
        b'{"version": 1, "files": []}',
        b'{"version": 1, "files": {"/x": 3}}',
        b'{"version": 1, "files": {"/x": [1, 2, 3]}}',
        b'{"version": 1, "files": {"/x": [1, 2, 3, 4, "short"]}}',
    ],
)
def test_a_damaged_cache_is_as_good_as_none(data: Path, tmp_path: Path, damage: bytes) -> None:
    cache = tmp_path / "digests.json"
    cache.write_bytes(damage)
    digests = FileDigests(cache, clock_ns=Clock(data))
    assert digests.digest(data) == digest(data)
    digests.save()
    assert json.loads(cache.read_bytes())["files"].keys() == {str(data)}


def test_a_cache_that_cannot_be_written_is_told_and_nothing_more(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    digests = FileDigests(tmp_path / "blocked" / "digests.json", clock_ns=Clock(data))
    digests.digest(data)
    digests.save()
    assert "blocked/digests.json cannot be written" in caplog.text
