"""How much memory predicting takes beside the model, in a process of its own."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from etude.nn.model_types import Tokens, TrainedModel
from etude.text import steps
from etude.text.types import Splits
from step_context import StepContext


def peak_bytes() -> int:
    """The most that was ever resident."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) * 1024


def long_texts(tokens: Tokens, rows: int, longest: int) -> Tokens:
    """As many rows of random tokens, up to this long, in the test split."""
    random = np.random.default_rng(0)
    ends = np.concatenate([[0], np.cumsum(random.integers(longest // 2, longest + 1, rows))]).astype(np.int32)
    ids = random.integers(1, tokens.vocabulary, int(ends[-1]), dtype=np.int32)
    table = pa.table(
        {
            "id": pa.array(np.arange(rows)),
            "label": pa.array(np.zeros(rows, dtype=np.int32)),
            "tokens": pa.ListArray.from_arrays(pa.array(ends), pa.array(ids)),
        }
    )
    return Tokens(
        train=tokens.train,
        validation=tokens.validation,
        test=table,
        labels=tokens.labels,
        tokenizer=tokens.tokenizer,
        vocabulary=tokens.vocabulary,
        pad_id=tokens.pad_id,
    )


def small(scratch: Path, labels: int) -> tuple[TrainedModel, Tokens]:
    """A trained model of many classes with room for long texts."""
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    names = [f"label{index}" for index in range(labels)]
    table = pa.table(
        {
            "id": list(range(2 * labels)),
            "text": [f"{words[row % 10]} {words[row // 10 % 10]} {row}" for row in range(2 * labels)],
            "label": names * 2,
        }
    )
    empty = table.slice(0, 0)
    long = pa.table({"id": [0], "text": [" ".join(words * 60)], "label": names[:1]})
    tokens = steps.tokenize(Splits(train=table, validation=empty, test=long), vocabulary=320, max_tokens=512)
    sizes = {"width": 32, "layers": 1, "heads": 2, "feed_forward": 64, "precision": "fp32"}
    run = StepContext(scratch)
    model = steps.train(tokens, ctx=run, pooling="mean", seed=0, epochs=1, learning_rate=1e-3, **sizes)
    return model, tokens


def main() -> None:
    rows, longest = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as scratch:
        model, tokens = small(Path(scratch), labels=77)
        many = long_texts(tokens, rows, longest)
        few = long_texts(tokens, 20, longest)
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        steps.predict(model, few, ctx=StepContext(Path(scratch)), keep=("logits", "states"), batch_tokens=512)
        before = peak_bytes()
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        table = steps.predict(model, many, ctx=StepContext(Path(scratch)), keep=("logits", "states"))
        assert len(table) == rows
        print(peak_bytes() - before)


if __name__ == "__main__":
    main()
