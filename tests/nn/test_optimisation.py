"""What decays, what the step size of the head is, and how it goes over a training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from etude.nn.embedding_subset import embedding_subset
from etude.nn.optimisation import parameter_groups, schedule_factor
from etude.nn.training_spec import ScheduleKind


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
    with embedding_subset(model, [1, 2]):
        assert told(model)["embedding.weight"] == (0.1, 0.0)


KINDS = st.sampled_from(["cosine", "linear", "constant"])


@given(KINDS, st.integers(1, 500), st.floats(0, 1))
def test_the_step_size_rises_to_its_peak_then_falls_and_is_never_zero_on_the_way(
    kind: ScheduleKind, steps: int, warm_up: float
) -> None:
    shares = [schedule_factor(step, kind=kind, steps=steps, warm_up=warm_up) for step in range(steps)]
    rising = round(warm_up * steps)
    assert shares[:rising] == sorted(shares[:rising])
    assert shares[rising:] == sorted(shares[rising:], reverse=True)
    assert all(0 < share <= 1 for share in shares)


@pytest.mark.parametrize(
    ("kind", "shares"),
    [("cosine", [1.0, 0.854, 0.5, 0.146, 0.0]), ("linear", [1.0, 0.75, 0.5, 0.25, 0.0]), ("constant", [1.0] * 5)],
)
def test_without_warm_up_training_starts_at_the_peak(kind: ScheduleKind, shares: list[float]) -> None:
    found = [schedule_factor(step, kind=kind, steps=8, warm_up=0.0) for step in (0, 2, 4, 6, 8)]
    assert found == pytest.approx(shares, abs=1e-3)


@given(KINDS, st.integers(1, 99))
def test_all_kinds_rise_alike(kind: ScheduleKind, step: int) -> None:
    assert schedule_factor(step, kind=kind, steps=200, warm_up=0.5) == pytest.approx((step + 1) / 101)
