"""A study becomes a graph of planned nodes: steps looked up, settings checked, variants laid over one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from etude.errors import ConfigError, EtudeError, Fault, IdentityError, nearest
from etude.graph.library import StepLibrary, StepUse
from etude.graph.metric import declared_metrics
from etude.graph.node import RECORDS, RECORDS_STEP, Feed, InputOf, Node, Row, Spread
from etude.graph.pipeline import Needs, NodeSpec, Source
from etude.graph.settings import NodeSettings, read_settings
from etude.graph.signature import NotAStep
from etude.graph.versions import version_of
from etude.graph.wiring import Sources, Wiring, wire
from etude.identity.files import FileDigests
from etude.store.codecs import is_metrics, reason_not_storable
from etude.store.codecs.annotations import bare, class_of
from etude.store.codecs.metrics import may_be_metrics, says_metrics_by_type
from etude.study.aggregate_checks import aggregate_faults
from etude.study.fault_places import locate, together
from etude.study.interpolation import params_in, resolve
from etude.study.study import Study
from etude.study.variants import Variant, too_many, variants, varied_params

LoadStudy = Callable[[str], Study]
"""Finds another study by the name that `@name/node` gives it."""

FillPoints = Callable[[Study, Sequence[Study]], Study]
"""A study with its points in place, where a search or the best of another study decides them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """A study laid out: its variants and all its nodes."""

    study: Study
    variants: tuple[Variant, ...]
    nodes: tuple[Mapping[str, Node], ...]
    """For each variant, its pipeline nodes by name. Variants share node objects."""
    collect: Mapping[str, Node]
    records: Node
    library: StepLibrary

    def targets(self) -> list[Node]:
        """The results a study is run for: all that its exports are made of, and every end of the pipeline.

        Exported are the collect nodes, the records with their metrics, and the charts of tables that nodes return.
        """
        wanted = [row for variant, row in zip(self.variants, self.nodes, strict=True) if not variant.failed]
        all_nodes = unique(node for row in wanted for node in row.values())
        read = {other.fingerprint for node in all_nodes for other in node.upstream()}
        exported = [node for node in all_nodes if node.fingerprint not in read or node.metrics or _is_charted(node)]
        return [*exported, self.records, *self.collect.values()]

    def select(self, names: Iterable[str]) -> list[Node]:
        """All nodes of these names and groups, each once.

        Raises:
            ConfigError: The study has no such node or group.
        """
        groups = self.study.groups
        return unique(node for name in names for one in groups.get(name, (name,)) for node in self.named(one))

    def named(self, name: str) -> list[Node]:
        """All nodes of that name over the variants, each once.

        Raises:
            ConfigError: The study has no such node.
        """
        if name == RECORDS:
            return [self.records]
        if name in self.collect:
            return [self.collect[name]]
        if name not in self.study.pipeline:
            known = [*self.study.pipeline, *self.study.collect, RECORDS, *self.study.groups]
            raise ConfigError([Fault("", f"study {self.study.name} has no node {name!r}", mend=nearest(name, known))])
        return unique(row[name] for row in self.nodes)


def _is_charted(node: Node) -> bool:
    """Whether charts may be made of a node's result: a table, as predictions and learning curves are."""
    returns = class_of(bare(node.use.signature.returns)) if node.use is not None else None
    return returns is not None and (returns.__module__.partition(".")[0], returns.__name__) == ("pyarrow", "Table")


def unique(nodes: Iterable[Node]) -> list[Node]:
    """The nodes, each fingerprint once, in order."""
    return list({node.fingerprint: node for node in nodes}.values())


def no_other(name: str) -> Study:
    """Stands where no other study can be named."""
    raise ConfigError([Fault("", f"no other study can be named here: @{name}")])


def as_written(study: Study, within: Sequence[Study] = ()) -> Study:
    """A study whose points stand in its file.

    Raises:
        ConfigError: They do not.
    """
    if study.vary.top is not None or (study.vary.search is not None and not study.vary.points):
        reason = f"the variants of {study.name} are known only from results, which are not at hand here"
        raise ConfigError([Fault("", reason, mend="name a node of one variant, without [*]")])
    return study


