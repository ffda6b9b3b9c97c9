"""What a data set holds: labels and their counts, texts that occur again, splits that share what they should not."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa

from etude.text.splitting import same_text
from etude.text.types import Duplicates, LabelTable, Splits, SplitSummary, TextTable


def duplicates(data: TextTable) -> Duplicates:
    """Texts that occur more than once but for case and white space, in the order of their first rows."""
    rows = defaultdict(list)
    for row, text in enumerate(data["text"].to_pylist()):
        rows[same_text(text)].append(row)
    repeated = {text: places for text, places in rows.items() if len(places) > 1}
    names = {"ids": "id", "labels": "label"} | ({"splits": "split"} if "split" in data.column_names else {})
    values = {ours: data[theirs].to_pylist() for ours, theirs in names.items()}
    values.setdefault("splits", ["train"] * len(data))
    lists = {name: [[column[row] for row in places] for places in repeated.values()] for name, column in values.items()}
    return pa.table(
        {
            "text": pa.array(repeated, pa.string()),
            "rows": pa.array(map(len, repeated.values()), pa.int64()),
            "ids": pa.array(lists["ids"], pa.list_(pa.int64())),
            "splits": pa.array(lists["splits"], pa.list_(pa.string())),
            "labels": pa.array(lists["labels"], pa.list_(pa.string())),
            "across": pa.array([len(set(splits)) > 1 for splits in lists["splits"]], pa.bool_()),
            "contradictory": pa.array([len(set(labels)) > 1 for labels in lists["labels"]], pa.bool_()),
        }
    )


def label_statistics(splits: Splits) -> LabelTable:
    """Counts and lengths by label."""
    counts = {name: Counter(getattr(splits, name)["label"].to_pylist()) for name in ("train", "validation", "test")}
    words: dict[str, list[int]] = defaultdict(list)
    characters: dict[str, list[int]] = defaultdict(list)
    for part in (splits.train, splits.validation, splits.test):
        for label, text in zip(part["label"].to_pylist(), part["text"].to_pylist(), strict=True):
            words[label].append(len(text.split()))
            characters[label].append(len(text))
    labels = sorted(words)
    texts = max(1, len(splits.train))
    return pa.table(
        {
            "label": pa.array(labels, pa.string()),
            **{name: pa.array([count[label] for label in labels], pa.int64()) for name, count in counts.items()},
            "share": pa.array([counts["train"][label] / texts for label in labels], pa.float64()),
            "words": pa.array([float(np.mean(words[label])) for label in labels], pa.float64()),
            "characters": pa.array([float(np.mean(characters[label])) for label in labels], pa.float64()),
        }
    )


def split_summary(splits: Splits) -> SplitSummary:
    """The splits in numbers."""
    parts = (splits.train, splits.validation, splits.test)
    train, validation, test = ([same_text(text) for text in part["text"].to_pylist()] for part in parts)
    labels = Counter(splits.train["label"].to_pylist())
    others = {label for part in parts[1:] for label in part["label"].to_pylist()}
    words = [len(text.split()) for text in (*train, *validation, *test)]
    in_training = set(train)
    return SplitSummary(
        train=len(train),
        validation=len(validation),
        test=len(test),
        labels=len(labels),
        labels_unseen=len(others - set(labels)),
        fewest_of_a_label=min(labels.values(), default=None),
        most_of_a_label=max(labels.values(), default=None),
        words_mean=float(np.mean(words)) if words else None,
        words_most=max(words, default=None),
        repeated_in_train=len(train) - len(in_training),
        shared_with_train=sum(text in in_training for text in (*validation, *test)),
        groups_divided=_groups_divided(splits),
    )


def _groups_divided(splits: Splits) -> int | None:
    parts = (splits.train, splits.validation, splits.test)
    if any("group" not in part.column_names for part in parts):
        return None
    groups = [set(part["group"].to_pylist()) - {None} for part in parts]
    return sum(count > 1 for count in Counter(name for part in groups for name in part).values())
