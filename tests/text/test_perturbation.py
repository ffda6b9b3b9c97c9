"""Perturbed texts: as much as is asked for, undone exactly, and independent of order."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.text import steps
from etude.text.noise.edits import edits_of, restore
from etude.text.noise.lookalikes import CASES, HOMOGLYPHS, KEYBOARD, OCR
from etude.text.noise.perturbation import perturb
from etude.text.types import PerturbationKind, Splits

KINDS: tuple[PerturbationKind, ...] = get_args(PerturbationKind)
LETTERS = ("keyboard", "ocr", "homoglyph", "case")
TEXTS = st.lists(
    st.one_of(st.text(max_size=40), st.sampled_from(["the modern corner clinic", "a  b\tc d\n", "rnrn clcl vvv", "x"])),
    min_size=1,
    max_size=8,
)


def altered(texts: list[str], kind: PerturbationKind, severity: float, seed: int = 0) -> list[str]:
    return [text for text, _ in perturb(texts, np.arange(len(texts)), kind, severity=severity, seed=seed)]


@given(texts=TEXTS, kind=st.sampled_from(KINDS), severity=st.floats(0, 1), seed=st.integers(0, 3))
def test_undoing_the_edits_gives_every_text_back(
    texts: list[str], kind: PerturbationKind, severity: float, seed: int
) -> None:
    for text, (after, edits) in zip(
        texts, perturb(texts, np.arange(len(texts)), kind, severity=severity, seed=seed), strict=True
    ):
        assert restore(after, edits) == text
        assert bool(edits) == (after != text) or kind == "word_swap"


@given(texts=TEXTS, kind=st.sampled_from(KINDS), first=st.integers(0, 8))
def test_a_text_is_perturbed_the_same_alone_and_among_others(
    texts: list[str], kind: PerturbationKind, first: int
) -> None:
    ids = np.arange(len(texts)) * 3 + 1
    together = perturb(texts, ids, kind, severity=0.4, seed=5)
    order = np.roll(np.arange(len(texts)), first)
    for row in order.tolist():
        assert perturb([texts[row]], ids[row : row + 1], kind, severity=0.4, seed=5) == [together[row]]


@given(texts=TEXTS, kind=st.sampled_from(KINDS))
def test_severity_0_changes_nothing(texts: list[str], kind: PerturbationKind) -> None:
    assert altered(texts, kind, 0.0) == texts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("severity", [0.1, 0.3])
def test_severity_is_the_share_that_is_changed(kind: PerturbationKind, severity: float) -> None:
    texts = ["sun sat " * 25] * 40
    places = 40 * (50 if kind.startswith("word") else 150)
    if kind == "ocr":
        places = 40 * 25 * sum(letter in OCR for letter in "sunsat")
    elif kind == "homoglyph":
        places = 40 * 25 * sum(letter in HOMOGLYPHS for letter in "sunsat")
    count = sum(len(edits) for _, edits in perturb(texts, np.arange(40), kind, severity=severity, seed=0))
    if kind == "word_drop":  # A run of words at the end is one edit.
        count = 40 * 50 - sum(len(text.split()) for text in altered(texts, kind, severity))
    if kind == "word_swap":  # A word that was just exchanged is not exchanged again.
        severity = severity / (1 + severity)
    assert count / places == pytest.approx(severity, abs=4.5 * (severity * (1 - severity) / places) ** 0.5 + 0.003)


@given(text=st.text(alphabet="abcdefgh o", max_size=30), low=st.floats(0, 1), high=st.floats(0, 1))
def test_what_is_changed_at_a_low_severity_is_changed_at_a_higher_one(text: str, low: float, high: float) -> None:
    less, more = (altered([text], "keyboard", severity)[0] for severity in sorted((low, high)))
    assert all(one in (was, other) for was, one, other in zip(text, less, more, strict=True))


def test_neighbouring_keys_touch_and_keep_their_case() -> None:
    assert set(KEYBOARD["g"]) == {"f", "h", "t", "y", "v", "b"}
    assert set(KEYBOARD["Q"]) == {"1", "2", "W", "A"}
    assert all(key in KEYBOARD[near] for key, nears in KEYBOARD.items() for near in nears if near.islower())


def test_look_alikes_are_other_characters_of_the_same_case() -> None:
    for letter, (other,) in HOMOGLYPHS.items():
        assert letter != other
        assert not other.isascii()
        assert letter.isupper() == other.isupper()
    assert len(HOMOGLYPHS) == 28


def test_cases_are_exchanged_and_come_back() -> None:
    assert all(CASES[other] == (letter,) for letter, (other,) in CASES.items())
    assert altered(["Straße 12, Ünited"], "case", 1.0) == ["sTRAßE 12, üNITED"]


def test_a_scanner_takes_pairs_for_letters_and_letters_for_pairs() -> None:
    assert set(altered(["corner"] * 50, "ocr", 1.0)) <= {
        f"{c}{o}m{e}{r}" for c in "eo" for o in "0ce" for e in "co" for r in "r"
    }
    assert "cl" in OCR["d"]
    assert any("rn" in text for text in altered(["m"] * 20, "ocr", 1.0))


def test_a_pair_across_two_texts_is_none() -> None:
    assert altered(["r", "nrn"], "ocr", 1.0)[0] == "r"


@given(words=st.integers(2, 12))
def test_some_word_is_always_left(words: int) -> None:
    assert altered([" ".join(["word"] * words)] * 20, "word_drop", 1.0) == ["word"] * 20


def test_words_by_hand() -> None:
    assert altered(["one two  three"], "word_repeat", 1.0) == ["one one two two  three three"]
    assert altered(["one two  three four five"], "word_swap", 1.0) == ["two one  four three five"]
    assert all(altered(["alone"], kind, 1.0) == ["alone"] for kind in KINDS if kind.startswith("word"))


def test_the_step_perturbs_the_test_split_alone_unless_told_otherwise(splits: Splits) -> None:
    found = steps.perturb(splits, kind="keyboard", severity=0.2, seed=0)
    assert found.train is splits.train
    undone = [restore(*row) for row in zip(found.test["text"].to_pylist(), edits_of(found.test), strict=True)]
    assert undone == splits.test["text"].to_pylist()
    assert found.test["text"] != splits.test["text"]


def test_noise_on_noise_tells_the_last_edits(splits: Splits) -> None:
    once = steps.add_noise(splits, family="banking", seed=0)
    both = steps.perturb(once, kind="word_repeat", severity=0.5, seed=0)
    undone = [restore(*row) for row in zip(both.test["text"].to_pylist(), edits_of(both.test), strict=True)]
    assert undone == once.test["text"].to_pylist()
