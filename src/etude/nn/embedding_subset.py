"""Embeddings trained without the rows of tokens that do not occur: the same training, at the cost of those that do.

A row whose token never occurs has no gradient. An optimiser that starts from zero moments, and does not let embeddings
decay, therefore never moves it; leaving it out saves walking through it in every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

MOST_KEPT = 0.5
"""Where more than this part of the rows occurs, all are kept."""


class SubsetEmbedding(nn.Module):
    """The rows of an embedding that some token ids select."""

    looks_up = True

    def __init__(self, whole: nn.Embedding, ids: Tensor) -> None:
        """Keep the rows of these ids, distinct and rising; no other may be looked up."""
        super().__init__()
        place = torch.full((whole.num_embeddings,), -1, dtype=torch.long)
        place[ids] = torch.arange(len(ids))
        padding = whole.padding_idx
        self.padding = None if padding is None or place[padding] < 0 else int(place[padding])
        self.register_buffer("ids", ids, persistent=False)
        self.register_buffer("place", place, persistent=False)
        self.weight = nn.Parameter(whole.weight.detach()[ids].clone())

    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.embedding(self.place[ids], self.weight, self.padding)  # type: ignore[index]


@contextmanager
def embedding_subset(model: nn.Module, ids: Iterable[int]) -> Iterator[None]:
    """While open, the model's input embedding has only the rows of these ids; at the end they are put back.

    An embedding of a class of its own, one that is frozen, tied to other layers or mostly used is left as it is.

    Args:
        model: Has `get_input_embeddings` and `set_input_embeddings`, as models of transformers do.
        ids: The token ids that will be looked up, padding included.
    """
    wanted = torch.tensor(sorted(set(ids)), dtype=torch.long)
    whole = _trimmable(model, len(wanted))
    if whole is None:
        yield
        return
    some = SubsetEmbedding(whole, wanted).to(whole.weight.device)
    model.set_input_embeddings(some)  # type: ignore[operator]
    try:
        yield
    finally:
        with torch.no_grad():
            whole.weight[wanted] = some.weight.to(whole.weight)
        model.set_input_embeddings(whole)  # type: ignore[operator]


def _trimmable(model: nn.Module, kept: int) -> nn.Embedding | None:
    if not hasattr(model, "get_input_embeddings"):
        return None
    embedding = model.get_input_embeddings()  # type: ignore[operator]
    if type(embedding) is not nn.Embedding or not embedding.weight.requires_grad:
        return None
    if embedding.max_norm is not None or embedding.scale_grad_by_freq or embedding.sparse:
        return None
    holders = sum(parameter is embedding.weight for each in model.modules() for parameter in each.parameters(False))
    return embedding if holders == 1 and kept <= MOST_KEPT * embedding.num_embeddings else None
