"""Which source feeds which input of a step, and whether their types fit. Judged once per node as written."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass

from etude.errors import Fault, nearest
from etude.graph.compatible import NoSuchItem, element_type, fits, item_type, plain
from etude.graph.pipeline import RECORDS, NodeSpec, Source
from etude.graph.signature import Input, Signature, type_text
from etude.graph.step import Across

Sources = Source | tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Input → where it comes from, in the order of the step's parameters."""

    bindings: Mapping[str, Sources]


def wire(spec: NodeSpec, signature: Signature, returns: Mapping[str, object], path: str) -> tuple[Wiring, list[Fault]]:
    """Bind a node's sources to its step's inputs.

    Args:
        spec: The node as written.
        signature: Of its step.
        returns: Node name → what its step returns, for all nodes whose step is known. A node of another study stands
            under its text, `@study/node`.
        path: The node's place in the study, for messages.

    Returns:
        The binding, and everything that is wrong with it.
    """
    faults: list[Fault] = []
    bindings: dict[str, Sources] = {}
    inputs = {given.name: given for given in signature.inputs}
    for key, sources in spec.sources.items():
        bound = _input_named(key, signature)
        if bound is None:
            faults.append(_no_input(key, sources, signature, path))
        elif bound.many:
            earlier = bindings.get(bound.name, ())
            bindings[bound.name] = (*_several(earlier), *_several(sources))
        else:
            bindings[bound.name] = sources
    for given in signature.inputs:
        if given.required and given.name not in bindings:
            reason = f"{signature.reference} needs the input {given.name!r} ({type_text(given.annotation)})"
            faults.append(Fault(path, reason, mend=f"add `from: {{{given.name}: NODE}}`"))
    for name, sources in bindings.items():
        faults.extend(_type_faults(inputs[name], sources, returns, signature, f"{path}.from"))
    in_order = {name: bindings[name] for name in inputs if name in bindings}
    return Wiring(bindings=in_order), faults


def _several(sources: Sources) -> tuple[Source, ...]:
    return sources if isinstance(sources, tuple) else (sources,)


def _input_named(key: str, signature: Signature) -> Input | None:
    inputs = signature.inputs
    if key == "" or key.isdigit():
        position = int(key or 0)
        if position < len(inputs):
            return inputs[position]
        return inputs[-1] if inputs and inputs[-1].many else None
    return next((given for given in inputs if given.name == key), None)


def _no_input(key: str, sources: Sources, signature: Signature, path: str) -> Fault:
    names = [given.name for given in signature.inputs]
    if key in signature.settings:
        return Fault(
            f"{path}.from.{key}", f"{key!r} is a setting of {signature.reference}", key, "put it under `with:`"
        )
    if not names:
        return Fault(f"{path}.from", f"{signature.reference} takes no input", _text(sources), "drop `from:`")
    if key == "" or key.isdigit():
        count = "one input" if len(names) == 1 else f"{len(names)} inputs"
        return Fault(
            f"{path}.from", f"{signature.reference} takes {count}: {', '.join(names)}", _text(sources), "drop one"
        )
    return Fault(
        f"{path}.from.{key}", f"{signature.reference} has no input {key!r}", _text(sources), nearest(key, names)
    )


def _text(sources: Sources) -> str:
    return ", ".join(map(str, _several(sources)))


def _type_faults(
    wanted: Input, sources: Sources, returns: Mapping[str, object], signature: Signature, path: str
) -> list[Fault]:
    annotation = wanted.annotation
    for source in sources if isinstance(sources, tuple) else ():
        if source.across:
            reason = f"{source} gives a whole input by itself and cannot be one of several"
            return [Fault(path, reason, str(source), "give it an input of its own, annotated as Across[...]")]
    if isinstance(sources, tuple) and not wanted.many:
        element = element_type(annotation)
        if element is None:
            reason = f"{wanted.name!r} of {signature.reference} takes one {type_text(annotation)}, not a list of nodes"
            return [Fault(path, reason, _text(sources), "name one node, or annotate the input as a list")]
        annotation = element
    faults = []
    for source in _several(sources):
        fault = _type_fault(wanted, annotation, source, returns, signature, path)
        if fault is not None:
            faults.append(fault)
    return faults


def _type_fault(
    wanted: Input, annotation: object, source: Source, returns: Mapping[str, object], signature: Signature, path: str
) -> Fault | None:
    try:
        given = _given(source, returns)
    except NoSuchItem as error:
        known = nearest(source.item or "", error.known) if error.known else "its result has no items"
        return Fault(path, f"node {source.node!r} gives no item {source.item!r}", str(source), known)
    if given is None:
        return None
    across = typing.get_origin(plain(annotation)) is Across or plain(annotation) is Across
    if source.across and across:
        arguments = typing.get_args(plain(annotation))
        annotation = arguments[0] if arguments else object
    elif source.across and plain(annotation) not in (object, typing.Any):
        reason = f"{wanted.name!r} of {signature.reference} takes {type_text(annotation)}; node[*] gives all variants"
        return Fault(path, reason, str(source), f"annotate the input as Across[{type_text(annotation)}]")
    elif across:
        reason = f"{wanted.name!r} of {signature.reference} takes the results of all variants"
        return Fault(path, reason, str(source), f"write {source.node}[*]")
    if fits(given, annotation):
        return None
    reason = (
        f"{wanted.name!r} of {signature.reference} takes {type_text(annotation)}, but {source} gives {type_text(given)}"
    )
    return Fault(path, reason, str(source), "name another node or item, or change an annotation")


def _given(source: Source, returns: Mapping[str, object]) -> object | None:
    """The type of what a source gives; None where its step is not known."""
    if source.node == RECORDS:
        import pyarrow as pa

        table: object = pa.Table
        return table
    key = f"@{source.study}/{source.node}" if source.study else source.node
    if key not in returns:
        return None
    given = returns[key]
    return item_type(given, source.item) if source.item else given
