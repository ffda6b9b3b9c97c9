"""A confusion matrix, inline."""

from __future__ import annotations

from etude.report.charts.confusion import Confusion, folded
from etude.report.charts.palette import ink_on, shade
from etude.report.page.canvas import cut, picture, width_of, words
from etude.report.page.markup import Markup, tag

MOST_WRITTEN = 16


def picture_of_confusion(chart: Confusion) -> Markup:
    """Shades are the shares of each true class; counts are written where there is room."""
    shown = folded(chart)
    size = len(shown.labels)
    cell = 40.0 if size <= 10 else 30.0 if size <= MOST_WRITTEN else 20.0
    left = 46 + min(190.0, max(map(width_of, shown.labels), default=0.0))
    top, side = 14.0, size * cell
    foot = 46 + 0.72 * min(190.0, max(map(width_of, shown.labels), default=0.0))
    drawn: list[Markup] = []
    for true, row in enumerate(shown.counts):
        y, total = top + true * cell, sum(row)
        drawn.append(words(left - 8, y + cell / 2 + 4, cut(shown.labels[true], left - 40), anchor="end"))
        for said, count in enumerate(row):
            share = count / total if total else 0.0
            tip = f"true {shown.labels[true]}, predicted {shown.labels[said]}: {count} ({share:.0%} of the true class)"
            written = size <= MOST_WRITTEN
            drawn.append(_cell(left + said * cell, y, cell, share, str(count) if written else "", tip))
    for said, label in enumerate(shown.labels):
        place = f"translate({left + (said + 0.6) * cell:.1f} {top + side + 14:.1f}) rotate(-40)"
        drawn.append(words(0, 0, cut(label, 190), anchor="end", transform=place))
    middle = f"translate(16 {top + side / 2:.1f}) rotate(-90)"
    drawn.append(words(0, 0, "true class", anchor="middle", css="axis", transform=middle))
    drawn.append(words(left + side / 2, top + side + foot, "predicted class", anchor="middle", css="axis"))
    name = f"confusion matrix of {chart.name}, {size} classes"
    return picture(left + side + 24, top + side + foot + 14, name, *drawn, interactive=False)


def _cell(x: float, y: float, size: float, share: float, text: str, tip: str) -> Markup:
    box = tag("rect", x=x, y=y, width=size - 1, height=size - 1, fill=shade(share))
    middle = x + size / 2 - 0.5, y + size / 2 + 4
    number = words(*middle, text, anchor="middle", style=f"fill:{ink_on(share)}") if text else None
    return tag("g", box, number, data_tip=tip)
