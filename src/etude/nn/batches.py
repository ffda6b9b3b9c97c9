"""Batches under a token budget: sequences of like length together, so that little of a batch is padding.

Lengths are rounded up to a ceiling, by less than an eighth. Examples under one ceiling are interchangeable: an
epoch shuffles them among their places, and shuffles the batches. The sizes of the batches follow from the lengths
alone, so each epoch has the same number of steps, and a plan is a pure function of lengths, seed and epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Lengths: TypeAlias = npt.NDArray[np.int64]
Batch = TypeVar("Batch")


def shuffled_plan(
    lengths: Sequence[int] | Lengths, *, tokens: int, examples: int | None = None, seed: int, epoch: int
) -> list[list[int]]:
    """The batches of one epoch of training, as indices of examples; each example stands in exactly one.

    Args:
        lengths: Tokens of each example, all at least 1.
        tokens: The most tokens of a batch with its padding. An example longer than that is a batch of its own.
        examples: The most examples of a batch; None for as many as the tokens allow.
        seed: Decides, with the epoch, who stands with whom and in which order the batches come.
        epoch: From 0.
    """
    ceilings = rounded_up(lengths)
    random = np.random.default_rng([seed, epoch])
    order = np.lexsort((random.random(len(ceilings)), ceilings))
    batches = _cut(order, ceilings, tokens, examples)
    return [batches[index] for index in random.permutation(len(batches))]


def sorted_plan(lengths: Sequence[int] | Lengths, *, tokens: int, examples: int | None = None) -> list[list[int]]:
    """The batches of one pass without training, longest first, so that want of memory shows at once."""
    exact = np.asarray(lengths, dtype=np.int64)
    return _cut(np.argsort(exact, kind="stable"), exact, tokens, examples)[::-1]


def rounded_up(lengths: Sequence[int] | Lengths) -> Lengths:
    """The ceiling of each length: itself up to 16, then the next multiple of an eighth of the power of two below it."""
    exact = np.asarray(lengths, dtype=np.int64)
    step = np.maximum(1, 2 ** np.floor(np.log2(np.maximum(exact - 1, 1))).astype(np.int64) // 8)
    return -(-exact // step) * step


def padding_ratio(lengths: Sequence[int] | Lengths, batches: Sequence[Sequence[int]]) -> float:
    """Tokens with padding per token without, at least 1."""
    exact = np.asarray(lengths, dtype=np.int64)
    return float(sum(exact[batch].max() * len(batch) for batch in map(list, batches)) / exact.sum())


def _cut(order: npt.NDArray[np.int64], sizes: Lengths, tokens: int, examples: int | None) -> list[list[int]]:
    """Cut an order of ascending sizes into batches, as full as the budget allows."""
    batches: list[list[int]] = []
    room = 0
    for index in order.tolist():
        if not batches or len(batches[-1]) >= room or (len(batches[-1]) + 1) * int(sizes[index]) > tokens:
            batches.append([])
            room = examples if examples is not None else len(order)
        batches[-1].append(index)
    return batches


class Batches(Generic[Batch]):
    """The batches of an epoch, made when asked for; it knows its place, so that a resumed run goes on mid-epoch.

    It is an iterable with a length, which is all that a trainer needs; `set_epoch`, `state_dict` and
    `load_state_dict` are the names by which trainers know a loader that can be set to an epoch and resumed.
    """

    def __init__(
        self, plan: Callable[[int], Sequence[Sequence[int]]], collate: Callable[[Sequence[int]], Batch]
    ) -> None:
        """The plan gives the batches of an epoch, the same number in each; `collate` makes a batch of its indices."""
        self._plan = plan
        self._collate = collate
        self._length = len(plan(0))
        self._epoch = 0
        self._given = 0
        self._first = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        batches = self._plan(self._epoch)
        first, self._first = self._first, 0
        for index in range(first, len(batches)):
            self._given = index + 1
            yield self._collate(batches[index])

    def set_epoch(self, epoch: int) -> None:
        """Turn to an epoch. A place within another epoch is forgotten, a place within the same is kept."""
        if epoch != self._epoch:
            self._epoch, self._given, self._first = epoch, 0, 0

    def state_dict(self) -> dict[str, int]:
        """The epoch, and how many of its batches were given out."""
        return {"epoch": self._epoch, "given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where `state_dict` was taken; an epoch that was given out whole starts again."""
        self._epoch = state["epoch"]
        self._first = self._given = state["given"] % self._length
