"""The plan as a picture: a box for each node as written, an arrow for what reads what, in layers from left to right.

Pure and deterministic. Source: Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System
Structures, 1981; layers by the longest path, orders by barycentres, long edges through a place of their own in each
layer between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from etude.report.charts.chart_names import one_line
from etude.report.page.markup import Markup, tag

if TYPE_CHECKING:
    from etude.report.page.findings import NodeBox

LETTER = 8.2
"""Mean width of a letter at the size of the picture's text, in its units, of the widest font that is asked for."""
WIDE_FROM = 600.0
"""Pictures wider than this are not made as small as a narrow page would have them."""
WIDE, HIGH = 156.0, 52.0
ACROSS, DOWN = 206.0, 74.0
EDGE = 14.0
SWEEPS = 8

Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLayout:
    """Places in units of one layer across and one row down."""

    nodes: Mapping[str, Place]
    edges: tuple[tuple[str, str, tuple[Place, ...]], ...]
    """From, to, and the places that the edge runs through, both ends among them."""
    layers: int
    rows: float


def layers_of(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> GraphLayout:
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
    return GraphLayout(
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


def picture_of_graph(boxes: Sequence[NodeBox], edges: Sequence[tuple[str, str]], prefix: str) -> Markup:
    """Left to right in layers."""
    layout = layers_of([box.name for box in boxes], edges)
    arrow = tag(
        "marker",
        tag("path", d="M0 0L8 4L0 8z", class_="head"),
        id=f"{prefix}-arrow",
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=8,
        markerHeight=8,
        orient="auto-start-reverse",
    )
    paths = [
        tag("path", d=_path(places), class_="edge", marker_end=f"url(#{prefix}-arrow)") for _, _, places in layout.edges
    ]
    reads: dict[str, list[str]] = {}
    for source, target in edges:
        reads.setdefault(target, []).append(source)
    nodes = [_box(box, layout.nodes[box.name], reads.get(box.name, [])) for box in boxes]
    width = 2 * EDGE + max(0, layout.layers - 1) * ACROSS + WIDE
    height = 2 * EDGE + max(0.0, layout.rows - 1) * DOWN + HIGH
    name = "the study's nodes and what they read"
    svg = tag(
        "svg",
        tag("defs", arrow),
        *paths,
        *nodes,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        class_="wide" if width > WIDE_FROM else None,
        role="group",
        aria_label=name,
    )
    return tag("div", svg, class_="scroll", tabindex=0, role="group", aria_label=f"{name}, scrolls")


def _corner(place: Place) -> Place:
    return EDGE + place[0] * ACROSS, EDGE + place[1] * DOWN


def _box(box: NodeBox, place: Place, reads: Sequence[str]) -> Markup:
    x, y = _corner(place)
    some = f"{box.results} results" if box.results > 1 else "1 result"
    stored = some if box.stored == box.results else f"{box.stored} of {some} stored"
    tip = f"{box.name}: {box.step}, {stored}" + (f"; reads {', '.join(reads)}" if reads else "")
    kind = box.kind.replace(" ", "-") + ("" if box.stored == box.results else " missing")
    return tag(
        "g",
        tag("rect", x=x, y=y, width=WIDE, height=HIGH, rx=7),
        _words(x + WIDE / 2, y + 22, box.name, 0.85 * (WIDE - 12), "name"),
        _words(x + WIDE / 2, y + 40, stored, WIDE - 12, "faint"),
        class_=f"mark box {kind}",
        tabindex=0,
        role="img",
        aria_label=tip,
        data_tip=tip,
    )


def _words(x: float, y: float, text: str, width: float, css: str) -> Markup:
    """A text in the middle of a place, cut to its width."""
    return tag("text", one_line(text, max(4, int(width / LETTER))), x=x, y=y, text_anchor="middle", class_=css)


def _path(places: Sequence[Place]) -> str:
    """A smooth line from the right side of the first box, level through the places between, to the last."""
    corners = [_corner(place) for place in places]
    x, y = corners[0][0] + WIDE, corners[0][1] + HIGH / 2
    path = f"M{x:.1f} {y:.1f}"
    for index, (left, top) in enumerate(corners[1:], 1):
        middle = top + HIGH / 2
        bend = (left - x) / 2
        path += f"C{x + bend:.1f} {y:.1f} {left - bend:.1f} {middle:.1f} {left:.1f} {middle:.1f}"
        x, y = left, middle
        if index < len(corners) - 1:
            x = left + WIDE
            path += f"H{x:.1f}"
    return path
