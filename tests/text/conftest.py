from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from etude.nn.model_types import Tokens, TrainedModel
from etude.text import steps
from etude.text.types import Splits
from step_context import StepContext

TOPICS = {
    "sea": ["fish", "wave", "salt", "boat", "tide"],
    "land": ["goat", "hill", "grass", "stone", "path"],
    "air": ["wing", "cloud", "kite"],
}
SMALL = {
    "epochs": 3,
    "learning_rate": 0.01,
    "batch_tokens": 128,
    "precision": "fp32",
    "width": 16,
    "heads": 2,
    "feed_forward": 32,
}


@pytest.fixture(scope="session")
def texts() -> pa.Table:
    """Made-up sentences about three topics."""
    draw = random.Random(0)
    rows = [
        (" ".join(["we see", *draw.choices(words, k=draw.randint(1, 8)), f"on day {day}"]), topic)
        for topic, words in TOPICS.items()
        for day in range(80)
    ]
    columns = {"id": list(range(len(rows))), "text": [text for text, _ in rows], "label": [label for _, label in rows]}
    return pa.table(columns)


@pytest.fixture(scope="session")
def splits(texts: pa.Table) -> Splits:
    return steps.split(texts, seed=0)


@pytest.fixture(scope="session")
def tokens(splits: Splits) -> Tokens:
    return steps.tokenize(splits, vocabulary=320)


@pytest.fixture(scope="session")
def train() -> Callable[..., TrainedModel]:
    """Trains a very small classifier; further settings replace those of `SMALL`."""

    def trained(tokens: Tokens, ctx: StepContext, **settings: Any) -> TrainedModel:
        ctx.scratch.mkdir(exist_ok=True)
        return steps.train(tokens, ctx=ctx, **{"pooling": "mean", "seed": 1, **SMALL, **settings})

    return trained


@pytest.fixture(scope="session")
def model(tokens: Tokens, train: Callable[..., TrainedModel], tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return train(tokens, StepContext(tmp_path_factory.mktemp("model")))
