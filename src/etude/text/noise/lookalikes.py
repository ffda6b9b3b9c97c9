"""Characters that are taken for one another, by readers, by scanners and by fingers; and cases.

Each table leads from one character, or two in a row, to what may stand in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Confusions: TypeAlias = Mapping[str, tuple[str, ...]]

_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFTS = (0.0, 0.5, 0.75, 1.25)
"""How far each row of a keyboard stands to the right of the uppermost, in keys."""

_OCR = {
    "o": "0 c e",
    "0": "O o",
    "O": "0 Q D",
    "l": "1 I i",
    "1": "l I",
    "I": "l 1",
    "i": "l j",
    "e": "c o",
    "c": "e o",
    "s": "5",
    "S": "5",
    "5": "S",
    "B": "8",
    "8": "B",
    "Z": "2",
    "2": "Z",
    "g": "9 q",
    "q": "g",
    "b": "h 6",
    "h": "b",
    "n": "ri u",
    "u": "ii n",
    "m": "rn nn",
    "w": "vv",
    "d": "cl",
    "t": "f",
    "f": "t",
    "rn": "m",
    "nn": "m",
    "vv": "w",
    "cl": "d",
    "ri": "n",
    "ii": "u",
    "li": "h",
}
_LATIN, _OTHERS = "aceijopsxyABCEHIJKMOPSTXYZvn", "асеіјорѕхуАВСЕНІЈКМОРЅТХУΖѵո"
"""Latin letters, and Cyrillic, Greek and Armenian ones that look the same in most fonts."""


def _keyboard() -> Confusions:
    """Each letter and digit of an English keyboard with the keys that touch its own, in its case."""
    place = {
        key: (column + shift, float(row))
        for row, (keys, shift) in enumerate(zip(_ROWS, _SHIFTS, strict=True))
        for column, key in enumerate(keys)
    }
    table = {
        key: tuple(other for other, (x, y) in place.items() if 0 < (x - left) ** 2 + (y - top) ** 2 <= 1.6)
        for key, (left, top) in place.items()
    }
    return table | {key.upper(): tuple(map(str.upper, near)) for key, near in table.items() if key.isalpha()}


def _cases() -> Confusions:
    """The letters of Latin, Greek and Cyrillic with both cases, each with its other."""
    letters = [chr(code) for code in range(0x530)]
    pairs = {letter: letter.swapcase() for letter in letters if letter.swapcase() in letters}
    return {letter: (other,) for letter, other in pairs.items() if other != letter == pairs[other]}


KEYBOARD: Confusions = _keyboard()
OCR: Confusions = {source: tuple(others.split()) for source, others in _OCR.items()}
HOMOGLYPHS: Confusions = {letter: (other,) for letter, other in zip(_LATIN, _OTHERS, strict=True)}
CASES: Confusions = _cases()
