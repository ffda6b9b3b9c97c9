"""Planned nodes as bytes, for the jobs of a run: a message from the driver, like a call to a worker; never stored.

A node is written with references to the nodes that it reads and to its step, so a graph of any depth can be written and
what nodes share is written once.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from etude.errors import BackendError
from etude.graph.library import StepUse
from etude.graph.node import Node
from etude.graph.plan import topological_order
from etude.identity.code import SymbolMap

_FIELDS = tuple(each.name for each in fields(Node) if each.init)


def pack_nodes(targets: Iterable[Node]) -> bytes:
    """The targets and all that they read."""
    nodes = topological_order(targets)
    uses = {id(node.use): node.use for node in nodes if node.use is not None}
    steps = {str(number): (use.reference, use.symbols) for number, use in uses.items()}
    return pickle.dumps((steps, [(node.fingerprint, _packed(node)) for node in nodes]))


def unpack_nodes(data: bytes) -> dict[str, Node]:
    """The nodes by fingerprint.

    Raises:
        BackendError: They were written by an étude that makes other fingerprints of them.
    """
    steps: dict[str, tuple[str, SymbolMap]]
    steps, parts = pickle.loads(data)  # noqa: S301 - written by this run's own driver
    # A step's signature holds the function itself, so it is not written: whoever calls the step reads it anew.
    known: dict[str, object] = {
        number: StepUse(reference=reference, signature=None, symbols=symbols)  # type: ignore[arg-type]
        for number, (reference, symbols) in steps.items()
    }
    nodes: dict[str, Node] = {}
    for fingerprint, part in parts:
        node = Node(**_Unpickler(part, known).load())
        if node.fingerprint != fingerprint:
            raise BackendError(
                f"node {node.label()} has another fingerprint here than where it was planned: "
                "the two have different versions of étude"
            )
        known[fingerprint] = nodes[fingerprint] = node
    return nodes


def _packed(node: Node) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump({name: getattr(node, name) for name in _FIELDS})
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: object) -> str | None:
        if isinstance(value, Node):
            return value.fingerprint
        return str(id(value)) if isinstance(value, StepUse) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, known: dict[str, object]) -> None:
        super().__init__(io.BytesIO(data))
        self._known = known

    def persistent_load(self, key: str) -> Any:
        return self._known[key]
