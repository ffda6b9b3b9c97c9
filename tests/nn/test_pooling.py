"""Pooling reads the mask alone: where the padding stands and what it holds makes no difference."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import LlamaConfig, LlamaModel

from etude.nn.classifier import Classifier
from etude.nn.classifier_spec import ClassifierSpec, PoolingKind
from etude.nn.padding import pad
from etude.nn.pooling import Pooling
from etude.nn.randomness import fixed_seed

KINDS = get_args(PoolingKind)
WIDTH = 6


def pooling(kind: PoolingKind) -> Pooling:
    with fixed_seed(0):
        return Pooling(kind, WIDTH)


def placed(states: list[Tensor], starts: list[int], length: int, junk: float) -> tuple[Tensor, Tensor]:
    """Sequences at given places in rows that are otherwise junk."""
    rows = torch.full((len(states), length, WIDTH), junk)
    mask = torch.zeros(len(states), length, dtype=torch.long)
    for row, (own, start) in enumerate(zip(states, starts, strict=True)):
        rows[row, start : start + len(own)] = own
        mask[row, start : start + len(own)] = 1
    return rows, mask


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    extra=st.integers(0, 40),
    junk=st.sampled_from([0.0, 1e6, -1e6, float("nan"), float("inf")]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_padding_of_any_side_amount_and_content_leaves_the_pooled_state_as_without(
    kind: PoolingKind, lengths: list[int], extra: int, junk: float, seed: int, data: st.DataObject
) -> None:
    module = pooling(kind)
    with fixed_seed(seed):
        states = [torch.randn(length, WIDTH) for length in lengths]
    alone = torch.cat([module(own[None], torch.ones(1, len(own))) for own in states])
    room = max(lengths) + extra
    starts = [data.draw(st.integers(0, room - length)) for length in lengths]
    together = module(*placed(states, starts, room, junk))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_mean_max_and_last_are_what_their_names_say() -> None:
    states, mask = torch.tensor([[[9.0], [1.0], [5.0], [9.0]]]), torch.tensor([[0, 1, 1, 0]])
    assert Pooling("mean", 1)(states, mask).item() == 3.0
    assert Pooling("max", 1)(states, mask).item() == 5.0
    assert Pooling("last", 1)(states, mask).item() == 5.0


def test_the_largest_of_negative_states_is_negative() -> None:
    states, mask = torch.tensor([[[-3.0], [-2.0], [0.0]]]), torch.tensor([[1, 1, 0]])
    assert Pooling("max", 1)(states, mask).item() == -2.0


def test_attention_weighs_tokens_by_the_softmax_of_their_scores() -> None:
    module = Pooling("attention", 1)
    assert module.score is not None
    with torch.no_grad():
        module.score.weight.fill_(1.0)
    states, mask = torch.tensor([[[0.0], [1.0], [7.0]]]), torch.tensor([[1, 1, 0]])
    weight = torch.tensor(1.0).sigmoid().item()
    assert module(states, mask).item() == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_tokens_pools_to_zeros(kind: PoolingKind) -> None:
    states = torch.full((1, 3, WIDTH), float("nan"))
    module = pooling(kind)
    assert torch.equal(module(states, torch.zeros(1, 3)), torch.zeros(1, module.width))


@pytest.mark.parametrize("kind", KINDS)
def test_padding_gets_no_gradient(kind: PoolingKind) -> None:
    states = torch.randn(1, 4, WIDTH, requires_grad=True)
    pooling(kind)(states, torch.tensor([[0, 1, 1, 0]])).sum().backward()
    assert states.grad is not None
    assert torch.equal(states.grad[0, [0, 3]], torch.zeros(2, WIDTH))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_classifier_gives_each_text_the_logits_it_gives_it_alone(kind: PoolingKind, side: str) -> None:
    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, pad_token_id=0
    )
    with fixed_seed(3):
        spec = ClassifierSpec(pooling=kind, dropout=0.5, embedded_dropout=0.5)
        model = Classifier(LlamaModel(config), spec, 4, pad_id=0).eval()
        texts = [torch.randint(1, 50, (length,)).tolist() for length in (1, 3, 12, 7)]
    with torch.inference_mode():
        alone = torch.cat([model(*pad([text], 0)) for text in texts])
        together = model(*pad(texts, 0, side=side))  # type: ignore[arg-type]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
