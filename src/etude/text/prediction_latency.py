"""How long a prediction takes: one text at a time and in batches, with the tokenizer and without."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa
import torch
from tokenizers import Tokenizer

from etude import Context, Stopped
from etude.errors import StepError
from etude.meter.latency import summary as told
from etude.nn.classifier import Classifier
from etude.nn.classifier_folder import TOKENIZER, load_classifier
from etude.nn.model_types import Backbone, SplitName, TrainedModel
from etude.nn.padding import pad
from etude.nn.precision import Precision, autocast, format_for
from etude.nn.randomness import fixed_seed
from etude.text.types import Latencies, Latency, ModeLatency, Splits

Mode: TypeAlias = Literal["single", "batch"]
Clock: TypeAlias = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTiming:
    """How one batch of texts went, in nanoseconds."""

    rows: tuple[int, ...]
    tokens: int
    tokenize_ns: int
    predict_ns: int


def time_predictions(
    model: TrainedModel,
    splits: Splits,
    backbone: Backbone | None = None,
    *,
    ctx: Context,
    split: SplitName = "test",
    examples: int = 200,
    warm_up: int = 20,
    batch: int = 32,
    max_tokens: int | None = None,
    precision: Precision = "fp32",
    clock: Clock = time.perf_counter_ns,
) -> Latencies:
    """Time the prediction of the first texts of a split: one by one, then in batches as they come.

    Each text goes from a string to the name of its class. Nothing is padded beyond the longest text of its batch. The
    garbage collector rests meanwhile, and a GPU is waited for. The run's windows `single` and `batch` hold the timed
    texts alone; the warm-up lies outside.

    Args:
        model: The classifier.
        splits: The texts.
        ctx: Where it runs.
        split: Which texts.
        examples: How many of them, at most.
        warm_up: How many predictions go before, untimed, in each mode; the texts are those that are timed, again and
            again where they are fewer.
        batch: Texts of a batch.
        max_tokens: Where longer texts are cut; None for the room that the model has.
        precision: The format of products.
        clock: Nanoseconds.

    Raises:
        StepError: The split has no texts.
        Stopped: The run was asked to stop.
    """
    texts = getattr(splits, split)["text"].slice(0, examples).to_pylist()
    ids = getattr(splits, split)["id"].slice(0, examples).to_pylist()
    if not texts:
        raise StepError(f"there is nothing to time: the {split} split has no texts")
    pipeline = _Pipeline.load(model.folder, backbone, ctx, max_tokens, clock)
    rows = {"single": [[index] for index in range(len(texts))], "batch": _batches(len(texts), batch)}
    timings: dict[str, list[BatchTiming]] = {}
    with (
        fixed_seed(0, threads=ctx.cpus),
        torch.inference_mode(),
        autocast(format_for(precision, ctx.devices), pipeline.device),
    ):
        for mode, plan in rows.items():
            _warm_up(pipeline, texts, plan, warm_up)
            with ctx.window(mode), _no_garbage_collected():
                timings[mode] = _run(pipeline, texts, plan, ctx)
    return _table(timings, ids)


def summarise(latencies: Latencies) -> Latency:
    """The distribution of latencies, mode by mode.

    Raises:
        StepError: A mode has none.
    """
    rows = latencies.to_pylist()
    single, batch = ([row for row in rows if row["mode"] == mode] for mode in ("single", "batch"))
    if not single or not batch:
        raise StepError("there are no latencies to summarise: both modes, single and batch, need some")
    return Latency(single=_mode(single), batch=_mode(batch))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pipeline:
    """From texts to the names of their classes."""

    classifier: Classifier
    labels: tuple[str, ...]
    tokenizer: Tokenizer
    pad_id: int
    device: str
    clock: Clock

    @staticmethod
    def load(folder: Path, backbone: Backbone | None, ctx: Context, max_tokens: int | None, clock: Clock) -> _Pipeline:
        classifier, labels = load_classifier(folder, None if backbone is None else backbone.folder)
        device = ctx.devices[0] if ctx.devices else "cpu"
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.no_padding()
        room = max_tokens if max_tokens is not None else classifier.most_tokens
        if room is not None:
            tokenizer.enable_truncation(room)
        return _Pipeline(
            classifier=classifier.to(device),
            labels=labels,
            tokenizer=tokenizer,
            pad_id=classifier.pad_id,
            device=device,
            clock=clock,
        )

    def predict(self, texts: Sequence[str], rows: Sequence[int]) -> tuple[list[str], BatchTiming]:
        """The classes of some texts, and how long each part took."""
        begin = self.clock()
        sequences = [self.tokenizer.encode(texts[row]).ids or [self.pad_id] for row in rows]
        tokenized = self.clock()
        ids, mask = pad(sequences, self.pad_id)
        logits = self.classifier(ids.to(self.device), mask.to(self.device))
        names = [self.labels[index] for index in logits.argmax(dim=1).tolist()]  # waits for the device
        end = self.clock()
        tokens = sum(map(len, sequences))
        return names, BatchTiming(
            rows=tuple(rows), tokens=tokens, tokenize_ns=tokenized - begin, predict_ns=end - tokenized
        )


def _run(pipeline: _Pipeline, texts: Sequence[str], plan: Sequence[Sequence[int]], ctx: Context) -> list[BatchTiming]:
    timings = []
    for done, rows in enumerate(plan):
        if ctx.stopping:
            raise Stopped(f"timing stopped after {done} of {len(plan)} batches")
        timings.append(pipeline.predict(texts, rows)[1])
    ctx.progress(len(plan), len(plan))
    return timings


def _warm_up(pipeline: _Pipeline, texts: Sequence[str], plan: Sequence[Sequence[int]], predictions: int) -> None:
    done = 0
    while done < predictions:
        for rows in plan:
            if done >= predictions:
                break
            pipeline.predict(texts, rows)
            done += len(rows)


def _batches(count: int, size: int) -> list[list[int]]:
    return [list(range(start, min(start + size, count))) for start in range(0, count, size)]


def _table(timings: dict[str, list[BatchTiming]], ids: Sequence[int]) -> Latencies:
    each = [
        {
            "mode": mode,
            "batch": number,
            "id": ids[row],
            "examples": len(time_predictions.rows),
            "tokens": time_predictions.tokens,
            "tokenize_s": time_predictions.tokenize_ns / 1e9,
            "predict_s": time_predictions.predict_ns / 1e9,
        }
        for mode, batches in timings.items()
        for number, time_predictions in enumerate(batches)
        for row in time_predictions.rows
    ]
    return pa.Table.from_pylist(each, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [
        ("mode", pa.string()),
        ("batch", pa.int64()),
        ("id", pa.int64()),
        ("examples", pa.int64()),
        ("tokens", pa.int64()),
        ("tokenize_s", pa.float64()),
        ("predict_s", pa.float64()),
    ]
)


def _mode(rows: Sequence[dict[str, float]]) -> ModeLatency:
    """Of batches: the time from a batch's beginning to its end is the latency of each of its texts."""
    batches = {int(row["batch"]): row for row in rows}
    total_s = sum(row["tokenize_s"] + row["predict_s"] for row in batches.values())
    with_tokenizer = told([row["tokenize_s"] + row["predict_s"] for row in rows], (0.5, 0.95, 0.99))
    without = told([row["predict_s"] for row in rows], (0.5, 0.95, 0.99))
    return ModeLatency(
        examples=len(rows),
        mean_s=with_tokenizer.mean.value,
        std_s=with_tokenizer.std,
        median_s=with_tokenizer.percentiles["p50"].value,
        p95_s=with_tokenizer.percentiles["p95"].value,
        p99_s=with_tokenizer.percentiles["p99"].value,
        mean_without_tokenizer_s=without.mean.value,
        std_without_tokenizer_s=without.std,
        median_without_tokenizer_s=without.percentiles["p50"].value,
        p95_without_tokenizer_s=without.percentiles["p95"].value,
        p99_without_tokenizer_s=without.percentiles["p99"].value,
        examples_per_s=len(rows) / total_s if total_s > 0 else None,
    )


@contextmanager
def _no_garbage_collected() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
