"""From the pooled vector to class logits. Shapes: B batch, D width, C classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
