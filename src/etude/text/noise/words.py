"""Words left out, said twice, or in the wrong order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from etude.text.noise.edits import EditedText, TextChange, apply_changes
from etude.text.philox import Ids, along, key_of

_WORD = re.compile(r"\S+")
Spans: TypeAlias = Sequence[tuple[int, int]]
Reword: TypeAlias = Callable[[str, Spans, Sequence[int]], list[TextChange]]
"""From a text, the places of its words and the words that are hit to what is changed."""


def reword(
    texts: Sequence[str], ids: Ids, how: Reword, *, severity: float, seed: int, purpose: str
) -> list[EditedText]:
    """Each text with about this share of its words changed; a text of one word stays as it is."""
    counts = np.fromiter((len(text.split()) for text in texts), np.int64, len(texts))
    counts[counts < 2] = 0
    row = np.repeat(np.arange(len(texts)), counts)
    at = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    hits = np.flatnonzero(along(key_of(seed, purpose), ids, counts) < severity)
    words_hit: dict[int, list[int]] = {}
    for index, word in zip(row[hits].tolist(), at[hits].tolist(), strict=True):
        words_hit.setdefault(index, []).append(word)
    return [
        apply_changes(
            text,
            how(text, [word.span() for word in _WORD.finditer(text)], words_hit[index]) if index in words_hit else (),
        )
        for index, text in enumerate(texts)
    ]


def drop_words(text: str, words: Spans, hit: Sequence[int]) -> list[TextChange]:
    """Leave words out, each with the space behind it; the first word stays where all would go."""
    gone = set(hit if len(hit) < len(words) else hit[1:])
    last = max(index for index in range(len(words)) if index not in gone)
    changes = [
        TextChange(words[index][0], words[index + 1][0] - words[index][0], "") for index in sorted(gone) if index < last
    ]
    if last + 1 < len(words):
        end = words[last][1]
        changes.append(TextChange(end, words[-1][1] - end, ""))
    return changes


def repeat_words(text: str, words: Spans, hit: Sequence[int]) -> list[TextChange]:
    """Say words twice."""
    return [TextChange(words[index][0], 0, text[slice(*words[index])] + " ") for index in hit]


def swap_words(text: str, words: Spans, hit: Sequence[int]) -> list[TextChange]:
    """Exchange words with those behind them, each at most once."""
    changes: list[TextChange] = []
    for index in hit:
        start, end = words[index]
        if index + 1 < len(words) and (not changes or changes[-1].at + changes[-1].length <= start):
            other, stop = words[index + 1]
            changes.append(TextChange(start, stop - start, text[other:stop] + text[end:other] + text[start:end]))
    return changes


REWORDINGS: Mapping[str, Reword] = {"word_drop": drop_words, "word_repeat": repeat_words, "word_swap": swap_words}
