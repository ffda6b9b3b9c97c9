"""Which class was taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MOST_CLASSES = 24
OTHERS = "all others"


class Confusion(NamedTuple):
    """How often each class was predicted for each true one."""

    node: str
    name: str
    """The group."""
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """By true class, then by predicted one."""
    replicates: int

    @property
    def examples(self) -> int:
        """Predictions counted, those of all replicates together."""
        return sum(map(sum, self.counts))

    @property
    def caption(self) -> str:
        """What the numbers mean."""
        over = f"sum over {self.replicates} replicates" if self.replicates > 1 else "one replicate"
        return f"rows: true class, columns: predicted class; counts, {over}, n = {self.examples}"

    def worst(self, most: int = 10) -> tuple[tuple[str, str, int], ...]:
        """The commonest mistakes: true class, predicted class, count."""
        wrong = [
            (self.labels[true], self.labels[said], count)
            for true, row in enumerate(self.counts)
            for said, count in enumerate(row)
            if true != said and count
        ]
        return tuple(sorted(wrong, key=lambda one: (-one[2], one[0], one[1]))[:most])


def confusion(node: str, name: str, replicates: Sequence[Iterable[tuple[str, str]]]) -> Confusion:
    """Count pairs of true and predicted class over all replicates; classes in the order of their names."""
    counts = Counter(pair for pairs in replicates for pair in pairs)
    labels = tuple(sorted({label for pair in counts for label in pair}))
    table = tuple(tuple(counts[true, said] for said in labels) for true in labels)
    return Confusion(node, name, labels, table, len(replicates))


def folded(found: Confusion, most: int = MOST_CLASSES) -> Confusion:
    """The same with the classes that are seldom mistaken put together, so that no more than `most` are left."""
    if len(found.labels) <= most:
        return found
    size = range(len(found.labels))
    wrong = [sum(found.counts[i]) + sum(found.counts[j][i] for j in size) - 2 * found.counts[i][i] for i in size]
    kept = sorted(sorted(size, key=lambda index: (-wrong[index], index))[: most - 1])
    place = {index: at for at, index in enumerate(kept)}
    table = [[0] * most for _ in range(most)]
    for true in size:
        for said in size:
            table[place.get(true, most - 1)][place.get(said, most - 1)] += found.counts[true][said]
    rest = f"{OTHERS} ({len(found.labels) - len(kept)})"
    return found._replace(labels=(*(found.labels[i] for i in kept), rest), counts=tuple(map(tuple, table)))
