"""The tokenizer is learnt from the training texts alone, loses nothing but case, and closes each text."""

from __future__ import annotations

import json
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from etude.nn.model_types import Tokens
from etude.text.tokenization import END, byte_pairs, tokenize
from etude.text.types import Splits

WORDS = [
    "the",
    "herd",
    "crosses",
    "a",
    "wide",
    "river",
    "when",
    "the",
    "water",
    "is",
    "low",
    "and",
    "the",
    "lions",
    "sleep",
]
TEXTS = [" ".join(WORDS[start : start + 5]) for start in range(10)] * 3


def part(texts: list[str], labels: list[str] | None = None) -> pa.Table:
    names = labels or ["a"] * len(texts)
    return pa.table(
        {"id": pa.array(range(len(texts)), pa.int64()), "text": texts, "label": pa.array(names, pa.string())}
    )


def tokens(train: list[str], test: list[str], *, max_tokens: int = 64, lowercase: bool = True) -> Tokens:
    splits = Splits(train=part(train), validation=part([]), test=part(test, ["b"] * len(test)))
    return tokenize(splits, vocabulary=300, lowercase=lowercase, max_tokens=max_tokens)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
def test_any_text_has_tokens_and_they_give_it_back(text: str) -> None:
    tokenizer = byte_pairs(TEXTS, vocabulary=300, lowercase=False)
    ids = tokenizer.encode(text).ids
    assert ids[-1] == tokenizer.token_to_id(END)
    assert tokenizer.decode(ids).removeprefix(" ") == unicodedata.normalize("NFC", text).removeprefix(" ")


def test_the_test_split_has_no_say_in_the_tokenizer() -> None:
    assert tokens(TEXTS, ["quite another zoo"] * 50).tokenizer == tokens(TEXTS, ["x"]).tokenizer


def test_learning_twice_gives_the_same_tokenizer() -> None:
    assert tokens(TEXTS, TEXTS).tokenizer == tokens(TEXTS, TEXTS).tokenizer


def test_a_long_text_is_cut_and_still_closed() -> None:
    made = tokens(TEXTS, ["the " * 90], max_tokens=8)
    row = made.test["tokens"].to_pylist()[0]
    assert len(row) == 8
    assert made.cut == {"train": 0, "validation": 0, "test": 1}
    assert row[-1] == Tokenizer.from_str(made.tokenizer).token_to_id(END)


def test_an_empty_text_is_one_token() -> None:
    assert len(tokens(TEXTS, [""]).test["tokens"].to_pylist()[0]) == 1


def test_no_text_holds_the_padding_id_even_if_it_spells_it() -> None:
    made = tokens(TEXTS, ["<p a d> < pad >", *TEXTS])
    assert all(made.pad_id not in row for row in made.test["tokens"].to_pylist())


def test_upper_and_lower_case_are_the_same_only_where_asked() -> None:
    same = [tokens(TEXTS, [text]).test["tokens"] for text in ("THE HERD", "the herd")]
    other = [tokens(TEXTS, [text], lowercase=False).test["tokens"] for text in ("THE HERD", "the herd")]
    assert same[0] == same[1]
    assert other[0] != other[1]


def test_the_classes_are_the_labels_of_the_training_split_and_rows_of_others_keep_their_label() -> None:
    train = part(["one", "two", "three"], ["z", "b", "b"])
    test = part(["four", "five", "six"], ["oos", "a", "b"])
    made = tokenize(Splits(train=train, validation=part([]), test=test), vocabulary=300, lowercase=True, max_tokens=8)
    assert made.labels == ("b", "z")
    assert made.others == ("a", "oos")
    assert made.train["label"].to_pylist() == [1, 0, 0]
    assert [(*made.labels, *made.others)[at] for at in made.test["label"].to_pylist()] == ["oos", "a", "b"]


def test_the_tokenizer_text_makes_the_same_tokens_again() -> None:
    made = tokens(TEXTS, ["the wide river"])
    assert Tokenizer.from_str(made.tokenizer).encode("the wide river").ids == made.test["tokens"].to_pylist()[0]
    assert json.loads(made.tokenizer)["model"]["type"] == "BPE"
    assert max(max(row) for row in made.train["tokens"].to_pylist()) < made.vocabulary


def test_a_vocabulary_below_the_bytes_themselves_is_refused_by_the_step() -> None:
    from pydantic import TypeAdapter, ValidationError

    from etude.graph.signature import signature_of
    from etude.text.steps import tokenize

    annotation = signature_of("etude.text.steps:tokenize", tokenize).settings["vocabulary"].annotation
    with pytest.raises(ValidationError, match="300"):
        TypeAdapter(annotation).validate_python(100)
