"""In which order variants take their turns: replicate by replicate, shuffled, so that no condition always goes first.

A machine is not the same over a run: caches fill, the processor grows warm, neighbours come and go. In the order in
which a study is written, that falls on the same conditions in every replicate, and reads as a difference between them.
"""

from __future__ import annotations

import hashlib
import random

from etude.study.expand import Expansion


def order_seed(run: str) -> int:
    """The seed of a run's order, from its identifier."""
    return int.from_bytes(hashlib.blake2b(run.encode(), digest_size=4).digest(), "big")


def turns(expansion: Expansion, seed: int) -> dict[str, int]:
    """Fingerprint → when its turn comes, if nothing that it reads is late.

    The replicates follow one another as written. Within each, the variants are shuffled; what several variants share
    comes with the first of them.
    """
    repeated = tuple(expansion.study.vary.repeat)
    blocks: dict[tuple[str, ...], list[int]] = {}
    for index, variant in enumerate(expansion.variants):
        blocks.setdefault(tuple(variant.keys[name] for name in repeated), []).append(index)
    chance = random.Random(seed)
    found: dict[str, int] = {}
    for block in blocks.values():
        chance.shuffle(block)
        for index in block:
            for node in expansion.nodes[index].values():
                found.setdefault(node.fingerprint, len(found))
    return found