def expand(
    study: Study,
    files: FileDigests,
    *,
    points: Sequence[Mapping[str, object]] | None = None,
    other_study: LoadStudy = no_other,
    fill_points: FillPoints = as_written,
    faults: Sequence[Fault] = (),
    within: Sequence[Study] = (),
) -> Expansion:
    """Lay a study out.

    Args:
        study: The study.
        files: Digests of input files.
        points: Points in place of the study's own `vary`.
        other_study: Finds the study that `@name/node` speaks of.
        fill_points: Finds the points of such a study where all of its variants are meant.
        faults: What the reader of the file found wrong; reported together with what is found here.
        within: The studies for which this one is laid out, each read by the one before.

    Raises:
        ConfigError: The study does not fit its steps; carries every fault.
    """
    expander = _Expander(
        study=study, files=files, other_study=other_study, faults=list(faults), within=within, fill_points=fill_points
    )
    return expander.expand(points)


def circle(study: Study, within: Sequence[Study]) -> str:
    """How studies come back to this one by reading each other: `a ← b ← a`; empty where they do not."""
    names = [one.name for one in within if _place(one) == _place(study)]
    return " ← ".join([*(one.name for one in within), study.name]) if names else ""


def _place(study: Study) -> str:
    return str(study.file or study.name)


class VariantGrowth:
    """Lays out further variants of a study one after another. They share their nodes with those before."""

    def __init__(self, study: Study, files: FileDigests, other_study: LoadStudy) -> None:
        """Check the study's steps.

        Raises:
            ConfigError: They do not fit.
        """
        self._expander = _Expander(study=study, files=files, other_study=other_study, faults=[], within=())
        order = self._expander.begin()
        self._order = [name for name in order if name in study.pipeline]

    def rows(self, points: Sequence[Mapping[str, object]]) -> list[tuple[Variant, Mapping[str, Node]]]:
        """The variants at these points, each with its pipeline nodes by name.

        Raises:
            ConfigError: Some step does not take the values of a point.
        """
        return self._expander.further(self._order, points)


