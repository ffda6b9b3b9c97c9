"""Lays a study out and plans it: everything before the first node runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from etude.cluster.profile import Profile
from etude.environment import variables
from etude.errors import ConfigError, Fault, MeterError, nearest
from etude.execute.node_metering import MeterSettings, footprint_of
from etude.execute.observe.audit import install
from etude.graph.labels import is_meant, text_of
from etude.graph.library import StepLibrary
from etude.graph.plan import Plan, plan
from etude.identity.files import FileDigests
from etude.identity.observed import Present
from etude.search.space import Point
from etude.store.store import Store
from etude.study.best_points import with_top
from etude.study.expand import Expansion, LoadStudy, expand, no_other
from etude.study.fault_places import locate
from etude.study.result_history import ResultHistory, comparable_history
from etude.study.search_state import SearchState, check_objective, state_of, with_search
from etude.study.study import Study
from etude.study.variants import points, too_many

DIGESTS = "digests.json"
"""File in a project's `.etude` that remembers the digests of input files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may ask of one run besides what the study says. None of it is identity."""

    until: tuple[str, ...] = ()
    """Run these nodes, or groups of them, and what they read, no more; everything where none is named."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Run only the variants with these values of params, each as a label shows it."""
    rerun: tuple[str, ...] = ()
    """Nodes to compute again even if their results are there."""
    fail_fast: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    """The process environment, for the workers and for the GPUs that it grants."""
    break_before: str | None = None
    break_after: str | None = None
    first: tuple[Point, ...] = ()
    """Points that a search tries before its sampler is asked."""
    pause: Callable[[str, str, Mapping[str, object]], None] | None = None
    """Called at a breakpoint; the command line opens a debugger."""
    cluster: Profile | None = None
    """The cluster to run on; None for this machine."""
    job: str = ""
    """Id of the batch job that this process runs in, where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The folders of one study."""

    project: Path
    etude: Path
    store: Path
    results: Path

    @staticmethod
    def of(study: Study) -> Workplace:
        """Where a study keeps what it makes."""
        etude = study.project / ".etude"
        store = study.project / study.place.store if study.place.store else etude / "store"
        results = study.project / (study.place.results or Path("results") / study.name)
        return Workplace(project=study.project, etude=etude, store=store, results=results)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStudy:
    """A study ready to run."""

    study: Study
    expansion: Expansion
    plan: Plan
    store: Store
    files: FileDigests
    history: ResultHistory
    workplace: Workplace
    partial: bool = False
    """Whether only some of the study's variants were asked for."""
    search: SearchState | None = None
    """How far the study's search has come, where it has one."""
    whole: bool = True
    """Whether all of the study was asked for, its search included."""
    other_study: LoadStudy = no_other
    present: Present | None = None
    """Tells what is there now of what steps touched when they ran."""
    again: Callable[[], PreparedStudy] | None = None
    """The same once more, with what was stored since."""

    @property
    def searches(self) -> bool:
        """Whether a run begins or goes on with a search."""
        return self.search is not None and self.whole and not self.search.complete


