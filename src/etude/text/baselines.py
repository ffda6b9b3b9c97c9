"""What any trained model must beat: the commonest label, and a linear model on counted words."""

from __future__ import annotations

from collections import Counter

from etude.text.scores import scores
from etude.text.types import Evaluation, TextTable


def commonest_label(train: TextTable, test: TextTable) -> Evaluation:
    """Predict the label that most training texts have, the first by name among equals."""
    counts = Counter(train["label"].to_pylist())
    commonest = min(counts, key=lambda label: (-counts[label], label))
    return scores(test["label"].to_pylist(), [commonest] * len(test))


def word_counts(train: TextTable, test: TextTable, *, words: int, strength: float) -> Evaluation:
    """Logistic regression on weighted counts of words.

    Args:
        train: Texts to learn from, the vocabulary too.
        test: Texts to predict.
        words: The longest run of words that counts as a feature: 1 for single words, 2 for pairs as well.
        strength: Inverse of the L2 penalty's weight.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, words), sublinear_tf=True),
        LogisticRegression(C=strength, max_iter=1000),
    )
    model.fit(train["text"].to_pylist(), train["label"].to_pylist())
    return scores(test["label"].to_pylist(), model.predict(test["text"].to_pylist()).tolist())
