"""Typing mistakes in the phrases that are put around texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from etude.text.noise.edits import TextChange, apply_changes
from etude.text.philox import StreamKey, at_places

LEET = {"i": "1", "e": "3", "a": "4", "o": "0", "s": "5", "l": "1", "t": "7"}
"""The letters that are mistyped, and the digit that is typed for each."""
_DELETED, _DOUBLED = 0.15, 0.30
"""Of all mistakes 15 % leave the letter out, as many double it; the others change its case or write a digit."""
_PLACES = 4096
"""More letters than any phrase has: a text's phrases have random numbers of their own each."""


class PhraseToType(NamedTuple):
    """One phrase to type: which example it belongs to, and which of its phrases it is."""

    example: int
    number: int
    phrase: str


def add_typos(phrases: Sequence[PhraseToType], key: StreamKey, letter: float) -> list[str]:
    """The phrases with mistakes in about this share of the letters that can be mistyped."""
    places = [
        (row, typed.example, typed.number * _PLACES + at, at)
        for row, typed in enumerate(phrases)
        for at, character in enumerate(typed.phrase)
        if character in LEET
    ]
    mistakes: dict[int, list[TextChange]] = {}
    if places:
        rows, examples, at_all, within = np.array(places, dtype=np.int64).T
        numbers = at_places(key, examples, at_all)
        for hit in np.flatnonzero(numbers[:, 0] < letter).tolist():
            row, at = int(rows[hit]), int(within[hit])
            mistakes.setdefault(row, []).append(_mistake(phrases[row].phrase, at, numbers[hit, 1], numbers[hit, 2]))
    return [
        apply_changes(typed.phrase, mistakes[row])[0] if row in mistakes else typed.phrase
        for row, typed in enumerate(phrases)
    ]


def _mistake(phrase: str, at: int, kind: float, choice: float) -> TextChange:
    letter = phrase[at]
    if kind < _DELETED:
        return TextChange(at, 1, "")
    if kind < _DOUBLED:
        return TextChange(at, 1, 2 * letter)
    return TextChange(at, 1, letter.upper() if choice < 0.5 else LEET[letter])
