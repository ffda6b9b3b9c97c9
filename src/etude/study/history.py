"""Which result each node of a study had last: what `why` compares with, what `accept` adopts and what `gc` keeps."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from etude.execute.events import Kind, has_ended, read_events
from etude.graph.node import Node


@dataclass(frozen=True, slots=True)
class History:
    """The latest results of one study, by label of the node."""

    study: str
    results: Mapping[str, str] = field(default_factory=dict)
    """Label (`model pooling=max seed=0`) → fingerprint."""
    run: str = ""
    file: str = ""

    def last(self, node: Node) -> str | None:
        """The fingerprint of this node's last result; of the same node in another variant where it is a new one."""
        found = self.results.get(node.label())
        if found is not None:
            return found
        others = (result for label, result in self.results.items() if label.split(" ", 1)[0] == node.title)
        return next(others, None)


def _file(folder: Path, study: str) -> Path:
    return folder / "studies" / f"{study}.json"


def read_history(folder: Path, study: str) -> History:
    """The history of a study; empty where there is none or it cannot be read.

    Args:
        folder: The project's `.etude`.
        study: The study's name.
    """
    try:
        fields = json.loads(_file(folder, study).read_text(encoding="utf-8"))
        return History(study, dict(fields["results"]), str(fields["run"]), str(fields.get("file", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return History(study)


def write_history(folder: Path, history: History) -> None:
    """Replace a study's history in one step."""
    path = _file(folder, history.study)
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {"study": history.study, "run": history.run, "file": history.file, "results": dict(history.results)}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(fields), encoding="utf-8")
    temporary.replace(path)


def after(earlier: History, nodes: Iterable[Node], done: Mapping[str, object], run: str, file: str) -> History:
    """The history once these nodes are done: a node that is not keeps what it had."""
    results = {}
    for node in nodes:
        label = node.label()
        if node.fingerprint in done:
            results[label] = node.fingerprint
        elif label in earlier.results:
            results[label] = earlier.results[label]
    return History(earlier.study, results, run, file)


def histories(folder: Path) -> Iterator[History]:
    """The histories of all studies of a project."""
    for path in sorted((folder / "studies").glob("*.json")):
        yield read_history(folder, path.stem)


def planned_by_living_runs(folder: Path) -> Iterator[str]:
    """Fingerprints of all nodes of runs that have not ended: what they have stored is in no history yet.

    A search computes nodes that no plan held when its run began; those are in its events.
    """
    for run in sorted((folder / "runs").glob("*")):
        try:
            if not has_ended(run / "events.jsonl"):
                yield from json.loads((run / "resolved.json").read_text(encoding="utf-8"))["nodes"].values()
                events = read_events(run / "events.jsonl")
                yield from (event.fingerprint for event in events if event.kind in (Kind.DONE, Kind.REUSED))
        except (OSError, ValueError, KeyError):
            continue
