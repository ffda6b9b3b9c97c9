"""A study in Python: built from nodes or loaded from a file, planned and run."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from etude.api.live_source import NOTEBOOK, folder_of, live_sources
from etude.api.nodes import NodeUse, Step, TreeWriter, plain
from etude.api.views import PlanView, StudyResult
from etude.cli.console import err
from etude.cli.interrupts import stopping_on_interrupt
from etude.cli.run_progress import LiveProgress
from etude.cli.study_file import find_study
from etude.config.build import build
from etude.config.cluster import read_profile
from etude.config.document import project_around
from etude.config.load import Reading, load_study, read_study
from etude.environment import variables, variables_copy
from etude.errors import ConfigError, EtudeError, Fault
from etude.execute.runner import RunSummary
from etude.study.execution import Execution
from etude.study.execution import Result as Finished
from etude.study.fault_places import locate
from etude.study.prepare import Options, PreparedStudy, prepare
from etude.study.study import Study as Specification


class RunFailed(EtudeError):
    """Some nodes of a run failed; `result` holds what there is."""

    def __init__(self, result: StudyResult) -> None:
        failures = result.failures
        lines = [f"{label}: {error}" for label, error in failures.items()]
        more = [f"and {len(lines) - 5} more"] if len(lines) > 5 else []
        super().__init__("\n    ".join([f"{len(failures)} of the run's nodes failed", *lines[:5], *more]))
        self.result = result


class Study:
    """A study. Values are never changed: `.grid`, `.repeat`, `.collect`, … each give a new study.

    Args:
        name: Its name: results go to `results/<name>`.
        nodes: Its pipeline, by name. What they read belongs to it, named or not.
    """

    __slots__ = ("_collect", "_file", "_name", "_nodes", "_params", "_place", "_project", "_vary")

    def __init__(self, name: str, /, **nodes: NodeUse) -> None:
        self._name = name
        self._nodes: Mapping[str, NodeUse] = nodes
        self._collect: Mapping[str, NodeUse] = {}
        self._vary: Mapping[str, object] = {}
        self._place: Mapping[str, object] = {}
        self._params: Mapping[str, object] = {}
        self._project: Path | None = None
        self._file: tuple[Path, tuple[str, ...], str | None] | None = None
        """Of a study in a file: the file, what is set over it, its profile."""

    def __repr__(self) -> str:
        return f"<study {self._name}>"

    def params(self, **values: object) -> Study:
        """The same with these values of params where nothing varies them."""
        return self._changed(params={**self._params, **plain(values)})

    def grid(self, **axes: Sequence[object]) -> Study:
        """The same over all combinations of these values: `.grid(degree=[1, 3, 9])`."""
        return self._varied("grid", {name: list(values) for name, values in axes.items()})

    def repeat(self, **axis: Sequence[object]) -> Study:
        """The same repeated over the values of one param: `.repeat(seed=range(5))`."""
        return self._varied("repeat", {name: list(values) for name, values in axis.items()})

    def list(self, points: Sequence[Mapping[str, object]]) -> Study:
        """The same at these points, each a mapping of params."""
        return self._varied("list", [dict(point) for point in points])

    def search(self, **search: object) -> Study:
        """The same with an adaptive search, with the keys of `vary.search` in a study file."""
        return self._varied("search", search)

    def top(self, *, of: str, by: str, k: int, **more: object) -> Study:
        """The same at the best points of an earlier study."""
        return self._varied("top", {"of": of, "by": by, "k": k, **more})

    def collect(self, **nodes: NodeUse) -> Study:
        """The same with nodes that gather all variants: `.collect(table=aggregate())`."""
        if self._file is not None:
            reason = f"{self._name} is loaded from a file, and what it collects stands there"
            raise ConfigError([Fault("collect", reason, mend="write the nodes under collect: in the file")])
        return self._changed(collect={**self._collect, **nodes})

    def place(self, *, project: str | Path | None = None, **place: object) -> Study:
        """The same run elsewhere, with the keys of `place` in a study file; never identity.

        Args:
            project: The folder whose code is importable and that holds `.etude` and `results`.
            place: `backend`, `workers`, `store`, `results` and the like.
        """
        changed = self._changed(place={**self._place, **plain(place)})
        if project is not None:
            changed._project = Path(project)
        return changed

    @property
    def tree(self) -> dict[str, Any]:
        """What a study file would say.

        Raises:
            ConfigError: A node cannot be written.
        """
        if self._file is not None:
            raise ConfigError([Fault("", f"{self._name} is in a file already: {self._file[0]}")])
        writer = TreeWriter(project=self._home())
        writer.write(self._nodes, self._collect)
        params = {**writer.params, **self._params}
        parts = {
            "params": params,
            "pipeline": writer.pipeline,
            "vary": dict(self._vary),
            "collect": writer.collect,
            "place": dict(self._place),
        }
        return {"name": self._name, **{key: value for key, value in parts.items() if value}}

    def write(self, path: str | Path) -> Path:
        """Write it as a study file that gives the same results.

        Raises:
            ConfigError: A step is a notebook cell's, which a file cannot name.
        """
        tree = self.tree
        nodes = {**tree.get("pipeline", {}), **tree.get("collect", {})}
        faults = [
            Fault(f"pipeline.{name}.step", "a file cannot name a function of a notebook", mend="move it to a module")
            for name, written in nodes.items()
            if written["step"].startswith(f"{NOTEBOOK}:")
        ]
        if faults:
            raise ConfigError(faults)
        target = Path(path)
        values = json.loads(json.dumps(tree))
        text = json.dumps(values, indent=2) if target.suffix == ".json" else yaml.safe_dump(values, sort_keys=False)
        target.write_text(text, encoding="utf-8")
        return target

    def plan(self, **options: Any) -> PlanView:
        """What would run, what is there already, and why. Runs nothing. Takes the options of `run`."""
        return PlanView(prepared=self._prepared(**options)[0])

    def result(self) -> StudyResult:
        """What earlier runs came to, as far as it is stored. Runs nothing."""
        prepared, _ = self._prepared()
        return StudyResult(finished=Finished(prepared=prepared, summary=RunSummary(), run="", wall_s=0.0))

    def run(
        self,
        *,
        workers: int | None = None,
        on: str | None = None,
        until: str | Sequence[str] = (),
        only: Mapping[str, object] | None = None,
        rerun: Sequence[str] = (),
        fail_fast: bool = False,
        progress: bool = True,
        check: bool = True,
    ) -> StudyResult:
        """Run what is not yet done. Ctrl-C, or a notebook's stop, stops at the next checkpoints; the next call goes on.

        Args:
            workers: Worker processes on this machine.
            on: `inline`, `processes`, or a cluster's profile.
            until: Run this node, or these, and what they read, no more.
            only: Only the variants with these values of params.
            rerun: Nodes to compute again even if their results are there.
            fail_fast: Stop at the first failure.
            progress: Show how it goes.
            check: Raise where nodes failed; else the result tells of it.

        Raises:
            ConfigError: The study is faulty; with every fault.
            RunFailed: Some nodes failed.
        """
        prepared, options = self._prepared(
            workers=workers, on=on, until=until, only=only, rerun=rerun, fail_fast=fail_fast
        )
        shown = LiveProgress(err()) if progress else None
        with shown or nullcontext():
            execution = Execution(prepared, options, shown or (lambda _event: None))
            in_main = threading.current_thread() is threading.main_thread()  # signals reach no other
            with stopping_on_interrupt(execution) if in_main else nullcontext():
                result = StudyResult(finished=execution.run())
        if check and result.failures:
            raise RunFailed(result)
        return result

    def _prepared(
        self,
        *,
        workers: int | None = None,
        on: str | None = None,
        until: str | Sequence[str] = (),
        only: Mapping[str, object] | None = None,
        rerun: Sequence[str] = (),
        fail_fast: bool = False,
    ) -> tuple[PreparedStudy, Options]:
        placed: dict[str, object] = {"workers": workers} if workers is not None else {}
        local = on in ("inline", "processes")
        reading = self._changed(place={**self._place, **placed, **({"backend": on} if local else {})})._reading()
        if reading.study is None:
            raise ConfigError(reading.faults)
        project = reading.study.project
        folder = reading.study.file.parent if reading.study.file else project
        options = Options(
            until=(until,) if isinstance(until, str) else tuple(until),
            only={name: str(value) for name, value in (only or {}).items()},
            rerun=tuple(rerun),
            fail_fast=fail_fast,
            environment=variables_copy(),
            cluster=read_profile(on, project) if on is not None and not local else None,
        )

        def other_study(name: str) -> Specification:
            return load_study(find_study(name, folder, project), project=project)

        return prepare(reading.study, options, faults=reading.faults, other_study=other_study), options

    def _reading(self) -> Reading:
        """The study as the engine takes it, and what is wrong with it."""
        if self._file is not None:
            path, overrides, profile = self._file
            own = (f"place.{key}={json.dumps(value)}" for key, value in self._place.items())
            own_params = (f"{key}={json.dumps(value)}" for key, value in self._params.items())
            own_axes = (f"vary.{key}={json.dumps(value)}" for key, value in self._vary.items())
            return read_study(
                path,
                overrides=[*overrides, *own_params, *own_axes, *own],
                profile=profile,
                environment=variables(),
                project=self._project,
            )
        built = build(self.tree, name=self._name)
        project = self._home()
        study = replace(built.study, project=project, sources=live_sources(self._steps(), project))
        return Reading(study=study, faults=tuple(locate(built.faults, study)))

    def _home(self) -> Path:
        """The project's folder."""
        return (self._project or project_around(folder_of(self._steps()))).absolute()

    def _steps(self) -> Sequence[Step]:
        return [each.step for each in self._all_nodes()]

    def _all_nodes(self) -> Sequence[NodeUse]:
        """Its nodes with all that they read, each once."""
        seen: dict[NodeUse, None] = {}
        left = [*self._nodes.values(), *self._collect.values()]
        while left:
            each = left.pop()
            if isinstance(each, NodeUse) and each not in seen:
                seen[each] = None
                left.extend(each.upstream())
        return [*seen]

    def _varied(self, key: str, value: object) -> Study:
        return self._changed(vary={**self._vary, key: plain(value)})

    def _changed(
        self,
        *,
        collect: Mapping[str, NodeUse] | None = None,
        vary: Mapping[str, object] | None = None,
        place: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Study:
        study = Study(self._name)
        study._nodes = self._nodes
        study._collect = self._collect if collect is None else collect
        study._vary = self._vary if vary is None else vary
        study._place = self._place if place is None else place
        study._params = self._params if params is None else params
        study._project, study._file = self._project, self._file
        return study


def load(
    path: str | Path,
    *,
    set: Mapping[str, object] | None = None,
    profile: str | None = None,
    project: str | Path | None = None,
) -> Study:
    """The study in a file.

    Args:
        path: A .yaml, .yml, .json or .jsonnet file.
        set: Values that override the file's, by dotted path; a bare name is a param.
        profile: One of the study's profiles, laid over it.
        project: Its project's folder; found from the file where not given.

    Raises:
        ConfigError: The file cannot be read, or is faulty; with every fault.
    """
    file = Path(path)
    overrides = tuple(f"{key}={json.dumps(value)}" for key, value in plain(set or {}).items())
    own = Path(project) if project is not None else None
    reading = read_study(file, overrides=overrides, profile=profile, environment=variables(), project=own)
    if reading.study is None or reading.faults:
        raise ConfigError(reading.faults)
    study = Study(reading.study.name)
    study._file = (file, overrides, profile)
    study._project = own
    return study
