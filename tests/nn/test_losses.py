"""Losses that add up: a batch in parts has the loss and the gradient of the batch whole."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.errors import ConfigError
from etude.nn.losses import class_weights, summed_cross_entropy, weight_of

C = 4


@given(
    st.integers(1, 9),
    st.lists(st.integers(0, 9), max_size=3),
    st.one_of(st.none(), st.lists(st.floats(0.1, 5), min_size=C, max_size=C)),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.integers(0, 999),
)
@settings(deadline=None)
def test_the_sum_over_parts_over_the_weight_of_the_whole_is_the_mean_that_torch_takes(
    rows: int, cuts: list[int], weights: list[float] | None, smoothing: float, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, C, generator=draw, dtype=torch.float32)
    labels = torch.randint(0, C, (rows,), generator=draw)
    weights_C = None if weights is None else torch.tensor(weights)
    edges = sorted({0, rows, *(cut for cut in cuts if cut < rows)})
    parts = [slice(start, end) for start, end in pairwise(edges)]
    loss = sum(
        summed_cross_entropy(logits[at], labels[at], weights_C=weights_C, smoothing=smoothing) for at in parts
    ) / weight_of(labels, weights_C)
    expected = torch.nn.functional.cross_entropy(logits, labels, weight=weights_C, label_smoothing=smoothing)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5, abs=1e-6)


def test_balanced_weights_make_classes_count_the_same_and_the_mean_example_one() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 3])
    weights = class_weights("balanced", labels, ["a", "b", "c", "d"])
    assert weights is not None
    counted = torch.bincount(labels, minlength=4) * weights
    assert counted[[0, 1, 3]] == pytest.approx([2.0, 2.0, 2.0])
    assert float(weights[labels].mean()) == pytest.approx(1.0)
    assert weights[2] == 0


def test_balanced_weights_are_those_of_another_library() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = torch.tensor([0, 1, 1, 2, 2, 2, 2])
    found = class_weights("balanced", labels, ["a", "b", "c"])
    assert found is not None
    expected = compute_class_weight("balanced", classes=labels.unique().numpy(), y=labels.numpy())
    assert found.tolist() == pytest.approx(expected.tolist())


def test_given_weights_go_by_name_and_the_rest_have_one() -> None:
    weights = class_weights({"b": 3.0}, torch.tensor([0, 1]), ["a", "b"])
    assert weights is not None
    assert weights.tolist() == [1.0, 3.0]
    assert class_weights("none", torch.tensor([0, 1]), ["a", "b"]) is None


@pytest.mark.parametrize(("given_", "told"), [({"bee": 1.0}, "bee"), ({"b": -1.0}, "class_weights.b")])
def test_a_weight_for_no_class_or_below_zero_is_refused(given_: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        class_weights(given_, torch.tensor([0, 1]), ["a", "b"])
