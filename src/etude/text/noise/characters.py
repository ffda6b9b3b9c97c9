"""Changes characters of texts by a table of confusions, all texts at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from etude.text.noise.edits import EditedText, TextChange, apply_changes
from etude.text.noise.lookalikes import Confusions
from etude.text.philox import Ids, along, at_places, key_of

_Codes = npt.NDArray[np.uint32]
_Mask = npt.NDArray[np.bool_]


def confuse(
    texts: Sequence[str], ids: Ids, table: Confusions, *, severity: float, seed: int, purpose: str
) -> list[EditedText]:
    """Each text with about this share of its confusable characters changed.

    What is changed at one severity is changed at any higher one in the same way, except where the higher one has
    already changed the character before as part of a pair.
    """
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    row = np.repeat(np.arange(len(texts)), lengths)
    at = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    double = _pairs(codes, row, [source for source in table if len(source) == 2])
    confusable = double | _singles(codes, [source for source in table if len(source) == 1])
    hits = np.flatnonzero(confusable & (along(key_of(seed, f"{purpose}/where"), ids, lengths) < severity))
    choices = at_places(key_of(seed, f"{purpose}/what"), ids[row[hits]], at[hits])[:, 0]
    changes_of: dict[int, list[TextChange]] = {}
    each = zip(row[hits].tolist(), at[hits].tolist(), double[hits].tolist(), choices.tolist(), strict=True)
    for index, start, is_pair, choice in each:
        length = 2 if is_pair else 1
        options = table[texts[index][start : start + length]]
        changes = changes_of.setdefault(index, [])
        if not changes or changes[-1].at + changes[-1].length <= start:
            changes.append(TextChange(start, length, options[int(choice * len(options))]))
    return [apply_changes(text, changes_of.get(index, ())) for index, text in enumerate(texts)]


def _singles(codes: _Codes, sources: Sequence[str]) -> _Mask:
    is_source = np.zeros(max(map(ord, sources), default=0) + 2, dtype=bool)
    is_source[[ord(source) for source in sources]] = True
    mask: _Mask = is_source[np.minimum(codes, len(is_source) - 1)]
    return mask


def _pairs(codes: _Codes, row: npt.NDArray[np.int64], sources: Sequence[str]) -> _Mask:
    """Where a pair of characters begins that stands in one text."""
    mask = np.zeros(len(codes), dtype=bool)
    same = row[:-1] == row[1:]
    for source in sources:
        mask[:-1] |= (codes[:-1] == ord(source[0])) & (codes[1:] == ord(source[1])) & same
    return mask
