"""Where a result came from: what is kept beside it, besides what makes its identity."""

from __future__ import annotations

import platform
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from etude import __version__
from etude.graph.node import Node
from etude.graph.versions import versions_of
from etude.store.store import Store


@dataclass(slots=True, kw_only=True)
class Provenance:
    """Tells of each node of one run where its result comes from. What many nodes share is found once."""

    study: str
    run: str
    project: Path
    store: Store
    _run_facts: dict[str, object] = field(default_factory=dict)
    _step_facts: dict[str, dict[str, object]] = field(default_factory=dict)

    def __call__(self, node: Node) -> Mapping[str, object]:
        """The provenance of one node's result."""
        if not self._run_facts:
            self._run_facts = {**self._facts(), **git_state(self.project)}
        metrics = {"metrics": dict(node.declared)} if node.declared else {}
        return {**self._run_facts, "node": node.label(), **self._of_step(node), **metrics}

    def _facts(self) -> dict[str, object]:
        return {
            "study": self.study,
            "run": self.run,
            "host": socket.gethostname(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "etude": __version__,
        }

    def _of_step(self, node: Node) -> dict[str, object]:
        if node.use is None:
            return {}
        if node.step not in self._step_facts:
            symbols = node.use.symbols
            self._step_facts[node.step] = {
                "symbols": self.store.put_note("symbols", dict(symbols.symbols)),
                "packages": versions_of(symbols.packages),
                "unseen": [str(opaque) for opaque in symbols.opaque],
            }
        return self._step_facts[node.step]


def git_state(project: Path) -> dict[str, object]:
    """Commit and dirtiness of the project's repository; empty where there is none."""
    ask: Callable[..., str | None] = lambda *words: _git(project, *words)  # noqa: E731
    commit = ask("rev-parse", "HEAD")
    if commit is None:
        return {}
    return {"git_commit": commit, "git_dirty": bool(ask("status", "--porcelain", "--untracked-files=no"))}


def _git(project: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *words], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
