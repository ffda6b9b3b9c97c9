"""Computes one node, wherever it runs: reads its inputs, calls the step, measures it and stores the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from etude.errors import DamagedArtifact, EtudeError, StepError, Stopped, StoreError
from etude.execute.context import RunContext
from etude.execute.cost_journal import attempt_file, cost_with_earlier_attempts, write_cost
from etude.execute.error_text import one_line, trace_below
from etude.execute.input_guard import guard_inputs
from etude.execute.node_metering import Metering
from etude.execute.observe.audit import install
from etude.execute.observe.observation import Observation, observed_by_all
from etude.execute.process_state import CALLED_FROM, run_apart
from etude.execute.record_table import record_table
from etude.execute.salvage import salvage
from etude.execute.task import InputRef, Outcome, RefsAcross, ResultRef, Status, Task
from etude.graph.compatible import element_type, plain
from etude.graph.library import import_function
from etude.graph.node import RECORDS_STEP
from etude.graph.signature import Signature, signature_of
from etude.graph.step import Across
from etude.identity.files import FileDigests
from etude.identity.observed import Observed, Thing, thing_of, unseeded_generators
from etude.meter.accounting.cost import Cost
from etude.meter.accounting.merge import merge_ranks
from etude.meter.accounting.start_up import without_start_up
from etude.meter.measure import Measurement
from etude.store.codecs import classes_in
from etude.store.codecs.metrics import metrics_in, says_metrics_by_type
from etude.store.files.manifest import Header
from etude.store.store import Store

Pause = Callable[[str, str, Mapping[str, object]], None]
"""Called at a breakpoint with the moment (`before` or `after`), the node's name and the values at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a step is given by the place where it runs."""

    devices: tuple[str, ...] = ()
    cpus: int = 1
    asked_to_stop: Callable[[], bool] = field(default=lambda: False)
    tell: Callable[[float, float | None, str], None] = field(default=lambda _done, _total, _message: None)
    tell_value: Callable[[float, float], None] = field(default=lambda _step, _value: None)
    pause: Pause | None = None
    metering: Metering = field(default_factory=Metering)
    digests: FileDigests = field(default_factory=FileDigests)
    """Tells whether an input file is still what was planned."""
    rank: int = 0
    """Which of a node's several processes this is. Rank 0 stores the result."""
    attempt: str = ""
    """Names the attempt, where several processes make it together; empty for one of its own."""
    others: Callable[[], Sequence[Outcome]] | None = None
    """Waits until all other ranks are done, and gives the outcome of each; None for a node of one process."""


STORE_S = 60.0
"""How long a result that was computed waits for a store that is out of reach."""

_symbols: dict[str, Mapping[str, str]] = {}
"""Symbol maps by the digests of their notes."""
_signatures: dict[str, tuple[object, Signature]] = {}


def perform(task: Task, store: Store, host: Host) -> Outcome:
    """Compute one node. Whatever goes wrong in the step is an outcome; only an interrupt gets out.

    Where the store itself is out of reach, as a shared file system may be for a while, nothing that happened counts:
    the step's own folder, its inputs and its result are all there. The outcome is `lost`, to be tried again.
    """
    outcome = _perform(task, store, host)
    if outcome.status is Status.STOPPED or store.is_there():
        return outcome
    return Outcome(status=Status.LOST, error=f"the store {store.root} is out of reach: {outcome.error or 'gone'}")


