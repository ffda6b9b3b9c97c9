"""What heads compute, and which settings they take."""

from __future__ import annotations

import pytest
import torch

from etude.nn.classifier_heads import CosineHead, head_of
from etude.nn.classifier_spec import HeadSpec
from etude.nn.padding import left_alignment
from etude.nn.randomness import fixed_seed


def test_cosine_logits_are_the_scale_times_the_cosines() -> None:
    with fixed_seed(0):
        head = CosineHead(6, 3)
        vector = torch.randn(4, 6)
    expected = torch.nn.functional.cosine_similarity(vector[:, None], head.weight[None], dim=2) * head.scale
    torch.testing.assert_close(head(vector), expected, atol=1e-5, rtol=0)


def test_the_length_of_a_vector_has_no_say_in_cosine_logits() -> None:
    with fixed_seed(0):
        head, vector = CosineHead(6, 3), torch.randn(4, 6)
    torch.testing.assert_close(head(vector), head(100 * vector), atol=1e-5, rtol=0)
    assert head(torch.zeros(1, 6)).isfinite().all()


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (HeadSpec(), 8 * 3 + 3),
        (HeadSpec(bias=False), 8 * 3),
        (HeadSpec(kind="mlp"), 8 * 8 + 8 + 8 * 3 + 3),
        (HeadSpec(kind="mlp", hidden=5, bias=False), 8 * 5 + 5 + 5 * 3),
        (HeadSpec(kind="cosine"), 8 * 3 + 1),
    ],
)
def test_a_head_has_the_parameters_that_its_spec_says(spec: HeadSpec, parameters: int) -> None:
    head = head_of(spec, 8, 3, dropout=0.1)
    assert sum(each.numel() for each in head.parameters()) == parameters
    assert head(torch.ones(2, 8)).shape == (2, 3)


def test_dropout_acts_while_training_alone() -> None:
    with fixed_seed(0):
        head, vector = head_of(HeadSpec(), 64, 3, dropout=0.5), torch.ones(1, 64)
        assert not torch.equal(head(vector), head(vector))
    head.eval()
    assert torch.equal(head(vector), head(vector))


def test_a_width_within_goes_with_two_layers_alone() -> None:
    with pytest.raises(ValueError, match=r"^hidden"):
        HeadSpec(kind="linear", hidden=4)


def test_tokens_move_to_the_left_in_their_order_and_shared_padding_goes() -> None:
    ids = torch.tensor([[9, 5, 9, 6, 9], [9, 9, 9, 7, 9]])
    mask = torch.tensor([[0, 1, 0, 1, 0], [0, 0, 0, 1, 0]])
    found, kept = left_alignment(ids, mask, 3)
    assert found.tolist() == [[5, 6], [7, 3]]
    assert kept.tolist() == [[1, 1], [1, 0]]


def test_a_length_that_is_asked_for_is_filled_up_or_cut() -> None:
    ids, mask = torch.tensor([[5, 6, 7]]), torch.ones(1, 3)
    assert left_alignment(ids, mask, 0, length=5)[0].tolist() == [[5, 6, 7, 0, 0]]
    assert left_alignment(ids, mask, 0, length=5)[1].tolist() == [[1, 1, 1, 0, 0]]
    assert left_alignment(ids, mask, 0, length=2)[0].tolist() == [[5, 6]]


def test_rows_without_tokens_keep_a_column() -> None:
    assert left_alignment(torch.ones(2, 4, dtype=torch.long), torch.zeros(2, 4), 0)[0].shape == (2, 1)
