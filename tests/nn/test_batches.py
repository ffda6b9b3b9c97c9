"""Batches under a token budget are a pure function of lengths, seed and epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from etude.nn.batches import Batches, padding_ratio, rounded_up, shuffled_plan, sorted_plan

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 2000), st.integers(0, 9), st.integers(0, 9))
def test_each_example_stands_in_exactly_one_batch(lengths: list[int], tokens: int, seed: int, epoch: int) -> None:
    for plan in (shuffled_plan(lengths, tokens=tokens, seed=seed, epoch=epoch), sorted_plan(lengths, tokens=tokens)):
        assert sorted(index for batch in plan for index in batch) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 2000), st.integers(1, 20))
def test_no_batch_goes_over_its_budget_but_one_of_a_single_long_example(
    lengths: list[int], tokens: int, examples: int
) -> None:
    for plan in (
        shuffled_plan(lengths, tokens=tokens, examples=examples, seed=0, epoch=0),
        sorted_plan(lengths, tokens=tokens, examples=examples),
    ):
        for batch in plan:
            assert len(batch) <= examples
            assert len(batch) == 1 or max(lengths[index] for index in batch) * len(batch) <= tokens


@given(LENGTHS, st.integers(1, 2000))
def test_every_epoch_has_the_same_number_of_batches(lengths: list[int], tokens: int) -> None:
    assert len({len(shuffled_plan(lengths, tokens=tokens, seed=1, epoch=epoch)) for epoch in range(4)}) == 1


def test_equal_arguments_give_equal_plans_and_another_epoch_or_seed_another() -> None:
    lengths = [1 + index % 20 for index in range(500)]
    plan = shuffled_plan(lengths, tokens=200, seed=1, epoch=2)
    assert plan == shuffled_plan(lengths, tokens=200, seed=1, epoch=2)
    assert plan != shuffled_plan(lengths, tokens=200, seed=1, epoch=3)
    assert plan != shuffled_plan(lengths, tokens=200, seed=2, epoch=2)


def test_an_example_changes_its_company_from_epoch_to_epoch() -> None:
    lengths = [10] * 400
    company = {
        frozenset(next(batch for batch in shuffled_plan(lengths, tokens=100, seed=0, epoch=epoch) if 0 in batch))
        for epoch in range(5)
    }
    assert len(company) == 5


@given(st.lists(st.integers(1, 5000), min_size=2))
def test_ceilings_are_above_the_length_by_less_than_an_eighth_and_keep_the_order(lengths: list[int]) -> None:
    ceilings = rounded_up(sorted(lengths)).tolist()
    assert all(length <= ceiling < length * 1.125 for length, ceiling in zip(sorted(lengths), ceilings, strict=True))
    assert ceilings == sorted(ceilings)


def test_short_texts_of_many_lengths_are_hardly_padded() -> None:
    lengths = [4 + index * 7 % 60 for index in range(8000)]
    plan = shuffled_plan(lengths, tokens=2048, seed=0, epoch=0)
    assert padding_ratio(lengths, plan) < 1.05


def test_the_longest_come_first_where_nothing_is_learnt() -> None:
    assert sorted_plan([3, 9, 1, 7], tokens=9) == [[1], [3], [2, 0]]


def batches() -> Batches[list[int]]:
    def plan(epoch: int) -> Sequence[Sequence[int]]:
        return shuffled_plan([1] * 12, tokens=2, seed=0, epoch=epoch)

    return Batches(plan, list)


def test_batches_go_on_where_their_state_was_taken() -> None:
    whole, first, second = batches(), batches(), batches()
    for each in (whole, first):
        each.set_epoch(3)
    begun = list(islice(iter(first), 2))
    second.load_state_dict(first.state_dict())
    second.set_epoch(3)
    assert begun + list(second) == list(whole)


def test_a_place_in_one_epoch_says_nothing_of_another() -> None:
    each, other = batches(), batches()
    each.load_state_dict({"epoch": 0, "given": 4})
    each.set_epoch(1)
    other.set_epoch(1)
    assert list(each) == list(other)


def test_an_epoch_that_was_given_out_whole_starts_again() -> None:
    each = batches()
    whole = list(each)
    each.load_state_dict(each.state_dict())
    assert list(each) == whole