def _perform(task: Task, store: Store, host: Host) -> Outcome:
    context = RunContext(
        make_scratch=partial(store.scratch, task.fingerprint),
        project=Path(task.project or "."),
        devices=host.devices,
        cpus=host.cpus,
        asked_to_stop=host.asked_to_stop,
        tell=host.tell,
        tell_value=host.tell_value,
    )
    measured: tuple[Path, Measurement] | None = None
    try:
        if task.step == RECORDS_STEP:
            return _store(task, store, record_table(store, task.rows, task.settings), object, {})
        if task.project:
            install(task.project)
        signature = _signature(task.step, task.settings)
        arguments, settings = _arguments(task, store, signature), _settings(task, signature)
        if host.pause:
            host.pause("before", task.name, {**arguments, "settings": settings})
        observation = _observation(task, store)
        measurement = host.metering.measured()
        context.mark = measurement.window
        with guard_inputs(task.files, host.digests, arguments.values()) as folders:
            if folders:
                _arguments(task, store, signature)  # checked once more: it may have changed before it was watched
            file = attempt_file(store, task.fingerprint, host.attempt, host.rank)
            with observation, host.metering.kept(measurement, file, host.cpus):
                value = run_apart(_bound_step(signature, arguments, settings, context))
        if host.pause:
            host.pause("after", task.name, {**arguments, "settings": settings, "value": value})
        if host.rank > 0:
            observed = _observed(task, store, host, observation)
            cost = measurement.cost().as_json()
            return Outcome(status=Status.DONE, cost=cost, observed=observed, written=observation.written())
        measured = file, measurement
        others = host.others() if host.others is not None else ()
        whole = _whole_cost(task, store, host, [measurement.cost(), *_costs(others)], file)
        _wait_for(store, host.asked_to_stop)
        observed = _observed(task, store, host, observation)
        if others:
            of_all = [(observed, observation.written()), *((each.observed, each.written) for each in others)]
            observed = observed_by_all(of_all)
        deterministic = signature.deterministic and not unseeded_generators(observed)
        return _store(task, store, value, signature.returns, whole, deterministic, context.made_scratch, observed)
    except Stopped as stopped:
        return Outcome(status=Status.STOPPED, error=str(stopped) or "stopped at a checkpoint")
    except DamagedArtifact as damaged:
        return Outcome(status=Status.DAMAGED, error=str(damaged), damaged=damaged.fingerprint)
    except UnstoredError as error:
        if measured is not None:
            write_cost(measured[0], measured[1].cost(), ended=True)
        return Outcome(status=Status.FAILED, error=str(error))
    except StoreError as error:
        return Outcome(status=Status.FAILED, error=f"what it reads cannot be read: {error}")
    except EtudeError as error:
        return Outcome(status=Status.FAILED, error=str(error), traceback=trace_below(error, CALLED_FROM))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a step may raise anything; the run goes on without it
        return Outcome(status=Status.FAILED, error=one_line(error), traceback=trace_below(error, CALLED_FROM))


def _costs(others: Sequence[Outcome]) -> list[Cost]:
    return [Cost.from_json(each.cost) for each in others]


def _whole_cost(task: Task, store: Store, host: Host, ranks: Sequence[Cost], file: Path) -> Mapping[str, object]:
    """What the result has cost: all ranks of this attempt, and all attempts before it."""
    by = host.metering.footprint()
    own = ranks[0] if host.others is None else merge_ranks(ranks, footprint=by)
    whole = cost_with_earlier_attempts(own, store, task.fingerprint, file, task.attempt, by)
    whole = replace(whole, first_in_process=host.metering.first, order=task.order)
    return without_start_up(whole, footprint=by).as_json()


def _bound_step(
    signature: Signature, arguments: Mapping[str, object], settings: Mapping[str, object], context: RunContext
) -> Callable[[], Any]:
    """The step with all that it is given."""
    extra = {"ctx": context} if signature.context else {}
    positional: list[object] = []
    for given in signature.inputs:
        if given.name not in arguments or given.by_name:
            break
        value = arguments[given.name]
        positional.extend(value if given.many and isinstance(value, (list, tuple)) else [value])
    named = {
        given.name: arguments[given.name] for given in signature.inputs[len(positional) :] if given.name in arguments
    }
    return partial(signature.function, *positional, **named, **settings, **extra)


def _signature(reference: str, given: Mapping[str, object]) -> Signature:
    function = import_function(reference)
    known = _signatures.get(reference)
    if known is None or known[0] is not function:
        known = _signatures[reference] = (function, signature_of(reference, function))
    as_given = known[1].plain or known[1].command
    return signature_of(reference, function, given) if as_given and given else known[1]


def _settings(task: Task, signature: Signature) -> dict[str, object]:
    try:
        return {name: signature.validated(name, value) for name, value in task.settings.items()}
    except ValueError as error:
        raise StepError(f"its settings do not fit {task.step} here: {error}") from error