@dataclass(slots=True, kw_only=True)
class _Expander:
    study: Study
    files: FileDigests
    other_study: LoadStudy
    faults: list[Fault]
    within: Sequence[Study]
    fill_points: FillPoints = as_written
    library: StepLibrary = field(init=False)
    uses: dict[str, StepUse] = field(default_factory=dict)
    wirings: dict[str, Wiring] = field(default_factory=dict)
    params_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Node → the params that it depends on, through itself or what it reads."""
    own_params: dict[str, tuple[str, ...]] = field(default_factory=dict)
    settings: dict[tuple[str, tuple[str, ...]], NodeSettings] = field(default_factory=dict)
    settings_faults: dict[str, tuple[Fault, dict[tuple[str, tuple[str, ...]], Variant]]] = field(default_factory=dict)
    settings_tried: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    made: dict[tuple[str, tuple[str, ...]], Node] = field(default_factory=dict)
    metrics: dict[str, bool] = field(default_factory=dict)
    others: dict[tuple[str, bool], Expansion] = field(default_factory=dict)
    """Another study, and whether with all its variants → laid out."""
    foreign: dict[Source, Feed | Spread] = field(default_factory=dict)
    declared_by: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """Step → what it says of its metrics."""

    def __post_init__(self) -> None:
        self.library = StepLibrary(project=self.study.project, given_sources=self.study.sources)

    def begin(self) -> list[str]:
        """Check what does not depend on variants. The names of all nodes, producers before consumers."""
        order = self._order()
        self._look_up(order)
        self._unused()
        self._raise_faults()
        return order

    def further(
        self, order: Sequence[str], points: Sequence[Mapping[str, object]]
    ) -> list[tuple[Variant, Mapping[str, Node]]]:
        """Variants at further points."""
        more = variants(self.study, points)
        try:
            for name in order:
                for variant in more:
                    self._settings_of(name, variant)
                self._tell_settings_faults(name)
            self._raise_faults()
        finally:
            self.faults.clear()
            self.settings_tried.clear()
        return [(variant, self._row(order, variant)) for variant in more]

    def expand(self, points: Sequence[Mapping[str, object]] | None) -> Expansion:
        if points is None and (fault := too_many(self.study)):
            self.faults.append(fault)
            self._raise_faults()
        order = self._order()
        self._look_up(order)
        self._unused()
        self.faults.extend(aggregate_faults(self.study, self.uses))
        all_variants = variants(self.study, points)
        for name in order:
            for variant in all_variants:
                self._settings_of(name, variant)
            self._tell_settings_faults(name)
        self._raise_faults()
        pipeline = [name for name in order if name in self.study.pipeline]
        rows = [self._row(pipeline, variant) for variant in all_variants]
        records = self._records(all_variants, rows)
        collect: dict[str, Node] = {}
        base = variants(self.study, [{}])[0]
        for name in order:
            if name in self.study.collect:
                inputs = self._collect_inputs(name, all_variants, rows, collect, records)
                collect[name] = self._node(name, base, inputs, {})
        self._raise_faults()
        return Expansion(
            study=self.study,
            variants=tuple(all_variants),
            nodes=tuple(rows),
            collect=collect,
            records=records,
            library=self.library,
        )

    # Checking: once per node as written.

    def _spec(self, name: str) -> NodeSpec:
        return self.study.pipeline.get(name) or self.study.collect[name]

    def _order(self) -> list[str]:
        """The names with producers before consumers. Faults for unknown nodes and circles."""
        specs = {**self.study.pipeline, **self.study.collect}
        known = frozenset(specs)  # `set - specs.keys()` would walk all of the keys, for each node
        waiting: dict[str, set[str]] = {}
        readers: dict[str, list[str]] = {name: [] for name in specs}
        for name, spec in specs.items():
            others = {source.node for source in _sources(spec) if not source.study and source.node != RECORDS}
            for other in sorted(others - known):
                self._fault(f"{self._where(name)}.from", f"there is no node {other!r}", other, nearest(other, specs))
            waiting[name] = others & known
            for other in waiting[name]:
                readers[other].append(name)
        order: list[str] = []
        ready = [name for name, others in waiting.items() if not others]
        for name in ready:
            order.append(name)
            for reader in readers[name]:
                waiting[reader].discard(name)
                if not waiting[reader]:
                    ready.append(reader)
        if len(order) < len(specs):
            self._circle({name: others for name, others in waiting.items() if others})
        return order

    def _circle(self, waiting: Mapping[str, set[str]]) -> None:
        name, path = next(iter(waiting)), []
        while name not in path:
            path.append(name)
            name = min(other for other in waiting[name] if other in waiting)
        circle = [*path[path.index(name) :], name]
        mend = "cut one of these `from:`"
        self._fault(
            f"{self._where(circle[0])}.from", "nodes read each other in a circle: " + " ← ".join(circle), mend=mend
        )

    def _look_up(self, order: Sequence[str]) -> None:
        returns: dict[str, object] = {}
        for name in order:
            spec = self._spec(name)
            try:
                use = self.library.find(spec.step, spec.settings)
            except NotAStep as error:
                self._fault(f"{self._where(name)}.step", error.reason, spec.step, error.mend)
                continue
            self.uses[name] = use
            returns[name] = use.signature.returns
            returns.update(self._foreign_returns(spec))
            for package in spec.pin:
                if version_of(package) == "absent":
                    missing = f"no distribution {package!r} is installed, so its version cannot count"
                    self._fault(f"{self._where(name)}.pin", missing, package, "correct the name, or install it")
            reason = reason_not_storable(use.signature.returns)
            if reason:
                mend = "return numbers, text, a dataclass, an Arrow table, arrays or a folder under ctx.scratch"
                self._fault(
                    f"{self._where(name)}.step", f"the result of {use.reference} cannot be stored: {reason}", mend=mend
                )
        for name in order:
            self._params_of(name)
            if name in self.uses:
                self.wirings[name], faults = wire(
                    self._spec(name), self.uses[name].signature, returns, self._where(name)
                )
                self.faults.extend(faults)

    def _params_of(self, name: str) -> None:
        spec = self._spec(name)
        named = params_in(spec.settings)
        for param in sorted(named - self.study.params.keys()):
            mend = nearest(param, self.study.params)
            self._fault(f"{self._where(name)}.with", f"there is no param {param!r}", f"${{{param}}}", mend)
        self.own_params[name] = tuple(sorted(named & self.study.params.keys()))
        own = (source for source in _sources(spec) if not source.across and not source.study)
        read = [self.params_of.get(source.node, ()) for source in own]
        self.params_of[name] = tuple(sorted({*self.own_params[name], *(param for params in read for param in params)}))

    def _unused(self) -> None:
        """Faults for params that vary and that no node refers to: their variants would be one result told as many."""
        vary = self.study.vary
        named = {param for spec in self.study.pipeline.values() for param in params_in(spec.settings)}
        axes = {
            "grid": [*vary.grid],
            "list": [*dict.fromkeys(name for point in vary.points for name in point)] if vary.search is None else [],
            "repeat": [*vary.repeat],
            "search.space": [*vary.search.space.columns] if vary.search is not None else [],
        }
        if not self.study.pipeline:
            return
        for axis, params in axes.items():
            for param in params:
                if param in named:
                    continue
                kind = "repeated" if axis == "repeat" else "varied"
                reason = f"param {param!r} is {kind}, and no node refers to it: its values would all be the same result"
                mend = f"refer to it as `${{{param}}}` in the settings of a node, or do not vary it"
                self._fault(f"vary.{axis}.{param}", reason, mend=mend)

    # Other studies.

    def _foreign_returns(self, spec: NodeSpec) -> dict[str, object]:
        found = {}
        for source in _sources(spec):
            if source.study:
                try:
                    given = self._foreign(source)
                except EtudeError as error:
                    self._fault(f"{self._where(spec.name)}.from", f"cannot use {source}: {error}", str(source))
                    continue
                feeds = given.feeds if isinstance(given, Spread) else (given,)
                if feeds and feeds[0].node.use is not None:
                    found[f"@{source.study}/{source.node}"] = feeds[0].node.use.signature.returns
        return found

    def _foreign(self, source: Source) -> Feed | Spread:
        """What a source of another study gives: with that study's own params, or in all its variants.

        Its records and collect nodes are of all its variants whoever reads them.

        Raises:
            ConfigError: There is no such study or node, its variants are not known, or it is not sound.
        """
        assert source.study is not None
        if source not in self.foreign:
            other = self._other(source.study, everything=source.across)
            if source.across and (source.node == RECORDS or source.node in other.collect):
                reason = f"{source.node!r} of {source.study} runs once, not in every variant"
                raise ConfigError([Fault("", reason, mend="leave out [*]")])
            if source.node == RECORDS or source.node in other.collect:
                other = self._other(source.study, everything=True)
            if source.across:
                other.named(source.node)
                self.foreign[source] = _spread(source, other.study, other.variants, other.nodes)
            else:
                self.foreign[source] = Feed(other.named(source.node)[0], source.item)
        return self.foreign[source]

    def _other(self, name: str, everything: bool) -> Expansion:
        key = (name, everything)
        if key not in self.others:
            other, within = self.other_study(name), (*self.within, self.study)
            told = circle(other, within)
            if told:
                raise ConfigError([Fault("", f"studies read each other in a circle: {told}")])
            self.others[key] = expand(
                self.fill_points(other, within) if everything else other,
                self.files,
                points=None if everything else [{}],
                other_study=self.other_study,
                fill_points=self.fill_points,
                within=within,
            )
        return self.others[key]

    # Laying out: once per variant, sharing what does not differ.

    def _settings_of(self, name: str, variant: Variant) -> None:
        """Check and write down a node's settings for one variant; once for each set of values of its own params."""
        key = (name, tuple(variant.keys[param] for param in self.own_params[name]))
        if key in self.settings or key in self.settings_tried or name not in self.uses:
            return
        spec = self._spec(name)
        path = f"{self._where(name)}.with"
        try:
            given = resolve(spec.settings, variant.params)
        except EtudeError as error:
            if not set(params_in(spec.settings)) - self.study.params.keys():
                self._fault(path, str(error))
            return
        assert isinstance(given, Mapping)
        try:
            self.settings[key] = read_settings(self.uses[name].signature, given, self.files, self.study.project)
        except ConfigError as error:
            for fault in error.faults:
                known = self.settings_faults.setdefault(f"{fault.path} {fault.reason} {fault.value!r}", (fault, {}))
                known[1][key] = variant
        except IdentityError as error:
            self._fault(path, str(error))
        self.settings_tried.add(key)

    def _tell_settings_faults(self, name: str) -> None:
        """Put a node's faults in their places; one that some values of params cause tells the first of them."""
        path = f"{self._where(name)}.with"
        for fault, cases in self.settings_faults.values():
            everywhere = len(cases) == sum(tried[0] == name for tried in self.settings_tried)
            variant = next(iter(cases.values()))
            values = ", ".join(f"{param}={variant.params[param]!r}" for param in self.own_params[name])
            where = "" if everywhere or not values else f" (where {values})"
            inside = f"{path}.{fault.path}" if fault.path else path
            self._fault(inside, fault.reason + where, fault.value, fault.mend)
        self.settings_faults.clear()

    def _row(self, order: Sequence[str], variant: Variant) -> dict[str, Node]:
        row: dict[str, Node] = {}
        keys = variant.keys
        for name in order:
            key = (name, tuple([keys[param] for param in self.params_of[name]]))
            node = self.made.get(key)
            if node is None:
                inputs = {given: self._input(sources, row) for given, sources in self.wirings[name].bindings.items()}
                params = {param: variant.params[param] for param in self._shown_params(name)}
                node = self.made[key] = self._node(name, variant, inputs, params)
            row[name] = node
        return row

    def _shown_params(self, name: str) -> list[str]:
        return [param for param in varied_params(self.study.vary) if param in self.params_of[name]]

    def _node(self, name: str, variant: Variant, inputs: Mapping[str, InputOf], params: Mapping[str, object]) -> Node:
        spec, use = self._spec(name), self.uses[name]
        settings = self.settings[name, tuple(variant.keys[param] for param in self.own_params[name])]
        return Node(
            name=name,
            step=use.reference,
            use=use,
            settings=settings.given,
            settings_text=settings.text,
            code=_code_of(spec, use),
            pins=tuple(f"{package}=={version_of(package)}" for package in spec.pin),
            inputs=inputs,
            needs=spec.needs,
            params=params,
            metrics=self._gives_metrics(use),
            declared=self._declared_by(use),
            files={**settings.files, **use.programs()},
            study=self.study.name if self.within else "",
        )

    def _gives_metrics(self, use: StepUse) -> bool:
        """Whether a step may return metrics; asked once for each step, not for each of its nodes."""
        if use.reference not in self.metrics:
            returns = use.signature.returns
            by_type = says_metrics_by_type(use.reference)
            self.metrics[use.reference] = is_metrics(returns) if by_type else may_be_metrics(returns)
        return self.metrics[use.reference]

    def _input(self, sources: Sources, row: Mapping[str, Node]) -> InputOf:
        if isinstance(sources, tuple):
            return tuple(self._feed(source, row) for source in sources)
        return self._feed(sources, row)

    def _feed(self, source: Source, row: Mapping[str, Node]) -> Feed:
        if source.study:
            given = self.foreign[source]
            assert isinstance(given, Feed)
            return given
        return Feed(row[source.node], source.item)

    # Gathering.

    def _records(self, all_variants: Sequence[Variant], rows: Sequence[Mapping[str, Node]]) -> Node:
        gathered = tuple(
            Row(variant.label, variant.params, () if variant.failed else tuple(row.values()), variant.failed)
            for variant, row in zip(all_variants, rows, strict=True)
        )
        repeat = next(iter(self.study.vary.repeat), None)
        settings = {
            "params": list(self.study.params),
            "varied": list(varied_params(self.study.vary)),
            "repeat": repeat,
            "declared": self._declared(),
        }
        text = f"{settings}"
        study = self.study.name if self.within else ""
        needs = Needs(login=True)
        return Node(
            name=RECORDS,
            step=RECORDS_STEP,
            use=None,
            settings=settings,
            settings_text=text,
            code="",
            pins=(),
            inputs={},
            needs=needs,
            params={},
            rows=gathered,
            study=study,
        )

    def _declared_by(self, use: StepUse) -> dict[str, dict[str, str]]:
        """What a step says of its metrics."""
        if use.reference not in self.declared_by:
            returns = use.signature.returns
            said = declared_metrics(returns) if self._gives_metrics(use) else {}
            self.declared_by[use.reference] = {name: one.as_json() for name, one in said.items()}
        return self.declared_by[use.reference]

    def _declared(self) -> dict[str, dict[str, str]]:
        """What the steps say of their metrics, by `node.metric`."""
        return {
            f"{name}.{metric}": said
            for name in self.study.pipeline
            for metric, said in self._declared_by(self.uses[name]).items()
        }

    def _collect_inputs(
        self,
        name: str,
        all_variants: Sequence[Variant],
        rows: Sequence[Mapping[str, Node]],
        collect: Mapping[str, Node],
        records: Node,
    ) -> dict[str, InputOf]:
        finished = [row for variant, row in zip(all_variants, rows, strict=True) if not variant.failed]

        def feed(source: Source) -> Feed:
            if source.study:
                return self._feed(source, {})
            if source.node == RECORDS:
                return Feed(records, source.item)
            if source.node in collect:
                return Feed(collect[source.node], source.item)
            nodes = unique(row[source.node] for row in finished or rows)
            if len(nodes) > 1:
                params = ", ".join(self._shown_params(source.node))
                reason = f"node {source.node!r} has {len(nodes)} results, for it varies with {params}"
                self._fault(f"{self._where(name)}.from", reason, str(source), f"write {source.node}[*]")
            return Feed(nodes[0], source.item)

        def one(sources: Sources) -> InputOf:
            if isinstance(sources, tuple):
                return tuple(map(feed, sources))
            if sources.across and sources.study:
                return self.foreign[sources]
            if sources.across:
                return _spread(sources, self.study, all_variants, rows)
            return feed(sources)

        return {given: one(sources) for given, sources in self.wirings[name].bindings.items()}

    # Faults.

    def _where(self, name: str) -> str:
        return f"{'pipeline' if name in self.study.pipeline else 'collect'}.{name}"

    def _fault(self, path: str, reason: str, value: object = None, mend: str = "") -> None:
        self.faults.append(Fault(path, reason, value, mend))

    def _raise_faults(self) -> None:
        if self.faults:
            read = [fault for fault in self.faults if fault.file]
            later = locate([fault for fault in self.faults if not fault.file], self.study)
            raise ConfigError(list({str(fault): fault for fault in together(read, later)}.values()))


def _spread(
    source: Source, study: Study, all_variants: Sequence[Variant], rows: Sequence[Mapping[str, Node]]
) -> Spread:
    """The results of a node in all variants of a study that have some."""
    shown = varied_params(study.vary)
    finished = [(variant, row) for variant, row in zip(all_variants, rows, strict=True) if not variant.failed]
    points = tuple({param: variant.params[param] for param in shown} for variant, _ in finished)
    return Spread(points, tuple(Feed(row[source.node], source.item) for _, row in finished))


def _sources(spec: NodeSpec) -> list[Source]:
    return [
        source
        for sources in spec.sources.values()
        for source in (sources if isinstance(sources, tuple) else (sources,))
    ]


def _code_of(spec: NodeSpec, use: StepUse) -> str:
    if spec.code == "track":
        return use.symbols.digest
    return spec.code
