"""Which class was taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from etude.report.charts.chart_names import file_stem, one_line
from etude.report.charts.palette import SHARES, ink_on, shade
from etude.report.charts.plot import Box, Boxes, Key, Panel, Plot, PlotTable, Scale, Words, name_ticks

MOST_CLASSES = 24
MOST_WRITTEN = 16
"""Classes up to which counts are written into the cells."""
MOST_MISTAKES = 10
OTHERS = "all others"
LETTER_IN = 0.069
"""Width of a letter beside the matrix, in inches."""


class Confusion(NamedTuple):
    """How often each class was predicted for each true one."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """By true class, then by predicted one."""

    def worst(self, most: int = MOST_MISTAKES) -> tuple[tuple[str, str, int], ...]:
        """The commonest mistakes: true class, predicted class, count."""
        wrong = [
            (self.labels[true], self.labels[predicted], count)
            for true, row in enumerate(self.counts)
            for predicted, count in enumerate(row)
            if true != predicted and count
        ]
        return tuple(sorted(wrong, key=lambda one: (-one[2], one[0], one[1]))[:most])


def confusion(replicates: Sequence[Iterable[tuple[str, str]]]) -> Confusion:
    """Count pairs of true and predicted class over all replicates; classes in the order of their names."""
    counts = Counter(pair for pairs in replicates for pair in pairs)
    labels = tuple(sorted({label for pair in counts for label in pair}))
    return Confusion(labels, tuple(tuple(counts[true, predicted] for predicted in labels) for true in labels))


def fold(matrix: Confusion, most: int = MOST_CLASSES) -> Confusion:
    """The same with the classes that are seldom mistaken put together, so that no more than `most` are left."""
    if len(matrix.labels) <= most:
        return matrix
    size, counts = range(len(matrix.labels)), matrix.counts
    wrong = [sum(counts[i]) + sum(counts[j][i] for j in size) - 2 * counts[i][i] for i in size]
    apart = sorted(sorted(size, key=lambda index: (-wrong[index], index))[: most - 1])
    place = {index: at for at, index in enumerate(apart)}
    table = [[0] * most for _ in range(most)]
    for true in size:
        for predicted in size:
            table[place.get(true, most - 1)][place.get(predicted, most - 1)] += counts[true][predicted]
    rest = f"{OTHERS} ({len(matrix.labels) - len(apart)})"
    return Confusion((*(matrix.labels[i] for i in apart), rest), tuple(map(tuple, table)))


def confusion_chart(node: str, group: str, replicates: Sequence[Iterable[tuple[str, str]]]) -> Plot:
    """Shades are the shares of each true class; counts are written where there is room.

    Args:
        node: The node that predicted.
        group: Whose predictions these are.
        replicates: For each replicate, pairs of true and predicted class.
    """
    whole = confusion(replicates)
    matrix = fold(whole)
    size = len(matrix.labels)
    boxes, words = [], []
    for true, row in enumerate(matrix.counts):
        for predicted, count in enumerate(row):
            share = count / sum(row) if any(row) else 0.0
            tip = (
                f"true {matrix.labels[true]}, predicted {matrix.labels[predicted]}: {count} "
                f"({share:.0%} of the true class)"
            )
            edges = predicted - 0.5, predicted + 0.5, true - 0.5, true + 0.5
            boxes.append(Box(*edges, tip, shade(share, SHARES)))
            if size <= MOST_WRITTEN:
                words.append(Words(float(predicted), float(true), str(count), "middle", ink=ink_on(share)))
    names = name_ticks(one_line(label, 24) for label in matrix.labels)
    side = Scale(-0.5, max(1, size) - 0.5, "predicted class", marks=names, turned=True)
    up = Scale(side.high, side.low, "true class", marks=names)
    panel = Panel(side, up, (Boxes(tuple(boxes), SHARES[0], apart=True), *words), one_line(group), "", True)
    over = f"sum over {len(replicates)} replicates" if len(replicates) > 1 else "one replicate"
    caption = f"rows: true class, columns: predicted class; counts, {over}, n = {sum(map(sum, whole.counts))}"
    letters_in = LETTER_IN * max((len(text) for _, text in names), default=0)
    long = max(1, size) * (0.34 if size <= 10 else 0.27 if size <= MOST_WRITTEN else 0.2)
    mistakes = tuple((true, predicted, str(count)) for true, predicted, count in whole.worst())
    heads = ("true class", "predicted class", "count")
    return Plot(
        name=file_stem(f"{node}_confusion_{group}"),
        title=f"{group} ({node})",
        caption=caption,
        panels=(panel,),
        height=long + 0.7 * letters_in + 0.7,
        width=max(4.2, long + letters_in + 1.7),
        key=Key("share of the true class", "0", "1", SHARES),
        table=PlotTable(f"Commonest mistakes, {group}", heads, mistakes) if mistakes else None,
    )
