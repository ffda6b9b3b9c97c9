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

    The replicates follow one another as written. The variants of one are shuffled, and those of the next are in the
    reverse of that order: of any two, each goes first as often as the other. What several share comes with the first.
    """
    repeated = tuple(expansion.study.vary.repeat)
    blocks: dict[tuple[str, ...], dict[tuple[str, ...], int]] = {}
    for index, variant in enumerate(expansion.variants):
        condition = tuple(text for name, text in variant.keys.items() if name not in repeated)
        blocks.setdefault(tuple(variant.keys[name] for name in repeated), {})[condition] = index
    chance = random.Random(seed)
    order: list[tuple[str, ...]] = []
    turn_of: dict[str, int] = {}
    for place, block in enumerate(blocks.values()):
        if place % 2 and order:
            order = [condition for condition in reversed(order) if condition in block]
        else:
            order = []
        more = [condition for condition in block if condition not in set(order)]
        chance.shuffle(more)
        order += more
        for condition in order:
            for node in expansion.nodes[block[condition]].values():
                turn_of.setdefault(node.fingerprint, len(turn_of))
    return turn_of
