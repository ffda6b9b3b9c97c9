"""Files and folders that a step made: moved into the store where they were its own, copied otherwise.

What comes back is the path of the stored content, read-only. A folder keeps its empty folders and the links that stay
within it; its own name is not kept, for it is often random. A file keeps its name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from etude.errors import StepError
from etude.store.codecs.leaf import Tree, TypeName
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft


class PathCodec:
    """A file or a folder, whatever is in it."""

    name = "path"
    types: tuple[TypeName, ...] = (("pathlib", "Path"),)

    def encode(self, value: Path, draft: Draft, at: str) -> Tree:
        source = os.path.realpath(value)
        if os.path.isfile(source):
            return self._encode_file(source, value.name, draft, at)
        if os.path.isdir(source):
            return self._encode_folder(source, draft, at)
        there = "is neither a file nor a folder" if os.path.exists(source) else "does not exist"
        raise StepError(f"the returned path {value} {there}.\n    Mend: write it before the step returns.")

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Path:
        if "file" in tree:
            return content.path(tree["file"])
        return content.folder_at(tree["folder"], folders=tree["folders"], links=tree["links"])

    def _encode_file(self, source: str, name: str, draft: Draft, at: str) -> Tree:
        _require_text(name)
        target = f"{at}/{name}"
        if os.stat(source).st_nlink == 1 and draft.claims(source):
            draft.note(source, target)
            draft.move(source, target)
        else:
            draft.copy(source, target)
        return {"codec": self.name, "file": target}

    def _encode_folder(self, source: str, draft: Draft, at: str) -> Tree:
        files, folders, links = _below(source)
        if all(os.stat(f"{source}/{name}").st_nlink == 1 for name in files) and draft.claims(source):
            for name in files:
                draft.note(f"{source}/{name}", f"{at}/{name}")
            draft.move(source, at)
        else:
            draft.make_folder(at)
            for name in files:
                draft.copy(f"{source}/{name}", f"{at}/{name}")
            for name in folders:
                draft.make_folder(f"{at}/{name}")
            for name, target in links:
                draft.link(f"{at}/{name}", target)
        return {"codec": self.name, "folder": at, "folders": folders, "links": links}


def _below(root: str) -> tuple[list[str], list[str], list[list[str]]]:
    """Files, empty folders and links of a folder, each by its relative name, sorted."""
    files, folders, links = [], [], []
    for path, inner, names in os.walk(root, onerror=_raise):
        place = "" if path == root else f"{os.path.relpath(path, root)}/"
        if place and not inner and not names:
            folders.append(place[:-1])
        for name in (*inner, *names):
            _require_text(place + name)
            mode = os.lstat(f"{path}/{name}").st_mode
            if stat.S_ISLNK(mode):
                links.append([place + name, _inner_target(root, place + name)])
            elif stat.S_ISREG(mode):
                files.append(place + name)
            elif not stat.S_ISDIR(mode):
                raise StepError(
                    f"{path}/{name} is a socket, pipe or device, which is not stored.\n    Mend: remove it."
                )
    return sorted(files), sorted(folders), sorted(links)


def _inner_target(root: str, name: str) -> str:
    """What a link points to, if that stays within the folder."""
    target = os.readlink(f"{root}/{name}")
    full = os.path.normpath(os.path.join(root, os.path.dirname(name), target))
    if os.path.isabs(target) or not (_is_within(full, root) and _is_within(os.path.realpath(full), root)):
        raise StepError(
            f"{root}/{name} is a link to {target}, which leaves the returned folder.\n"
            "    Mend: copy the file there in its place, or link to it by a relative path within the folder."
        )
    _require_text(target)
    return target


def _is_within(path: str, root: str) -> bool:
    return (path + "/").startswith(root + "/")


def _require_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise StepError(f"the file name {name!r} is no valid text.\n    Mend: rename it.") from None


def _raise(error: OSError) -> None:
    raise error
