"""Small projects for tests: a folder with a module of steps, and studies over it made without a file."""

from __future__ import annotations

import itertools
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.execute.run_events import Event
from etude.study.execution import Execution, Result
from etude.study.prepare import Options, PreparedStudy, prepare
from etude.study.study import Needs, NodeSpec, PlaceSettings, Source, Study, Vary

_numbers = itertools.count()


def source(text: str) -> Source:
    """`node`, `node.item` or `node[*]`, as a study file would say it."""
    across = text.endswith("[*]")
    node, _, item = text.removesuffix("[*]").partition(".")
    return Source(node=node, item=item or None, across=across)


def node(name: str, step: str, reads: Any = None, settings: Mapping[str, object] | None = None, **on: Any) -> NodeSpec:
    """One node as written."""
    if reads is None:
        sources: dict[str, Source | tuple[Source, ...]] = {}
    elif isinstance(reads, str):
        sources = {"": source(reads)}
    else:
        sources = {
            key: tuple(map(source, value)) if isinstance(value, (list, tuple)) else source(value)
            for key, value in reads.items()
        }
    return NodeSpec(name=name, step=step, sources=sources, settings=settings or {}, needs=Needs(**on))


@dataclass
class Project:
    """A user's project in a folder of its own, with one module of steps of a name that no other test uses."""

    folder: Path
    module: str = field(default_factory=lambda: f"steps_{next(_numbers)}")
    events: list[Event] = field(default_factory=list)

    def write(self, code: str) -> Project:
        """Write the module of steps."""
        head = "from __future__ import annotations\nimport os, time\nfrom pathlib import Path\n"
        head += "from etude import *\nfrom etude import step\n"
        (self.folder / f"{self.module}.py").write_text(head + textwrap.dedent(code))
        return self

    def calls(self) -> list[str]:
        """What steps have written with `called(name)`."""
        log = self.folder / "calls.log"
        return log.read_text().split() if log.exists() else []

    def study(
        self,
        pipeline: Mapping[str, tuple[Any, ...]],
        *,
        collect: Mapping[str, tuple[Any, ...]] | None = None,
        params: Mapping[str, object] | None = None,
        vary: Vary | None = None,
        **place: Any,
    ) -> Study:
        """A study over this project: name → (function, reads, settings[, needs])."""

        def specs(nodes: Mapping[str, tuple[Any, ...]]) -> dict[str, NodeSpec]:
            made = {}
            for name, (function, *rest) in nodes.items():
                reads, settings, on = (*rest, None, None, None)[:3]
                step = function if "." in function or function == "command" else f"{self.module}:{function}"
                made[name] = node(name, step, reads, settings, **(on or {}))
            return made

        return Study(
            name="test",
            params=params or {},
            pipeline=specs(pipeline),
            collect=specs(collect or {}),
            vary=vary or Vary(),
            place=PlaceSettings(**{"backend": "inline", **place}),
            project=self.folder,
        )

    def prepare(self, study: Study, **options: Any) -> PreparedStudy:
        """Lay a study out and plan it."""
        return prepare(study, Options(**options))

    def run(self, study: Study, **options: Any) -> Result:
        """Run a study; its events are in `events`."""
        chosen = Options(**{"environment": environment(), **options})
        return self.run_prepared(prepare(study, chosen), chosen)

    def run_prepared(self, prepared: PreparedStudy, options: Options | None = None) -> Result:
        """Run what was planned before; its events are in `events`."""
        self.events.clear()
        return Execution(prepared, options or Options(environment=environment()), self.events.append).run()


def environment() -> dict[str, str]:
    """What worker processes need to start."""
    import os

    return {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}


CALLED = """
def called(name):
    with open(Path(__file__).parent / "calls.log", "a") as file:
        file.write(name + "\\n")
"""
