"""Trains a small Llama-architecture network from random weights to classify token sequences."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as lightning
import pyarrow as pa
import safetensors.torch
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, LlamaConfig, LlamaModel

from etude import Context
from etude.errors import StepError
from etude.nn.batches import Batches, shuffled_plan, sorted_plan
from etude.nn.classifier import PooledClassifier
from etude.nn.fit import fit
from etude.nn.padding import pad
from etude.nn.pooling_kind import PoolingKind
from etude.nn.schedule import warm_cosine
from etude.nn.seeded import seeded
from etude.text.types import Tokens, TrainedModel

WEIGHTS, HEAD, CARD = "model.safetensors", "head.safetensors", "classifier.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """The size of a Llama-architecture network."""

    width: int
    """Of a token's state; a multiple of twice the heads."""
    layers: int
    heads: int
    feed_forward: int
    """Width of the inner layer of each block's feed-forward part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserSpec:
    """How the weights are moved: AdamW under a warm-up and a half cosine."""

    learning_rate: float
    """The peak step size."""
    weight_decay: float
    warm_up: float
    """Share of the steps over which the step size rises."""
    clip: float
    """The largest norm of the gradient."""


class TokenBatch(NamedTuple):
    """Token ids and mask of shape (B, T), class indices of shape (B,)."""

    ids: Tensor
    mask: Tensor
    labels: Tensor


class Classification(lightning.LightningModule):  # type: ignore[misc]
    """A classifier under cross-entropy."""

    def __init__(self, classifier: PooledClassifier, spec: OptimiserSpec, steps: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.spec = spec
        self.steps = steps

    def training_step(self, batch: TokenBatch, index: int) -> Tensor:
        return torch.nn.functional.cross_entropy(self.classifier(batch.ids, batch.mask), batch.labels)

    def validation_step(self, batch: TokenBatch, index: int) -> None:
        logits = self.classifier(batch.ids, batch.mask)
        loss = torch.nn.functional.cross_entropy(logits, batch.labels)
        right = (logits.argmax(dim=1) == batch.labels).float().mean()
        self.log_dict({"validation_loss": loss, "validation_accuracy": right}, batch_size=len(batch.labels))

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=self.spec.learning_rate, weight_decay=self.spec.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: warm_cosine(step, steps=self.steps, warm_up=self.spec.warm_up)
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train_classifier(
    tokens: Tokens,
    backbone: BackboneSpec,
    optimiser: OptimiserSpec,
    *,
    ctx: Context,
    pooling: PoolingKind,
    dropout: float,
    batch_tokens: int,
    epochs: int,
    seed: int,
) -> TrainedModel:
    """Train, and write the classifier to a folder in the step's scratch.

    Raises:
        Stopped: The run was asked to stop; the same call goes on where it was.
    """
    longest = max(len(row) for part in (tokens.train, tokens.validation, tokens.test) for row in sequences(part))
    with seeded(seed):
        network = LlamaModel(_config(backbone, tokens, longest))
        classifier = PooledClassifier(network, pooling=pooling, classes=len(tokens.labels), dropout=dropout)
    training, validation = _batches(tokens, batch_tokens, seed)
    module = Classification(classifier, optimiser, steps=epochs * len(training))
    curve = fit(module, training, validation=validation, ctx=ctx, epochs=epochs, seed=seed, clip=optimiser.clip)
    folder = ctx.scratch / "model"
    save(classifier, tokens, folder)
    return TrainedModel(folder=folder, curve=pa.Table.from_pylist(curve))


def save(classifier: PooledClassifier, tokens: Tokens, folder: Path) -> None:
    """Write backbone, head, tokenizer and card; `load` gives the same logits to the bit."""
    folder.mkdir(parents=True, exist_ok=True)
    classifier.backbone.config.save_pretrained(folder)
    safetensors.torch.save_file(classifier.backbone.state_dict(), folder / WEIGHTS, metadata={"format": "pt"})
    head = {name: value for name, value in classifier.state_dict().items() if not name.startswith("backbone.")}
    safetensors.torch.save_file(head, folder / HEAD)
    (folder / "tokenizer.json").write_text(tokens.tokenizer, encoding="utf-8")
    card = {
        "pooling": classifier.pooling.kind,
        "labels": list(tokens.labels),
        "pad_id": tokens.pad_id,
        "tensors": {name: list(value.shape) for name, value in classifier.state_dict().items()},
    }
    (folder / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def load(folder: Path) -> tuple[PooledClassifier, tuple[str, ...]]:
    """The classifier, ready to predict, and its labels.

    Raises:
        StepError: A tensor is missing, left over or of another shape than the card says.
    """
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    backbone = {f"backbone.{name}": value for name, value in safetensors.torch.load_file(folder / WEIGHTS).items()}
    state = backbone | safetensors.torch.load_file(folder / HEAD)
    if {name: list(value.shape) for name, value in state.items()} != card["tensors"]:
        raise StepError(f"{folder}: the tensors are not those that {CARD} lists")
    with seeded(0):
        network = AutoModel.from_config(AutoConfig.from_pretrained(folder))
        classifier = PooledClassifier(network, pooling=card["pooling"], classes=len(card["labels"]))
    classifier.load_state_dict(state, strict=True)
    return classifier.eval(), tuple(card["labels"])


def sequences(part: pa.Table) -> list[Any]:
    """The token ids of each row, as NumPy arrays that share the table's memory."""
    column = part["tokens"].combine_chunks()
    values, offsets = column.values.to_numpy(), column.offsets.to_numpy()
    return [values[start:end] for start, end in pairwise(offsets.tolist())]


def _config(spec: BackboneSpec, tokens: Tokens, longest: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=tokens.vocabulary,
        hidden_size=spec.width,
        intermediate_size=spec.feed_forward,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        max_position_embeddings=longest,
        pad_token_id=tokens.pad_id,
        bos_token_id=None,
        eos_token_id=None,
        use_cache=False,
    )


def _batches(tokens: Tokens, budget: int, seed: int) -> tuple[Batches[TokenBatch], Batches[TokenBatch] | None]:
    lengths = [len(row) for row in sequences(tokens.train)]
    training = Batches(
        lambda epoch: shuffled_plan(lengths, tokens=budget, seed=seed, epoch=epoch),
        _collate(tokens.train, tokens.pad_id),
    )
    if not len(tokens.validation):
        return training, None
    plan = sorted_plan([len(row) for row in sequences(tokens.validation)], tokens=budget)
    return training, Batches(lambda epoch: plan, _collate(tokens.validation, tokens.pad_id))


def _collate(part: pa.Table, pad_id: int) -> Callable[[Sequence[int]], TokenBatch]:
    rows, labels = sequences(part), torch.tensor(part["label"].to_numpy().copy(), dtype=torch.long)
    return lambda batch: TokenBatch(*pad([rows[index] for index in batch], pad_id), labels[list(batch)])
