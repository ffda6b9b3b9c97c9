"""Rows of token ids as batches under a token budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from pyarrow import compute
from torch import Tensor

from etude.nn.batches import Batches, Lengths, shuffled_plan, sorted_plan
from etude.nn.model_types import Tokens
from etude.nn.padding import pad


class TokenBatch(NamedTuple):
    """Token ids and mask of shape (B, T), class indices of shape (B,)."""

    ids: Tensor
    mask: Tensor
    labels: Tensor

    def parts(self, most_tokens: int | None) -> list[TokenBatch]:
        """The same rows in batches of at most so many tokens, or of one row."""
        rows, width = self.ids.shape
        each = rows if most_tokens is None else max(1, most_tokens // width)
        return [
            TokenBatch(self.ids[at : at + each], self.mask[at : at + each], self.labels[at : at + each])
            for at in range(0, rows, each)
        ]


def sequences(part: pa.Table) -> list[Any]:
    """The token ids of each row, as NumPy arrays that share the table's memory."""
    column = part["tokens"].combine_chunks()
    values, offsets = column.values.to_numpy(), column.offsets.to_numpy()
    return [values[start:end] for start, end in pairwise(offsets.tolist())]


def lengths(part: pa.Table) -> Lengths:
    """The tokens of each row."""
    offsets = part["tokens"].combine_chunks().offsets.to_numpy()
    sizes: Lengths = np.diff(offsets).astype(np.int64)
    return sizes


def used_ids(tokens: Tokens) -> set[int]:
    """The token ids that the training and validation splits have, and the one for padding."""
    used = [
        part["tokens"].combine_chunks().flatten().unique().to_pylist() for part in (tokens.train, tokens.validation)
    ]
    return {tokens.pad_id, *used[0], *used[1]}


def training_plan(tokens: Tokens, budget: int, seed: int) -> Callable[[int], list[list[int]]]:
    """The batches of each epoch of training, as rows of the training split."""
    sizes = lengths(tokens.train)
    return lambda epoch: shuffled_plan(sizes, tokens=budget, seed=seed, epoch=epoch)


def training_batches(tokens: Tokens, budget: int, seed: int) -> Batches[TokenBatch]:
    """The training split, shuffled anew in each epoch."""
    return Batches(training_plan(tokens, budget, seed), collator(tokens.train, tokens.pad_id))


def validation_batches(tokens: Tokens, budget: int) -> Batches[TokenBatch] | None:
    """The rows of the validation split that belong to a class, by length; None where there are none."""
    rows = of_classes(tokens.validation, tokens)
    if not len(rows):
        return None
    plan = sorted_plan(lengths(rows), tokens=budget)
    return Batches(lambda epoch: plan, collator(rows, tokens.pad_id))


def of_classes(part: pa.Table, tokens: Tokens) -> pa.Table:
    """The rows whose label is a class: those of other labels have no loss and no right answer."""
    return part.filter(compute.less(part["label"], len(tokens.labels)))


def collator(part: pa.Table, pad_id: int) -> Callable[[Sequence[int]], TokenBatch]:
    """Makes a batch of some rows of a split."""
    rows, labels = sequences(part), torch.tensor(part["label"].to_numpy().copy(), dtype=torch.long)
    return lambda batch: TokenBatch(*pad([rows[index] for index in batch], pad_id), labels[list(batch)])
