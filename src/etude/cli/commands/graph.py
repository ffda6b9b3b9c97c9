"""`etude graph`: a study's nodes and what reads what, by state and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from etude.cli.arguments import AsJson, Only, Profile, Quick, Set, StudyFile, Until, assignments
from etude.cli.console import escape, out
from etude.cli.study_file import prepare_file, profile_name
from etude.digits import number_text
from etude.graph.node import Node
from etude.graph.plan import State
from etude.interchange import json_text
from etude.report.charts.chart_names import one_line
from etude.report.page.markup import Markup, tag
from etude.report.page.plan_graph import ACROSS, DOWN, EDGE, HIGH, WIDE, Place, layers_of
from etude.report.tables.table_files import write_text
from etude.store.files.manifest import Manifest
from etude.study.prepare import Options, PreparedStudy
from etude.units import readable_seconds

EXAMPLES = """
[bold]Examples[/]

  etude graph study.yaml

  etude graph study.yaml --svg pipeline.svg

  etude graph study.yaml --until model --json
"""
LETTERS = 22
"""Of a line in a box of the picture."""
STYLES = {"failed": "red", "to run": "yellow", "cached": "green", "not needed": "dim"}
FILLS = {
    "failed": ("#fde0de", "#b3261e"),
    "to run": ("#fff3cd", "#8a6100"),
    "cached": ("#d9f2e3", "#1b6e42"),
    "not needed": ("#eeeeee", "#707070"),
}
"""State → colour of a box, and of its edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """A node as written: all its results together."""

    name: str
    step: str
    results: int
    states: Mapping[str, int]
    """How many of its results are in each state: `cached`, `to run`, `failed` (to run again) or `not needed`."""
    wall_s: float | None
    """Of the stored results, all together; None where none was measured."""
    energy_j: float | None

    @property
    def state(self) -> str:
        """The state that asks most for attention."""
        return next(state for state in STYLES if self.states.get(state))

    @property
    def state_text(self) -> str:
        """`12 cached, 3 to run`."""
        return ", ".join(f"{self.states[state]} {state}" for state in reversed(STYLES) if self.states.get(state))

    @property
    def cost_text(self) -> str:
        """What the stored results took; empty where that was not measured."""
        energy = "" if self.energy_j is None or self.energy_j < 1 else f", {number_text(self.energy_j, digits=2)} J"
        return "" if self.wall_s is None else f"{readable_seconds(self.wall_s)}{energy}"


Edges = Sequence[tuple[str, str]]
"""From, to: what is read, and what reads it."""


