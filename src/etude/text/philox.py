"""Random numbers by counter: a number is a function of a key, an example and a place, and of nothing drawn before.

So an example's numbers are the same in any order, in any chunk and in any process.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]
"""Numbers of 32 bits, kept in 64 so that products fit."""
Ids: TypeAlias = npt.NDArray[np.int64]

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_FIRST, _SECOND = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_FIRST, _WEYL_SECOND = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10


class StreamKey(NamedTuple):
    """What sets one stream of random numbers apart from another: two words of 32 bits."""

    first: int
    second: int


def key_of(seed: int, purpose: str) -> StreamKey:
    """The key of a seed (any whole number) for one purpose; another purpose has numbers of its own."""
    digest = blake2b(f"{purpose}/{seed}".encode(), digest_size=8).digest()
    return StreamKey(int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little"))


def uniforms(key: StreamKey, ids: Ids, draws: int) -> npt.NDArray[np.float64]:
    """Numbers from 0 to 1, exclusive, of shape (examples, draws)."""
    blocks = -(-draws // 4)
    words = philox(key, *_counters(np.repeat(ids, blocks), np.tile(np.arange(blocks), len(ids))))
    return _fractions(words).reshape(len(ids), 4 * blocks)[:, :draws]


def at_places(key: StreamKey, ids: Ids, places: Ids) -> npt.NDArray[np.float64]:
    """Four numbers from 0 to 1, exclusive, for each pair of an example and a place in it: shape (pairs, 4)."""
    return _fractions(philox(key, *_counters(ids, places)))


def along(key: StreamKey, ids: Ids, lengths: Ids) -> npt.NDArray[np.float64]:
    """One number from 0 to 1, exclusive, for each place of each example, one example after the other."""
    blocks = -(-lengths // 4)
    places = np.arange(blocks.sum()) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    four = at_places(key, np.repeat(ids, blocks), places)
    taken = 4 * places[:, None] + np.arange(4) < np.repeat(lengths, blocks)[:, None]
    return four[taken]


def philox(key: StreamKey, c0: Words, c1: Words, c2: Words, c3: Words) -> Words:
    """Philox 4×32 with ten rounds, of shape (n, 4), for counters of four words.

    Source: Salmon, Moraes, Dror, Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, 2011, section 3.3.
    """
    first, second = key
    for _ in range(_ROUNDS):
        left, right = c0 * _FIRST, c2 * _SECOND
        c0 = (right >> _SHIFT) ^ c1 ^ np.uint64(first)
        c2 = (left >> _SHIFT) ^ c3 ^ np.uint64(second)
        c1, c3 = right & _LOW, left & _LOW
        first, second = (first + _WEYL_FIRST) & 0xFFFFFFFF, (second + _WEYL_SECOND) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1)


def _counters(ids: Ids, places: Ids) -> tuple[Words, Words, Words, Words]:
    names, at = ids.astype(np.uint64), places.astype(np.uint64)
    return names & _LOW, names >> _SHIFT, at & _LOW, np.zeros_like(at)


def _fractions(words: Words) -> npt.NDArray[np.float64]:
    fractions: npt.NDArray[np.float64] = words.astype(np.float64) * 2.0**-32
    return fractions
