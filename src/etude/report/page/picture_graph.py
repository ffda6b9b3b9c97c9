"""The plan as a picture: a box for each node as written, an arrow for what reads what."""

from __future__ import annotations

from collections.abc import Sequence

from etude.report.page.canvas import cut, mark, picture, words
from etude.report.page.findings import NodeBox
from etude.report.page.graph_layout import Place, layered
from etude.report.page.markup import Markup, tag

WIDE, HIGH = 156.0, 52.0
ACROSS, DOWN = 206.0, 74.0
EDGE = 14.0


def picture_of_graph(boxes: Sequence[NodeBox], edges: Sequence[tuple[str, str]], prefix: str) -> Markup:
    """Left to right in layers."""
    drawn = layered([box.name for box in boxes], edges)
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
        tag("path", d=_path(places), class_="edge", marker_end=f"url(#{prefix}-arrow)") for _, _, places in drawn.edges
    ]
    reads: dict[str, list[str]] = {}
    for source, target in edges:
        reads.setdefault(target, []).append(source)
    nodes = [_box(box, drawn.nodes[box.name], reads.get(box.name, [])) for box in boxes]
    width = 2 * EDGE + max(0, drawn.layers - 1) * ACROSS + WIDE
    height = 2 * EDGE + max(0.0, drawn.rows - 1) * DOWN + HIGH
    return picture(width, height, "the study's nodes and what they read", tag("defs", arrow), *paths, *nodes)


def _corner(place: Place) -> Place:
    return EDGE + place[0] * ACROSS, EDGE + place[1] * DOWN


def _box(box: NodeBox, place: Place, reads: Sequence[str]) -> Markup:
    x, y = _corner(place)
    some = f"{box.results} results" if box.results > 1 else "1 result"
    stored = some if box.stored == box.results else f"{box.stored} of {some} stored"
    tip = f"{box.name}: {box.step}, {stored}" + (f"; reads {', '.join(reads)}" if reads else "")
    kind = box.kind.replace(" ", "-") + ("" if box.stored == box.results else " missing")
    return mark(
        tip,
        tag("rect", x=x, y=y, width=WIDE, height=HIGH, rx=7),
        words(x + WIDE / 2, y + 22, cut(box.name, 0.85 * (WIDE - 12)), anchor="middle", css="name"),
        words(x + WIDE / 2, y + 40, cut(stored, WIDE - 12), anchor="middle", css="faint"),
        css=f"mark box {kind}",
    )


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