def graph(
    study: StudyFile,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into an SVG file.")] = None,
    until: Until = None,
    only: Only = None,
    overrides: Set = None,
    profile: Profile = None,
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    options = Options(until=tuple(until or ()), only=assignments(only, "--only-variant"))
    prepared = prepare_file(study, overrides, profile_name(profile, quick=quick), options)
    nodes, edges = graph_of(prepared)
    if svg is not None:
        svg.parent.mkdir(parents=True, exist_ok=True)
        write_text(svg, svg_text(prepared.study.name, nodes, edges))
        out().print(escape(svg), soft_wrap=True)
    elif as_json:
        out().print_json(json_text({"nodes": [_fields(node) for node in nodes], "edges": [*map(list, edges)]}))
    else:
        _print_graph(nodes, edges)


def graph_of(prepared: PreparedStudy) -> tuple[list[GraphNode], Edges]:
    """The nodes as written, each after what it reads, and what reads what."""
    by_name: dict[str, dict[str, Node]] = {}
    for action in prepared.plan.actions:
        by_name.setdefault(action.node.title, {})[action.node.fingerprint] = action.node
    edges: dict[tuple[str, str], None] = {}
    for name, nodes in by_name.items():
        for node in nodes.values():
            for other in node.upstream():
                if other.title in by_name and (node.use is not None or other.metrics):  # the records read everything
                    edges[other.title, name] = None
    return [_graph_node(prepared, name, [*nodes.values()]) for name, nodes in by_name.items()], [*edges]


def _graph_node(prepared: PreparedStudy, name: str, nodes: Sequence[Node]) -> GraphNode:
    states: dict[str, int] = {}
    costs: dict[str, list[float]] = {"wall_s": [], "energy_j": []}
    for node in nodes:
        action = prepared.plan.by_fingerprint[node.fingerprint]
        state = {State.CACHED: "cached", State.RUN: "to run", State.UNNEEDED: "not needed"}[action.state]
        if action.state is State.RUN and prepared.store.failure(node.fingerprint) is not None:
            state = "failed"
        states[state] = states.get(state, 0) + 1
        for quantity, values in costs.items():
            cost = action.manifest.cost.get(quantity) if isinstance(action.manifest, Manifest) else None
            values += [cost] if isinstance(cost, (int, float)) else []
    sums = {quantity: sum(values) if values else None for quantity, values in costs.items()}
    return GraphNode(
        name=name,
        step=nodes[0].step,
        results=len(nodes),
        states=states,
        wall_s=sums["wall_s"],
        energy_j=sums["energy_j"],
    )


def _fields(node: GraphNode) -> dict[str, object]:
    return {
        "node": node.name,
        "step": node.step,
        "results": node.results,
        "states": {state.replace(" ", "_"): count for state, count in node.states.items()},
        "wall_s": node.wall_s,
        "energy_j": node.energy_j,
    }


def _print_graph(nodes: Sequence[GraphNode], edges: Edges) -> None:
    lanes = lane_lines([node.name for node in nodes], edges)
    name_pad = max(len(lane) + len(node.name) for lane, node in zip(lanes, nodes, strict=True))
    state_pad = max(len(node.state_text) for node in nodes)
    for lane, node in zip(lanes, nodes, strict=True):
        style = STYLES[node.state]
        name = f"{node.name:<{name_pad - len(lane)}}"
        line = Text.assemble(
            (lane, "dim"), " ", (name, f"bold {style}"), "  ", (f"{node.state_text:<{state_pad}}", style)
        )
        line.append(f"  {node.cost_text}" if node.cost_text else "", "dim")
        line.rstrip()
        out().print(line, soft_wrap=True)


def lane_lines(names: Sequence[str], edges: Edges) -> list[str]:
    """The arrows between nodes as one line for each node, all of one width, as histories of versions are drawn.

    Args:
        names: The nodes, each after what it reads.
        edges: From, to.
    """
    readers = {name: {target for source, target in edges if source == name} for name in names}
    lanes: list[str | None] = []
    lines = []
    for name in names:
        read = [place for place, source in enumerate(lanes) if source is not None and name in readers[source]]
        for place in read:
            readers[str(lanes[place])].discard(name)
        ended = [place for place in read if not readers[str(lanes[place])]]
        free = [place for place, source in enumerate(lanes) if source is None]
        own = min([*ended, *free], default=len(lanes))
        lines.append(_lane_line(lanes, own, read, ended))
        lanes += [None] * (own + 1 - len(lanes))
        for place in ended:
            lanes[place] = None
        lanes[own] = name if readers[name] else None
    width = max(map(len, lines), default=0)
    return [line.ljust(width) for line in lines]


def _lane_line(lanes: Sequence[str | None], own: int, read: Sequence[int], ended: Sequence[int]) -> str:
    first, last = min([own, *read]), max([own, *read])
    marks = []
    for place in range(max(len(lanes), own + 1)):
        left, right = first < place <= last, first <= place < last
        if place == own:
            mark = "●"
        elif place in read:
            shapes = {(False, True): "├└", (True, False): "┤┘", (True, True): "┼┴"}[left, right]
            mark = shapes[place in ended]
        elif place < len(lanes) and lanes[place] is not None:
            mark = "│"
        else:
            mark = "─" if left and right else " "
        marks.append(mark + ("─" if right else " "))
    return "".join(marks).rstrip()


def svg_text(title: str, nodes: Sequence[GraphNode], edges: Edges) -> str:
    """The graph as an SVG file of its own, from left to right in layers."""
    layout = layers_of([node.name for node in nodes], edges)
    width = 2 * EDGE + max(0, layout.layers - 1) * ACROSS + WIDE
    height = 2 * EDGE + max(0.0, layout.rows - 1) * DOWN + HIGH
    head = tag("path", d="M0 0L8 4L0 8z", fill="#707070")
    arrow = tag(
        "marker", head, id="arrow", viewBox="0 0 8 8", refX=7, refY=4, markerWidth=8, markerHeight=8, orient="auto"
    )
    lines = [
        tag("path", d=_line(places), fill="none", stroke="#707070", marker_end="url(#arrow)")
        for _, _, places in layout.edges
    ]
    boxes = [_box(node, layout.nodes[node.name]) for node in nodes]
    return tag(
        "svg",
        tag("title", f"{title}: nodes and what they read"),
        tag("defs", arrow),
        tag("rect", width="100%", height="100%", fill="white"),
        *lines,
        *boxes,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=round(width),
        height=round(height),
        font_family="sans-serif",
        font_size=12,
        text_anchor="middle",
    )


def _box(node: GraphNode, place: Place) -> Markup:
    x, y = EDGE + place[0] * ACROSS, EDGE + place[1] * DOWN
    fill, stroke = FILLS[node.state]
    texts = (node.name, node.state_text, node.cost_text)
    heights = (17, 32, 45) if node.cost_text else (22, 39, 39)
    tip = ", ".join(filter(None, (f"{node.name}: {node.step}", *texts[1:])))
    return tag(
        "g",
        tag("title", tip),
        tag("rect", x=x, y=y, width=WIDE, height=HIGH, rx=7, fill=fill, stroke=stroke),
        *_texts(texts, x + WIDE / 2, y, heights, stroke),
    )


def _texts(texts: Sequence[str], x: float, y: float, heights: Sequence[int], colour: str) -> Iterator[Markup]:
    for index, (text, height) in enumerate(zip(texts, heights, strict=True)):
        if text:
            weight = {"font_weight": "bold"} if not index else {"fill": colour, "font_size": 11}
            yield tag("text", one_line(text, LETTERS), x=x, y=y + height, **weight)


def _line(places: Sequence[Place]) -> str:
    """A smooth line from the right side of the first box, level through the places between, to the last."""
    corners = [(EDGE + layer * ACROSS, EDGE + row * DOWN + HIGH / 2) for layer, row in places]
    x, y = corners[0][0] + WIDE, corners[0][1]
    path = f"M{x:.1f} {y:.1f}"
    for left, middle in corners[1:]:
        bend = (left - x) / 2
        path += f"C{x + bend:.1f} {y:.1f} {left - bend:.1f} {middle:.1f} {left:.1f} {middle:.1f}H{left + WIDE:.1f}"
        x, y = left + WIDE, middle
    return path[: path.rindex("H")]
