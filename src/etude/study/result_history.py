"""Which result each node of a study had last: what `why` compares with, what `accept` adopts and what `gc` keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from etude.graph.node import Node
from etude.study.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultHistory:
    """The latest results of one study, by label of the node."""

    study: str
    """Its name, with its form."""
    results: Mapping[str, str] = field(default_factory=dict)
    """Label (`model pooling=max seed=0`) → fingerprint."""
    run: str = ""
    file: str = ""
    store: str = ""
    """The store's folder; empty for `.etude/store` of the project."""

    def last(self, node: Node) -> str | None:
        """The fingerprint of this node's last result; of the same node in another variant where it is a new one."""
        own = self.results.get(node.label())
        if own is not None:
            return own
        others = (result for label, result in self.results.items() if label.split(" ", 1)[0] == node.title)
        return next(others, None)


def _file(folder: Path, study: str) -> Path:
    return folder / "studies" / f"{study}.json"


def read_history(folder: Path, study: str) -> ResultHistory:
    """The history of a study; empty where there is none or it cannot be read.

    Args:
        folder: The project's `.etude`.
        study: The study's name, with its form.
    """
    try:
        fields = json.loads(_file(folder, study).read_text(encoding="utf-8"))
        file, store = (str(fields.get(name, "")) for name in ("file", "store"))
        return ResultHistory(
            study=study, results=dict(fields["results"]), run=str(fields["run"]), file=file, store=store
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ResultHistory(study=study)


def comparable_history(folder: Path, study: Study) -> ResultHistory:
    """What to compare a study with: its own history; of a form that has none yet, that of the study of the file."""
    history = read_history(folder, study.title)
    if history.results or not study.form:
        return history
    plain = read_history(folder, study.name)
    return replace(plain, study=study.title)


def write_history(folder: Path, history: ResultHistory) -> None:
    """Replace a study's history in one step."""
    path = _file(folder, history.study)
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {field: getattr(history, field) for field in ("study", "run", "file", "store")}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps({**fields, "results": dict(history.results)}), encoding="utf-8")
    temporary.replace(path)


def after(
    earlier: ResultHistory, nodes: Iterable[Node], done: Mapping[str, object], run: str, file: str, store: str
) -> ResultHistory:
    """The history once these nodes are done: a node that is not keeps what it had."""
    results = {}
    for node in nodes:
        label = node.label()
        if node.fingerprint in done:
            results[label] = node.fingerprint
        elif label in earlier.results:
            results[label] = earlier.results[label]
    return ResultHistory(study=earlier.study, results=results, run=run, file=file, store=store)


def histories(folder: Path) -> Iterator[ResultHistory]:
    """The histories of all studies of a project."""
    for path in sorted((folder / "studies").glob("*.json")):
        yield read_history(folder, path.stem)
