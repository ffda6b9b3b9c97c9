"""Puts phrases around texts, with typos in what is put there and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from etude.text.noise.edits import EditedText, TextChange, apply_changes
from etude.text.noise.fragments import DRAWS, NoiseSpec, PlacedPhrase, PreparedPools, pieces
from etude.text.noise.typos import PhraseToType, add_typos
from etude.text.philox import StreamKey, key_of, uniforms

CHUNK = 8192
"""Texts that are worked on at once; it bounds memory and changes nothing."""
_TYPOS = 13
"""Which of a text's random numbers decides whether it has typos."""


def inject(
    texts: Sequence[str], ids: npt.NDArray[np.int64], pools: PreparedPools, spec: NoiseSpec, *, seed: int
) -> list[EditedText]:
    """Each text with phrases around it, and where they stand: cut out, they leave the text as it was.

    What becomes of a text depends on its id, the pools, the spec and the seed, and on no other text.

    Args:
        texts: Any texts.
        ids: Their ids, shape (texts,).
        pools: The phrases.
        spec: How much is put there.
        seed: Another seed gives other phrases.
    """
    choices, typing = key_of(seed, "phrases"), key_of(seed, "typos")
    edited: list[EditedText] = []
    for start in range(0, len(texts), CHUNK):
        part = slice(start, start + CHUNK)
        edited += _chunk(texts[part], ids[part], pools, spec, choices, typing)
    return edited


def _chunk(
    texts: Sequence[str],
    ids: npt.NDArray[np.int64],
    pools: PreparedPools,
    spec: NoiseSpec,
    choices: StreamKey,
    typing: StreamKey,
) -> list[EditedText]:
    draws = uniforms(choices, ids, DRAWS).tolist()
    rows = [pieces(text, draw, pools, spec) for text, draw in zip(texts, draws, strict=True)]
    flagged = [row for row, draw in enumerate(draws) if draw[_TYPOS] < spec.typos]
    _mistype(rows, flagged, ids, typing, spec.letter)
    return [
        apply_changes(text, [TextChange(at, 0, before + phrase + after) for at, before, phrase, after in row])
        for text, row in zip(texts, rows, strict=True)
    ]


def _mistype(
    rows: list[list[PlacedPhrase]], flagged: Sequence[int], ids: npt.NDArray[np.int64], key: StreamKey, letter: float
) -> None:
    places = [(row, index) for row in flagged for index in range(len(rows[row]))]
    phrases = add_typos(
        [PhraseToType(int(ids[row]), index, rows[row][index].phrase) for row, index in places], key, letter
    )
    for (row, index), phrase in zip(places, phrases, strict=True):
        rows[row][index] = rows[row][index]._replace(phrase=phrase)
