"""A batch in parts has the gradient of the batch whole, whatever the weights and the smoothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from etude.nn.classification import Classification
from etude.nn.token_batches import TokenBatch
from etude.nn.training_spec import TrainingSpec

CLASSES = 3


class Counts(nn.Module):
    """Logits from how often each token occurs."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Embedding(12, 4)
        self.head = nn.Linear(4, CLASSES)
        self.never_used = nn.Parameter(torch.zeros(2))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.backbone(ids) * mask[..., None]
        found: Tensor = self.head(states.sum(dim=1) / mask.sum(dim=1, keepdim=True))
        return found


def spec(micro: int | None, smoothing: float = 0.0) -> TrainingSpec:
    return TrainingSpec(
        seed=0,
        epochs=1,
        learning_rate=0.1,
        learning_rate_head=1.0,
        weight_decay=0.0,
        warm_up=0.0,
        schedule="constant",
        clip=1.0,
        batch_tokens=100,
        micro_batch_tokens=micro,
        class_weights="none",
        label_smoothing=smoothing,
        precision="fp32",
        watch="validation_loss",
        keep="last",
        patience=None,
        threshold=0.0,
        validate_every=None,
        milestones=(),
    )


def gradients(batch: TokenBatch, micro: int | None, smoothing: float, weights: Tensor | None) -> list[Tensor | None]:
    torch.manual_seed(1)
    module = Classification(Counts(), spec(micro, smoothing), steps=1, weights_C=weights)
    loss = module.training_step(batch, 0)
    loss.backward()
    module.on_after_backward()
    return [loss.detach(), *(parameter.grad for parameter in module.parameters())]


@given(
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 30),
    st.sampled_from([0.0, 0.2]),
    st.booleans(),
    st.integers(0, 999),
)
@settings(deadline=None, max_examples=60)
def test_parts_of_a_batch_add_up_to_its_loss_and_gradient(
    rows: int, width: int, micro: int, smoothing: float, weighted: bool, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 12, (rows, width), generator=draw)
    mask = torch.randint(0, 2, (rows, width), generator=draw)
    mask[:, 0] = 1
    batch = TokenBatch(ids, mask, torch.randint(0, CLASSES, (rows,), generator=draw))
    weights = torch.tensor([0.5, 2.0, 1.0]) if weighted else None
    whole = gradients(batch, None, smoothing, weights)
    parts = gradients(batch, micro, smoothing, weights)
    for one, other in zip(whole, parts, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert torch.allclose(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("most", "sizes"), [(None, [5]), (8, [2, 2, 1]), (100, [5]), (1, [1] * 5)])
def test_parts_hold_as_many_rows_as_fit_and_one_at_least(most: int | None, sizes: list[int]) -> None:
    batch = TokenBatch(torch.zeros(5, 4), torch.ones(5, 4), torch.arange(5))
    parts = batch.parts(most)
    assert [len(part.labels) for part in parts] == sizes
    assert torch.equal(torch.cat([part.labels for part in parts]), batch.labels)
