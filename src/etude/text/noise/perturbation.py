"""Perturbs the texts themselves: what mistyping, scanning, look-alike letters and lost words do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etude.nn.model_types import SplitName
from etude.text.noise.characters import confuse
from etude.text.noise.edits import EditedText
from etude.text.noise.lookalikes import CASES, HOMOGLYPHS, KEYBOARD, OCR, Confusions
from etude.text.noise.noisy import alter_splits
from etude.text.noise.words import REWORDINGS, reword
from etude.text.philox import Ids
from etude.text.types import PerturbationKind, Splits

_TABLES: Mapping[str, Confusions] = {"keyboard": KEYBOARD, "ocr": OCR, "homoglyph": HOMOGLYPHS, "case": CASES}
_CHUNK = 4096
"""Texts that are worked on at once; it bounds memory and changes nothing."""


def perturb_splits(
    splits: Splits, kind: PerturbationKind, *, severity: float, seed: int, parts: Sequence[SplitName]
) -> Splits:
    """The splits with the texts of some parts perturbed, and what undoes it in the column `edits`.

    Raises:
        StepError: An id occurs twice.
    """

    def alter(texts: Sequence[str], ids: Ids) -> list[EditedText]:
        return perturb(texts, ids, kind, severity=severity, seed=seed)

    return alter_splits(splits, dict.fromkeys(parts, alter))


def perturb(texts: Sequence[str], ids: Ids, kind: PerturbationKind, *, severity: float, seed: int) -> list[EditedText]:
    """Each text with about the share `severity` of its characters or words changed, and the edits that undo it.

    Of the characters those count that the kind knows a change for; of the words all. Severity 0 changes nothing. What
    becomes of a text depends on its id, the kind, the severity and the seed, and on no other text.
    """
    edited: list[EditedText] = []
    for start in range(0, len(texts), _CHUNK):
        part = slice(start, start + _CHUNK)
        if kind in _TABLES:
            edited += confuse(texts[part], ids[part], _TABLES[kind], severity=severity, seed=seed, purpose=kind)
        else:
            edited += reword(texts[part], ids[part], REWORDINGS[kind], severity=severity, seed=seed, purpose=kind)
    return edited
