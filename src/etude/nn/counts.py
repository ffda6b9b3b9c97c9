"""How many numbers a classifier has in its parts, as its card says. Read without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CARD = "classifier.json"
"""What is written last into a classifier's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers in tensors, each tensor once."""

    backbone: int
    """Of the backbone itself, trained or not."""
    backbone_trained: int
    adapter: int
    """Added to it; all trained."""
    head: int
    """Layer mix, filter, pooling and head; all trained."""
    targets: tuple[str, ...]
    """Layers that the adapter acts on; empty for what acts on none in particular."""


def read_counts(folder: Path) -> Counts:
    """How many numbers the classifier in a folder has in its parts."""
    content = json.loads((folder / CARD).read_text(encoding="utf-8"))["counts"]
    return Counts(**{**content, "targets": tuple(content["targets"])})
