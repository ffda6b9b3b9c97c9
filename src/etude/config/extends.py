"""YAML and JSON studies with the studies that they extend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from etude.config.document import YAML_SUFFIXES, Document, failure, file_text
from etude.config.json_text import parse_json
from etude.config.study_tree import PlainTree, overlay
from etude.config.yaml12 import parse_yaml
from etude.errors import ConfigError
from etude.study.study import SourceLine

_NOT_INHERITED = ("name", "extends")


def load_plain(file: Path, below: tuple[Path, ...] = ()) -> Document:
    """The tree of a YAML or JSON study laid over those that it extends, in the order it names them.

    A study inherits everything but the name.

    Raises:
        ConfigError: A file of them cannot be read, is no mapping, is Jsonnet, or extends itself.
    """
    document = _parsed(file)
    tree = document.tree
    if not isinstance(tree, dict):
        reason = "is empty" if tree is None else "holds no mapping at its top"
        raise failure(reason, file=str(file), line=1, mend="a study starts with keys such as `pipeline:`")
    chain = (*below, file)
    study_tree, lines, faults, files = PlainTree({}), dict[str, SourceLine](), list(document.faults), [file]
    for parent in _parents(document, file, chain):
        inherited = load_plain(parent, chain)
        assert isinstance(inherited.tree, dict)
        overlay(study_tree, {key: value for key, value in inherited.tree.items() if key not in _NOT_INHERITED})
        lines |= {path: line for path, line in inherited.lines.items() if path not in _NOT_INHERITED}
        faults += inherited.faults
        files += inherited.files
    if study_tree.tree:
        overlay(study_tree, tree)
        tree = study_tree.tree
    return Document(
        tree=tree, lines={**lines, **document.lines}, faults=tuple(faults), files=tuple(dict.fromkeys(files))
    )


def _parsed(file: Path) -> Document:
    text = file_text(file)
    return parse_yaml(text, str(file)) if file.suffix in YAML_SUFFIXES else parse_json(text, str(file))


def _parents(document: Document, file: Path, chain: tuple[Path, ...]) -> Iterator[Path]:
    """The files that a study names in `extends`. What is no text there, the check of the whole study will tell."""
    assert isinstance(document.tree, Mapping)
    written = document.tree.get("extends")
    single = isinstance(written, str)
    for index, name in enumerate([written] if single else written if isinstance(written, list) else []):
        if isinstance(name, str):
            path = "extends" if single else f"extends.{index}"
            parent = Path(os.path.normpath(file.parent / name))
            _check_parent(parent, name, path, document.lines.get(path, SourceLine(file=str(file))), chain)
            yield parent


def _check_parent(parent: Path, name: str, path: str, at: SourceLine, chain: tuple[Path, ...]) -> None:
    if parent.resolve() in (file.resolve() for file in chain):
        circle = " → ".join(file.name for file in (*chain, parent))
        raise failure(f"extends itself: {circle}", file=at.file, line=at.line, path=path, mend="break the circle")
    if parent.suffix == ".jsonnet":
        mend = f"write this study in Jsonnet: (import '{name}') + {{…}}"
        raise failure(f"cannot extend Jsonnet: {name}", file=at.file, line=at.line, path=path, mend=mend)
    if not parent.is_file():
        try:
            file_text(parent)
        except ConfigError as error:
            (fault,) = error.faults
            raise failure(f"{name!r} {fault.reason}", file=at.file, line=at.line, path=path, mend=fault.mend) from None
