"""Phrases around texts: the texts stay whole, and what becomes of one depends on nothing but itself."""

from __future__ import annotations

import csv
import multiprocessing
import os
import random
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.errors import ConfigError, StepError
from etude.text import steps
from etude.text.noise.edits import EditedText, edits_of, restore
from etude.text.noise.fragments import NoiseSpec, prepare
from etude.text.noise.injection import inject
from etude.text.noise.noisy import FAMILIES
from etude.text.noise.pools import LIGHT_WORDS, Family, FamilyName, Pools, light
from etude.text.noise.typos import LEET, PhraseToType, add_typos
from etude.text.philox import key_of
from etude.text.types import Splits

NAMES: tuple[FamilyName, ...] = ("banking", "clinc")
SPEC = NoiseSpec(typos=0.2, corrections=0.18)
WILD = NoiseSpec(typos=1.0, corrections=1.0, two_fragments=1.0, letter=0.5, correction_words=1, longest=9.0)
SENTENCES = [
    "How do I locate my card?",
    "what is the weather like",
    "  odd  spaces\tand a line\nbreak ",
    "Ünïcode – 漢字 and 😀 too!",
    "one",
    "",
    "   ",
    "I would like to know when the thing that I ordered a week ago is going to be here",
]
TEXTS = st.lists(st.one_of(st.sampled_from(SENTENCES), st.text(max_size=30)), min_size=1, max_size=12)
ROOT = Path(os.environ.get("ETUDE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))


def noisy(
    texts: list[str], ids: list[int], family: FamilyName = "banking", seed: int = 0, spec: NoiseSpec = SPEC
) -> list[EditedText]:
    pools = FAMILIES[family]
    return inject(texts, np.array(ids, dtype=np.int64), prepare(pools.train, pools.stop), spec, seed=seed)


def in_chunks(part: tuple[list[str], list[int]]) -> list[EditedText]:
    return noisy(*part)


def phrases(pools: Pools) -> list[str]:
    return [phrase for pool in pools for phrase in pool]


def bare(phrase: str) -> list[str]:
    return re.findall(r"[a-z']+", phrase.lower())


def runs(pools: Pools, length: int) -> set[tuple[str, ...]]:
    words = [bare(phrase) for phrase in phrases(pools)]
    return {tuple(found[start : start + length]) for found in words for start in range(len(found) - length + 1)}


# ----- phrases


@pytest.mark.parametrize("name", NAMES)
def test_no_turn_of_phrase_is_in_both_the_training_and_the_test_pools(name: FamilyName) -> None:
    family = FAMILIES[name]
    assert not runs(family.train, 2) & runs(family.test, 2)
    whole = [{" ".join(bare(phrase)) for phrase in phrases(side)} for side in (family.train, family.test)]
    assert not whole[0] & whole[1]


@pytest.mark.parametrize("name", NAMES)
def test_pools_hold_no_phrase_twice_and_always_something_light(name: FamilyName) -> None:
    family = FAMILIES[name]
    for side in (family.train, family.test):
        assert len(set(phrases(side))) == len(phrases(side))
        assert all(len(pool) >= 5 for pool in side)
        assert len(light(side.openers)) >= 2
        assert len(light(side.closers)) >= 2
        assert all(phrase == phrase.strip() and phrase.isascii() for phrase in phrases(side))


def test_spoken_phrases_have_no_capitals_and_no_punctuation() -> None:
    family = FAMILIES["clinc"]
    assert all(re.fullmatch(r"[a-z' ]+", phrase) for side in (family.train, family.test) for phrase in phrases(side))


@pytest.mark.real
@pytest.mark.skipif(not (ROOT / "banking77").exists(), reason="BANKING77 is not there")
def test_no_phrase_has_a_word_that_tells_a_class_of_banking77() -> None:
    rows = csv.DictReader((ROOT / "banking77" / "train.csv").open(encoding="utf-8"))
    said = {word for row in rows for word in row["category"].lower().strip("?").split("_")}
    telling = {word for word in said if len(word) > 3} - {
        *("about", "after", "been", "doing", "from", "getting", "have", "into", "like", "myself", "over"),
        *("still", "when", "with", "your", "what", "wrong", "help", "work", "working", "personal", "details"),
    }
    assert {"card", "transfer", "refund"} <= telling
    family = FAMILIES["banking"]
    for side in (family.train, family.test):
        assert not {word for phrase in phrases(side) for word in bare(phrase)} & telling


# ----- the text itself


@given(texts=TEXTS, family=st.sampled_from(NAMES), seed=st.integers(0, 9), wild=st.booleans())
def test_without_what_was_put_there_every_text_is_as_it_was_byte_for_byte(
    texts: list[str], family: FamilyName, seed: int, wild: bool
) -> None:
    for text, (after, edits) in zip(
        texts, noisy(texts, list(range(len(texts))), family, seed, WILD if wild else SPEC), strict=True
    ):
        assert restore(after, edits).encode() == text.encode()
        assert all(edit.was == "" for edit in edits)
        assert bool(edits) == bool(text.split())


@given(texts=TEXTS, shuffle=st.randoms(use_true_random=False), cut=st.integers(0, 12))
def test_order_and_company_change_nothing(texts: list[str], shuffle: random.Random, cut: int) -> None:
    ids = [7 * row - 20 for row in range(len(texts))]
    expected = dict(zip(ids, noisy(texts, ids, spec=WILD), strict=True))
    pairs = list(zip(texts, ids, strict=True))
    shuffle.shuffle(pairs)
    for part in (pairs[:cut], pairs[cut:]):
        found = noisy([text for text, _ in part], [name for _, name in part], spec=WILD)
        assert found == [expected[name] for _, name in part]


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_texts() -> None:
    texts, ids = SENTENCES * 40, list(range(8 * 40))
    parts = [(texts[start::3], ids[start::3]) for start in range(3)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(in_chunks, parts))
    whole = noisy(texts, ids)
    assert found == [whole[start::3] for start in range(3)]


def test_another_seed_and_another_id_give_other_noise() -> None:
    texts = [SENTENCES[-1]] * 200
    one, other = noisy(texts, list(range(200))), noisy(texts, list(range(200)), seed=1)
    assert sum(left != right for left, right in zip(one, other, strict=True)) > 150
    assert len({text for text, _ in one}) > 60


def test_another_seed_gives_other_typos() -> None:
    spec = replace(SPEC, typos=1.0, letter=0.5)
    texts, ids, known = ["a text"] * 100, list(range(100)), set(phrases(FAMILIES["banking"].train))
    seen = [
        {text[start:end].strip() for text, edits in noisy(texts, ids, seed=seed, spec=spec) for start, end, _ in edits}
        for seed in (0, 1)
    ]
    typed = [found - known for found in seen]
    assert min(map(len, typed)) > 10
    assert len(typed[0] & typed[1]) < len(typed[0]) / 2


@pytest.mark.parametrize("family", NAMES)
def test_phrases_and_text_are_one_space_apart(family: FamilyName) -> None:
    texts, spec = ["a text without an end mark that has some words"] * 300, replace(WILD, typos=0.0)
    for after, _ in noisy(texts, list(range(300)), family, spec=spec):
        assert "  " not in after
        assert after == after.strip()


# ----- how much there is


@given(words=st.integers(1, 40), family=st.sampled_from(NAMES), longest=st.floats(1.0, 3.0))
def test_no_text_grows_beyond_its_guard_or_two_words(words: int, family: FamilyName, longest: float) -> None:
    text, ids = " ".join(["word"] * words), list(range(30))
    for after, _ in noisy([text] * 30, ids, family, spec=replace(WILD, longest=longest, typos=0.0)):
        assert words < len(after.split()) <= max(longest * words, words + LIGHT_WORDS)


def test_shares_are_those_that_are_set() -> None:
    texts = [" ".join(f"w{number}" for number in range(60))] * 4000
    ids = list(range(4000))
    spec = NoiseSpec(typos=0.0, corrections=0.18)
    pools = FAMILIES["banking"].train
    counts = {"corrected": 0, "two": 0, "follow": 0, "closed": 0}
    for after, edits in noisy(texts, ids, spec=spec):
        put = [after[start:end].strip() for start, end, _ in edits]
        corrected = sum(phrase in pools.corrections for phrase in put)
        counts["corrected"] += corrected
        counts["two"] += len(put) - corrected == 2
        counts["follow"] += any(phrase.removeprefix(". ") in pools.follow_ups for phrase in put)
        counts["closed"] += any(phrase.removeprefix(". ") in pools.closers for phrase in put)
    # Four standard deviations of a binomial share.
    assert counts["corrected"] / 4000 == pytest.approx(0.18, abs=0.025)
    assert counts["two"] / 4000 == pytest.approx(0.30, abs=0.03)
    assert counts["follow"] / (counts["follow"] + counts["closed"]) == pytest.approx(0.65, abs=0.07)


def test_a_text_that_is_too_short_is_not_corrected() -> None:
    corrections = FAMILIES["banking"].train.corrections
    spec = replace(WILD, correction_words=6, typos=0.0)
    for after, edits in noisy(["five words are too few"] * 50, list(range(50)), spec=spec):
        assert not any(after[start:end].strip() in corrections for start, end, _ in edits)


@given(letter=st.floats(0.0, 1.0), seed=st.integers(0, 5))
def test_typos_are_made_of_the_known_letters_alone(letter: float, seed: int) -> None:
    phrase = "Greetings, solid oak tables!"
    found = add_typos([PhraseToType(3, 0, phrase)], key_of(seed, "typos"), letter)[0]
    kept = [character for character in found if character not in "".join([*LEET, *LEET.values(), "IEAOSLT"])]
    assert kept == [character for character in phrase if character not in "".join([*LEET, "IEAOSLT"])]
    assert found == phrase or letter > 0


def test_typos_come_at_the_rate_that_is_set() -> None:
    phrases = [PhraseToType(row, 0, "ieaoslt") for row in range(3000)]
    found = add_typos(phrases, key_of(0, "typos"), 0.02)
    deleted = sum(len(phrase) == 6 for phrase in found)
    doubled = sum(len(phrase) == 8 for phrase in found)
    other = sum(len(phrase) == 7 and phrase != "ieaoslt" for phrase in found)
    assert (deleted + doubled + other) / 3000 == pytest.approx(1 - 0.98**7, abs=0.025)
    assert deleted / (deleted + doubled + other) == pytest.approx(0.15, abs=0.07)
    assert doubled / (deleted + doubled + other) == pytest.approx(0.15, abs=0.07)


@pytest.mark.parametrize(("name", "value"), [("typos", 1.5), ("letter", -0.1), ("longest", 0.5)])
def test_a_share_that_is_none_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: expected .* \(got {value}\)"):
        replace(SPEC, **{name: value})


def test_a_phrase_after_a_text_without_an_end_mark_begins_a_sentence_of_its_own() -> None:
    pools = FAMILIES["banking"].train
    for after, edits in noisy(["no mark at the end of this rather long text"] * 200, list(range(200))):
        put = [after[start:end] for start, end, _ in edits]
        assert all(phrase.startswith(". ") for phrase in put if phrase[2:] in pools.closers + pools.follow_ups)


# ----- the step


def test_test_texts_get_test_phrases_and_all_others_training_phrases(splits: Splits) -> None:
    found = steps.add_noise(splits, family="clinc", seed=0, train_typos=0.0, test_typos=0.0)
    family: Family = FAMILIES["clinc"]
    for part, pools in ((found.train, family.train), (found.validation, family.train), (found.test, family.test)):
        known = set(phrases(pools))
        for text, edits in zip(part["text"].to_pylist(), edits_of(part), strict=True):
            assert {text[start:end].strip() for start, end, _ in edits} <= known


def test_the_splits_that_are_given_stay_as_they_are(splits: Splits) -> None:
    before = [part.to_pydict() for part in (splits.train, splits.validation, splits.test)]
    found = steps.add_noise(splits, family="banking", seed=0)
    assert [part.to_pydict() for part in (splits.train, splits.validation, splits.test)] == before
    for part, given_part in zip((found.train, found.validation, found.test), before, strict=True):
        undone = [restore(text, edits) for text, edits in zip(part["text"].to_pylist(), edits_of(part), strict=True)]
        assert undone == given_part["text"]
        assert part["id"].to_pylist() == given_part["id"]
        assert part["label"].to_pylist() == given_part["label"]


def test_a_split_that_is_not_named_has_no_noise(splits: Splits) -> None:
    found = steps.add_noise(splits, family="banking", seed=0, parts=("test",))
    assert found.train is splits.train
    assert found.validation is splits.validation
    assert found.test["text"] != splits.test["text"]


def test_noisy_splits_go_the_same_way_as_clean_ones(splits: Splits) -> None:
    found = steps.add_noise(splits, family="banking", seed=0)
    tokens = steps.tokenize(found, vocabulary=320)
    assert tokens.test["id"] == splits.test["id"]
    assert steps.bag_of_words(found).accuracy > 0.9


def test_an_id_that_occurs_twice_is_refused() -> None:
    part = pa.table({"id": [1, 1], "text": ["a", "b"], "label": ["x", "y"]})
    with pytest.raises(StepError, match=r"1 ids occur more than once: \[1\]"):
        steps.add_noise(Splits(train=part, validation=part.slice(2), test=part.slice(2)), family="banking", seed=0)
