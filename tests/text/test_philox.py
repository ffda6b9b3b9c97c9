"""Random numbers by counter: the published ones, and none that depends on another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.text.philox import StreamKey, along, at_places, key_of, philox, uniforms

IDS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=8, unique=True)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_of_its_authors(counter: str, key: str, expected: str) -> None:
    words = [np.array([int(word, 16)], dtype=np.uint64) for word in counter.split()]
    first, second = (int(word, 16) for word in key.split())
    found = philox(StreamKey(first, second), *words)[0]
    assert [f"{int(word):08x}" for word in found] == expected.split()


@given(ids=IDS, draws=st.integers(1, 9), seed=st.integers(0, 2**70))
def test_an_example_has_the_same_numbers_alone_and_among_others(ids: list[int], draws: int, seed: int) -> None:
    key, examples = key_of(seed, "test"), np.array(ids)
    together = uniforms(key, examples, draws)
    alone = [uniforms(key, examples[row : row + 1], draws)[0] for row in range(len(ids))]
    assert np.array_equal(together, np.array(alone))
    assert len({tuple(row) for row in together}) == len(ids)


@given(ids=IDS, lengths=st.data())
def test_numbers_along_a_text_are_those_of_its_places(ids: list[int], lengths: st.DataObject) -> None:
    counts = np.array([lengths.draw(st.integers(0, 11)) for _ in ids])
    key, examples = key_of(0, "test"), np.array(ids)
    expected = [
        at_places(key, np.array([name]), np.array([place // 4]))[0, place % 4]
        for name, count in zip(examples, counts, strict=True)
        for place in range(count)
    ]
    assert along(key, examples, counts).tolist() == expected


def test_numbers_are_even_and_those_of_other_seeds_and_purposes_are_others() -> None:
    ids = np.arange(5000)
    streams = [uniforms(key_of(seed, purpose), ids, 8) for seed, purpose in ((0, "a"), (1, "a"), (0, "b"))]
    for numbers in streams:
        # 40,000 numbers in 10 bins: 99.99 % of all chi-squares with 9 degrees of freedom lie below 33.7.
        counts = np.histogram(numbers, bins=10, range=(0, 1))[0]
        assert ((counts - 4000) ** 2 / 4000).sum() < 33.7
        assert numbers.min() >= 0
        assert numbers.max() < 1
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(streams[one].ravel(), streams[other].ravel())[0, 1]) < 0.02
