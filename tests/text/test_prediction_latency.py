"""What is timed, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from etude import Stopped
from etude.errors import StepError
from etude.nn.model_types import TrainedModel
from etude.text import steps
from etude.text.prediction_latency import summarise, time_predictions
from etude.text.types import Splits
from step_context import StepContext


@dataclass
class Windows(StepContext):
    """Remembers how often the clock was read within each window."""

    reads: list[str] = field(default_factory=list)
    inside: str = "outside"

    @contextmanager
    def window(self, name: str) -> Iterator[None]:
        self.inside = name
        yield
        self.inside = "outside"

    def clock(self) -> int:
        """Ten milliseconds pass between readings, a second in warm-up."""
        self.reads.append(self.inside)
        return sum(10_000_000 if place != "outside" else 1_000_000_000 for place in self.reads)


def test_each_text_has_a_row_in_each_mode_and_warm_up_has_none(
    model: TrainedModel, splits: Splits, tmp_path: Path
) -> None:
    run = Windows(tmp_path)
    table = time_predictions(model, splits, ctx=run, examples=10, warm_up=5, batch=4, clock=run.clock)
    ids = splits.test["id"].to_pylist()[:10]
    assert table["mode"].to_pylist() == ["single"] * 10 + ["batch"] * 10
    assert table["id"].to_pylist() == ids * 2
    assert table["examples"].to_pylist() == [1] * 10 + [4] * 8 + [2] * 2
    assert [run.reads.count(name) for name in ("outside", "single", "batch")] == [3 * (5 + 2), 3 * 10, 3 * 3]
    assert max(*table["tokenize_s"].to_pylist(), *table["predict_s"].to_pylist()) == pytest.approx(0.01)


def test_latencies_are_summed_up_with_the_tokenizer_and_without(
    model: TrainedModel, splits: Splits, tmp_path: Path
) -> None:
    run = Windows(tmp_path)
    found = summarise(time_predictions(model, splits, ctx=run, examples=10, warm_up=3, batch=5, clock=run.clock))
    assert (found.single.examples, found.batch.examples) == (10, 10)
    assert found.single.mean_s == found.single.p99_s == pytest.approx(0.02)
    assert found.single.median_without_tokenizer_s == pytest.approx(0.01)
    assert found.single.std_s == pytest.approx(0.0, abs=1e-9)
    assert found.single.examples_per_s == pytest.approx(50)
    assert found.batch.examples_per_s == pytest.approx(250)


def test_percentiles_and_spread_are_those_of_numpy(model: TrainedModel, splits: Splits, tmp_path: Path) -> None:
    table = time_predictions(model, splits, ctx=StepContext(tmp_path), examples=30, warm_up=1)
    found = summarise(table).single
    rows = [row for row in table.to_pylist() if row["mode"] == "single"]
    times = np.array([row["tokenize_s"] + row["predict_s"] for row in rows])
    expected = [times.mean(), times.std(ddof=1), *np.percentile(times, [50, 95, 99])]
    assert [found.mean_s, found.std_s, found.median_s, found.p95_s, found.p99_s] == pytest.approx(expected)
    assert all(row["predict_s"] > 0 for row in rows)


def test_fewer_texts_than_asked_for_are_timed_once_each(model: TrainedModel, splits: Splits, tmp_path: Path) -> None:
    table = steps.latencies(model, splits, ctx=StepContext(tmp_path), examples=10_000, warm_up=0, batch=64)
    assert len(table) == 2 * len(splits.test)
    assert steps.latency(table).batch.examples == len(splits.test)


def test_there_must_be_texts_and_timing_can_be_stopped(model: TrainedModel, splits: Splits, tmp_path: Path) -> None:
    bare = Splits(train=splits.train, validation=splits.validation, test=splits.test.slice(0, 0))
    with pytest.raises(StepError, match="test split has no texts"):
        time_predictions(model, bare, ctx=StepContext(tmp_path))
    with pytest.raises(Stopped):
        time_predictions(model, splits, ctx=StepContext(tmp_path, stop_after=-1.0, told=[0.0]))
