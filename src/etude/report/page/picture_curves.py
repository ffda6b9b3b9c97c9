"""Learning curves, inline."""

from __future__ import annotations

from collections.abc import Sequence

from etude.digits import number_text
from etude.report.charts.curves import Curve, Curves
from etude.report.charts.palette import colour
from etude.report.page.canvas import Axis, axis, bottom_axis, left_axis, mark, picture
from etude.report.page.markup import Markup, joined, tag

WIDTH, HEIGHT = 860.0, 400.0
LEFT, TOP, BOTTOM = 78.0, 18.0, 344.0
MOST_DOTS = 24
SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0",
    "M-5 -5h10v10h-10z",
    "M0 -6l6 11h-12z",
    "M0 -6l6 6l-6 6l-6 -6z",
    "M0 6l6 -11h-12z",
    "M-5 -2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
    "M-5 -5l10 10M-5 5l10 -10M-5 -5z",
    "M0 -6l2 4h4l-3 3l1 5l-4 -3l-4 3l1 -5l-3 -3h4z",
)


def picture_of_curves(chart: Curves) -> Markup:
    """A thick line for each group's mean, a thin one for each replicate; the legend's buttons hide and show them."""
    points = [point for curve in chart.curves for run in (curve.mean, *curve.runs) for point in run]
    along = axis([x for x, _ in points], LEFT, WIDTH - 30)
    up = axis([y for _, y in points], BOTTOM, TOP)
    drawn = picture(
        WIDTH,
        HEIGHT,
        f"{chart.y_label} over {chart.x_label}",
        bottom_axis(along, TOP, BOTTOM, chart.x_label),
        left_axis(up, LEFT, WIDTH - 30, chart.y_label),
        *(_curve(curve, index, chart, along, up) for index, curve in enumerate(chart.curves)),
    )
    return joined(_legend(chart) if len(chart.curves) > 1 else None, drawn)


def _curve(curve: Curve, index: int, chart: Curves, along: Axis, up: Axis) -> Markup:
    ink, count = colour(index), f", n = {len(curve.runs)}"
    every = max(1, -(-len(curve.mean) // MOST_DOTS))
    dots = [
        mark(
            f"{curve.name}: {chart.y_label} {number_text(y)} at {chart.x_label} {number_text(x)}{count}",
            tag(
                "path",
                d=SHAPES[index % len(SHAPES)],
                transform=f"translate({along.at(x):.1f} {up.at(y):.1f})",
                fill=ink,
                stroke=ink,
            ),
        )
        for x, y in curve.mean[::every]
    ]
    thin = [_path(run, along, up, ink, 1.0, 0.5) for run in curve.runs] if len(curve.runs) > 1 else []
    return tag("g", *thin, _path(curve.mean, along, up, ink, 2.4, 1.0), *dots, class_="series", data_series=index)


def _path(
    points: Sequence[tuple[float, float]], along: Axis, up: Axis, ink: str, width: float, opacity: float
) -> Markup | None:
    if not points:
        return None
    through = "L".join(f"{along.at(x):.1f} {up.at(y):.1f}" for x, y in points)
    return tag("path", d=f"M{through}", fill="none", stroke=ink, stroke_width=width, stroke_opacity=opacity)


def _legend(chart: Curves) -> Markup:
    def button(index: int, name: str) -> Markup:
        sample = tag(
            "svg",
            tag("path", d="M0 0h26", transform="translate(0 7)", stroke=colour(index), stroke_width=2.4),
            tag(
                "path",
                d=SHAPES[index % len(SHAPES)],
                transform="translate(13 7)",
                fill=colour(index),
                stroke=colour(index),
            ),
            width=26,
            height=14,
            aria_hidden="true",
        )
        return tag("button", sample, name, type="button", class_="legend", aria_pressed="true", data_series=index)

    buttons = [button(index, curve.name) for index, curve in enumerate(chart.curves)]
    return tag("div", *buttons, class_="legends", role="group", aria_label="Groups shown")
