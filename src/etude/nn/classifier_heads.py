"""From the pooled vector, or from the outputs of a base model, to class logits.

The head that an architecture of transformers brings along is made safe for any padding: its base model is taken out and
run by the classifier, and what remains reads the base model's outputs. Where the library scores the last token, which
it finds by the padding's id, the mask finds it here, and one token is scored, not all.
Shapes: B batch, T tokens, D width, C classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from etude.errors import StepError
from etude.nn.backbone import quiet
from etude.nn.classifier_spec import HeadSpec


class CosineHead(nn.Module):
    """Logits are the cosines between the vector and a learned direction per class, times a learned scale.

    Source: Gidaris and Komodakis, Dynamic Few-Shot Visual Learning without Forgetting, 2018, section 3.2.
    """

    def __init__(self, width: int, classes: int, scale: float = 16.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, width))
        self.scale = nn.Parameter(torch.tensor(scale))
        nn.init.normal_(self.weight, std=width**-0.5)

    def forward(self, vector_BD: Tensor) -> Tensor:
        """Logits, shape (B, C)."""
        directions_CD = nn.functional.normalize(self.weight, dim=1)
        return self.scale * nn.functional.linear(nn.functional.normalize(vector_BD, dim=1), directions_CD)


def head_of(spec: HeadSpec, width: int, classes: int, dropout: float) -> nn.Module:
    """A linear, two-layer or cosine head; the dropout acts on what each layer reads, while training only."""
    match spec.kind:
        case "linear":
            return nn.Sequential(nn.Dropout(dropout), nn.Linear(width, classes, bias=spec.bias))
        case "mlp":
            inner = spec.hidden or width
            return nn.Sequential(
                nn.Dropout(dropout),
                nn.Linear(width, inner),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(inner, classes, bias=spec.bias),
            )
        case "cosine":
            return nn.Sequential(nn.Dropout(dropout), CosineHead(width, classes))
        case "default":
            raise AssertionError("the model's own head comes with the model")


class _Given(nn.Module):
    """Stands for the base model and gives what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: Any = None

    def forward(self, *positional: Any, **named: Any) -> Any:
        return self.outputs


class LibraryHead(nn.Module):
    """A sequence-classification model without its base model."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.given = _Given()
        setattr(model, model.base_model_prefix, self.given)
        self.model = model

    @property
    def projection(self) -> nn.Module:
        """The layer that gives the logits."""
        linear = [module for module in self.model.modules() if isinstance(module, nn.Linear)]
        return linear[-1]

    def forward(self, outputs: Any, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Logits, shape (B, C), from the base model's outputs and the tokens that they were made from."""
        self.given.outputs = _in_full(outputs)
        try:
            logits: Tensor = self.model(input_ids=ids_BT, attention_mask=mask_BT).logits
        finally:
            self.given.outputs = None
        return logits


def library_classifier(folder: Path, classes: int) -> tuple[PreTrainedModel, LibraryHead | nn.Linear]:
    """The base model, and the head: a linear layer for the last token's state, or all that follows the base model.

    Raises:
        StepError: The library has no sequence classification for this architecture.
    """
    try:
        with quiet():
            model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=classes)
    except ValueError as error:
        reason = f"{folder}: the library has no sequence classification for it ({str(error).splitlines()[0]})"
        raise StepError(f"{reason}.\n    Mend: head: linear, with a pooling.") from error
    base = getattr(model, model.base_model_prefix)
    if isinstance(getattr(model, "score", None), nn.Linear):
        return base, model.score.float()
    return base, LibraryHead(model).float()


def _in_full(outputs: Any) -> Any:
    """The same outputs in float32, the format of every head: weights in fewer digits would lose small steps."""
    wide = {
        name: value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in outputs.items()
    }
    return type(outputs)(**wide)