def prepare(
    study: Study,
    options: Options | None = None,
    *,
    faults: Sequence[Fault] = (),
    other_study: LoadStudy = no_other,
    create: bool = True,
) -> PreparedStudy:
    """Lay a study out and plan it. Nothing is run and nothing is written.

    Raises:
        ConfigError: The study is faulty, or the options name what it has not.
        StoreError: The store cannot be used.
    """
    options = options or Options()
    workplace = Workplace.of(study)
    files = FileDigests(workplace.etude / DIGESTS)
    store = Store.open(workplace.store, create=create)
    asked = study
    misread = any(fault.path.startswith("vary.search") for fault in faults)  # then it cannot be held against its log
    state = None if misread else state_of(study, workplace.etude)
    study = with_search(with_top(study, store, files, other_study), state)
    chosen = _chosen_points(study, options.only)
    install(workplace.project)
    fill_points = partial(_with_points, store=store, files=files, other_study=other_study)
    expansion = expand(study, files, points=chosen, other_study=other_study, fill_points=fill_points, faults=faults)
    check_objective(study, expansion.nodes[0])
    targets = expansion.select(options.until) or expansion.targets()
    if options.only and not options.until:
        targets = [node for node in targets if node not in expansion.collect.values() and node is not expansion.records]
    forced = expansion.select(options.rerun)
    present = present_in(workplace.project, files, expansion.library, options, inline=study.place.backend == "inline")
    force = [node.fingerprint for node in forced]
    work = plan([*targets, *forced], store.inspect, force=force, differences=present.compare())
    expansion.library.add_observed(present.maps())
    _check_breakpoints(expansion, options)
    history = comparable_history(workplace.etude, study)
    return PreparedStudy(
        study=study,
        expansion=expansion,
        plan=work,
        store=store,
        files=files,
        history=history,
        workplace=workplace,
        partial=bool(options.only),
        search=state,
        whole=not options.until and not options.only,
        other_study=other_study,
        present=present,
        again=lambda: prepare(asked, options, faults=faults, other_study=other_study, create=create),
    )


def _with_points(
    other: Study, within: Sequence[Study], *, store: Store, files: FileDigests, other_study: LoadStudy
) -> Study:
    """Another study with its points in place: those that its search has tried, or the best of a third.

    Raises:
        ConfigError: They are not known yet.
    """
    state = state_of(other, Workplace.of(other).etude)
    if state is not None and not state.history.ended:
        reason = f"the search of {other.name} has tried nothing yet, so it has no variants to read"
        raise ConfigError([Fault("", reason, mend=f"run it first: etude run {other.file or other.name}")])
    return with_search(with_top(other, store, files, other_study, within), state)


def present_in(project: Path, files: FileDigests, library: StepLibrary, options: Options, *, inline: bool) -> Present:
    """What is there now in a project, for nodes that run here or where a cluster's profile says."""
    given = options.environment or (variables() if inline else {})
    environment = {**given, **(options.cluster.environment if options.cluster else {})}
    return Present(project=str(project.resolve()), files=files, index=lambda: library.index, environment=environment)


def _check_breakpoints(expansion: Expansion, options: Options) -> None:
    for name in (options.break_before, options.break_after):
        if name is not None:
            expansion.named(name)


def _chosen_points(study: Study, only: Mapping[str, str]) -> list[dict[str, object]] | None:
    """The points of the study that have these values; None for all."""
    if not only:
        return None
    if fault := too_many(study):
        raise ConfigError(locate([fault], study))
    everything = points(study.vary)
    axes = {name for point in everything for name in point}
    for name in only:
        if name not in axes:
            reason = f"the study does not vary {name!r}"
            raise ConfigError([Fault("--only-variant", reason, only[name], nearest(name, axes))])
    chosen = [
        point for point in everything if all(name in point and is_meant(point[name], only[name]) for name in only)
    ]
    if not chosen:
        wanted = " ".join(f"{name}={value}" for name, value in only.items())
        known = "; ".join(f"{name}: {_values(name, everything)}" for name in only)
        raise ConfigError([Fault("--only-variant", "no variant has these values", wanted, f"there are {known}")])
    return chosen


def _values(name: str, everything: Sequence[Mapping[str, object]], most: int = 12) -> str:
    values = list(dict.fromkeys(text_of(point[name]) for point in everything if name in point))
    return ", ".join(values[:most]) + (", …" if len(values) > most else "")


def meter_settings(prepared: PreparedStudy) -> MeterSettings:
    """What the study says of measuring.

    Raises:
        ConfigError: The country has no factor, or a number makes no sense.
    """
    settings = prepared.study.place.meter
    if settings.calibration is not None:
        settings = replace(settings, calibration=prepared.workplace.project / settings.calibration)
    try:
        footprint_of(settings)
    except MeterError as error:
        raise ConfigError(locate([Fault("place.meter", str(error))], prepared.study)) from error
    return settings
