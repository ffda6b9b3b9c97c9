"""The same steps on a public data set that comes divided: BANKING77, 10,003 training and 3,080 test texts."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from etude.text import steps
from etude.text.splitting import same_text

ROOT = Path(os.environ.get("ETUDE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
BANKING = ROOT / "banking77"

pytestmark = [pytest.mark.real, pytest.mark.skipif(not BANKING.exists(), reason="BANKING77 is not there")]


def test_the_given_test_split_stays_whole_and_the_texts_it_shares_leave_the_training_split() -> None:
    data = steps.read(file=BANKING, label="category")
    splits = steps.split(data, seed=0)
    assert len(data) == 13_083
    assert len(splits.test) == 3_080
    assert len(set(data["label"].to_pylist())) == 77
    test = set(map(same_text, splits.test["text"].to_pylist()))
    kept = [*splits.train["text"].to_pylist(), *splits.validation["text"].to_pylist()]
    assert not test & set(map(same_text, kept))
    assert 9_900 < len(kept) < 10_003


@pytest.mark.slow
def test_the_bag_of_words_is_as_good_as_the_same_model_fitted_by_hand() -> None:
    splits = steps.split(steps.read(file=BANKING, label="category"), seed=0, validation_fraction=0.0)
    raw = {name: list(csv.DictReader((BANKING / f"{name}.csv").open(encoding="utf-8"))) for name in ("train", "test")}
    texts, labels = ({name: [row[key] for row in rows] for name, rows in raw.items()} for key in ("text", "category"))
    words = TfidfVectorizer(sublinear_tf=True).fit(texts["train"])
    by_hand = LogisticRegression(C=10.0, max_iter=1000).fit(words.transform(texts["train"]), labels["train"])
    expected = by_hand.score(words.transform(texts["test"]), labels["test"])
    # Eleven training rows fewer: those that repeat another text.
    assert steps.bag_of_words(splits).accuracy == pytest.approx(expected, abs=0.005)
    assert steps.majority(splits).accuracy == pytest.approx(1 / 77, abs=1e-4)


def test_the_layout_is_known_by_name_and_reads_the_same() -> None:
    assert steps.known(name="banking77", folder=BANKING) == steps.read(file=BANKING, label="category")


def test_test_texts_that_stand_in_training_are_reported() -> None:
    data = steps.read(file=BANKING, label="category")
    raw = {name: list(csv.DictReader((BANKING / f"{name}.csv").open(encoding="utf-8"))) for name in ("train", "test")}
    train, test = ({row["text"].strip().lower() for row in raw[name]} for name in ("train", "test"))
    found = [row for row in steps.duplicates(data).to_pylist() if row["across"]]
    assert len(train & test) == 6
    assert train & test < {row["text"] for row in found}
    assert len(found) == 7  # One more pair differs in a space between words.
    assert all(set(row["splits"]) == {"train", "test"} for row in found)


def test_the_splits_in_numbers() -> None:
    found = steps.describe(steps.split(steps.read(file=BANKING, label="category"), seed=0))
    assert (found.labels, found.test, found.labels_unseen, found.shared_with_train) == (77, 3080, 0, 0)
    assert found.words_mean == pytest.approx(11.7, abs=0.2)