def _arguments(task: Task, store: Store, signature: Signature) -> dict[str, object]:
    wanted = {given.name: given for given in signature.inputs}
    return {
        name: _load(store, ref, wanted[name].annotation, many=wanted[name].many) for name, ref in task.inputs.items()
    }


def _load(store: Store, ref: InputRef, annotation: object, *, many: bool) -> object:
    if isinstance(ref, ResultRef):
        return _read(store, ref, annotation)
    if isinstance(ref, RefsAcross):
        arguments = get_args(plain(annotation))
        each = arguments[0] if arguments else object
        readers = tuple(partial(_read, store, one, each) for one in ref.refs)
        return Across(variants=ref.variants, readers=readers)
    each = annotation if many else element_type(annotation) or object
    values = [_read(store, one, each) for one in ref]
    return tuple(values) if plain(annotation) is tuple else values


def _read(store: Store, ref: ResultRef, annotation: object) -> Any:
    try:
        return store.read(ref.fingerprint, item=ref.item, as_type=annotation)
    except DamagedArtifact:
        raise
    except StoreError as error:
        if store.inspect(ref.fingerprint) is None:
            raise DamagedArtifact(ref.fingerprint, "it is gone from the store") from error
        raise


class UnstoredError(EtudeError):
    """A result was computed and cannot be stored."""

    def __init__(self, why: str, kept: str) -> None:
        super().__init__("\n    ".join(filter(None, (why, kept))))


def _wait_for(store: Store, asked_to_stop: Callable[[], bool]) -> None:
    """Wait for a store that was there when the step began: the value is at hand, and would be computed again.

    Nothing is written in its place: results would lie in two stores.
    """
    until_s = time.monotonic() + STORE_S
    while not store.is_there():
        if time.monotonic() >= until_s or asked_to_stop():
            raise UnstoredError("its result cannot be stored", "")
        time.sleep(0.2)


def _kept(value: object, store: Store, task: Task) -> str:
    """What was kept of a value that cannot be stored; nothing where that fails too."""
    try:
        return salvage(value, store.scratch(task.fingerprint), task.name) if store.is_there() else ""
    except (EtudeError, OSError):
        return ""


def _store(
    task: Task,
    store: Store,
    value: object,
    returns: object,
    cost: Mapping[str, object],
    deterministic: bool = True,
    owned: Path | None = None,
    observed: Observed | None = None,
) -> Outcome:
    header = Header(
        trace=task.trace,
        inputs=task.contents,
        identity=task.identity,
        provenance=task.provenance,
        cost=cost,
        deterministic=deterministic,
        observed=observed or {},
        metrics={} if says_metrics_by_type(task.step) else metrics_in(value),
    )
    try:
        manifest = store.commit(task.fingerprint, value, returns, header, replace=task.replace, owned=owned)
    except StoreError as error:
        raise UnstoredError(f"its result cannot be stored: {error}", _kept(value, store, task)) from error
    except StepError as error:
        raise UnstoredError(str(error), _kept(value, store, task)) from error
    store.drop_scratch(task.fingerprint)
    return Outcome(
        status=Status.DONE,
        content=manifest.content,
        cost=manifest.cost,
        observed=manifest.observed,
        classes=classes_in(manifest.codec),
    )


def _observation(task: Task, store: Store) -> Observation:
    code = str(task.provenance.get("symbols") or task.step)
    return Observation(task.project, str(store.root), code, opaque=bool(task.provenance.get("unseen")))


def _observed(task: Task, store: Store, host: Host, observation: Observation) -> Observed:
    note = str(task.provenance.get("symbols") or "")
    if note not in _symbols:
        document = store.note("symbols", note) if note else None
        _symbols[note] = document if isinstance(document, Mapping) else {}
    run = str(task.provenance.get("run"))
    observed = observation.observed(_symbols[note], task.files, run, host.digests)
    code = str(task.identity.get("code"))
    if code == "ignore" or code.startswith("version:"):  # the study vouches for all code
        return {key: digest for key, digest in observed.items() if thing_of(key)[0] is not Thing.CODE}
    return observed
