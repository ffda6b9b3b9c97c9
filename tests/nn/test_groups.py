"""What decays, and what the head's step size is."""

from __future__ import annotations

from torch import nn

from etude.nn.groups import parameter_groups
from etude.nn.trimmed import trimmed


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.backbone = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        self.head = nn.Linear(4, 2)
        self.backbone[0].bias.requires_grad_(False)

    def get_input_embeddings(self) -> nn.Module:
        return self.embedding

    def set_input_embeddings(self, embedding: nn.Embedding) -> None:
        self.embedding = embedding


def told(model: nn.Module) -> dict[str, tuple[float, float]]:
    """Name → step size and decay."""
    groups = parameter_groups(
        model, learning_rate=0.1, weight_decay=0.5, is_head=lambda name: name.startswith("head."), head_rate=10.0
    )
    found = {id(each): (group["lr"], group["weight_decay"]) for group in groups for each in group["params"]}
    return {name: found[id(each)] for name, each in model.named_parameters() if id(each) in found}


def test_matrices_decay_and_vectors_and_embeddings_do_not() -> None:
    assert told(Model()) == {
        "embedding.weight": (0.1, 0.0),
        "backbone.0.weight": (0.1, 0.5),
        "backbone.1.weight": (0.1, 0.0),
        "backbone.1.bias": (0.1, 0.0),
        "head.weight": (1.0, 0.5),
        "head.bias": (1.0, 0.0),
    }


def test_a_trimmed_embedding_does_not_decay_either() -> None:
    model = Model()
    with trimmed(model, [1, 2]):
        assert told(model)["embedding.weight"] == (0.1, 0.0)
