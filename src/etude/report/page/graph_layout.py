"""A graph in layers, from left to right: where each node stands and where each edge runs. Pure and deterministic.

Source: Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System Structures, 1981; layers by
the longest path, orders by barycentres, long edges through a place of their own in each layer between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 8

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Places in units of one layer across and one row down."""

    nodes: Mapping[str, Place]
    edges: tuple[tuple[str, str, tuple[Place, ...]], ...]
    """From, to, and the places that the edge runs through, both ends among them."""
    layers: int
    rows: float


def layered(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Drawn:
    """Lay a graph out.

    Args:
        nodes: Names, in the order in which equals are to stand.
        edges: From, to; no circles, both ends among the nodes.
    """
    depth = _depths(nodes, edges)
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in nodes:
        columns[depth[name]].append(name)
    chains = {edge: _chain(edge, depth, columns) for edge in dict.fromkeys(edges)}
    links = [pair for chain in chains.values() for pair in pairwise(chain)]
    _order(columns, links)
    rows = max(map(len, columns), default=0)
    places = {
        name: (float(layer), row + (rows - len(column)) / 2)
        for layer, column in enumerate(columns)
        for row, name in enumerate(column)
    }
    return Drawn(
        nodes={name: places[name] for name in nodes},
        edges=tuple((*edge, tuple(places[name] for name in chain)) for edge, chain in chains.items()),
        layers=len(columns),
        rows=float(rows),
    )


def _depths(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest path that leads to each node."""
    readers: dict[str, list[str]] = {name: [] for name in nodes}
    waiting = dict.fromkeys(nodes, 0)
    for source, target in dict.fromkeys(edges):
        readers[source].append(target)
        waiting[target] += 1
    depth = dict.fromkeys(nodes, 0)
    ready = [name for name in nodes if not waiting[name]]
    for name in ready:
        for reader in readers[name]:
            depth[reader] = max(depth[reader], depth[name] + 1)
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    assert len(ready) == len(nodes), "a graph with a circle has no layers"
    return depth


def _chain(edge: tuple[str, str], depth: Mapping[str, int], columns: list[list[str]]) -> list[str]:
    """The edge's ends with a place of its own in each layer between them."""
    source, target = edge
    between = []
    for layer in range(depth[source] + 1, depth[target]):
        name = f"\0{source}\0{target}\0{layer}"
        columns[layer].append(name)
        between.append(name)
    return [source, *between, target]


def _order(columns: list[list[str]], links: Sequence[tuple[str, str]]) -> None:
    """Sort each layer by the mean place of what it is linked with, to and fro; keep the order with fewest crossings."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for source, target in links:
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    best = [list(column) for column in columns]
    fewest = crossings(best, links)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        linked = before if forward else after
        for column in columns if forward else reversed(columns):
            at = {name: index - len(other) / 2 for other in columns for index, name in enumerate(other)}
            mean = {
                name: sum(at[other] for other in linked[name]) / len(linked[name]) if linked.get(name) else at[name]
                for name in column
            }
            column.sort(key=lambda name: mean[name])
        found = crossings(columns, links)
        if found < fewest:
            best, fewest = [list(column) for column in columns], found
    columns[:] = best


def crossings(columns: Sequence[Sequence[str]], links: Sequence[tuple[str, str]]) -> int:
    """How many pairs of links between neighbouring layers cross."""
    at = {name: (layer, row) for layer, column in enumerate(columns) for row, name in enumerate(column)}
    count = 0
    for layer in range(len(columns) - 1):
        spans = [(at[one][1], at[other][1]) for one, other in links if at[one][0] == layer]
        count += sum((a - c) * (b - d) < 0 for place, (a, b) in enumerate(spans) for c, d in spans[place + 1 :])
    return count
