"""The codecs that there are, and which of them a type belongs to. A new one is added here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from etude.store.codecs.arrays import ArrayCodec, ScalarCodec
from etude.store.codecs.folders import LIBRARY_CODECS, OWN, has_own_codec
from etude.store.codecs.leaf import Codec, belongs
from etude.store.codecs.paths import PathCodec
from etude.store.codecs.tables import TableCodec
from etude.store.codecs.tensors import TensorCodec

LEAVES: tuple[Codec, ...] = (
    *(ArrayCodec(), ScalarCodec(), TableCodec(), TensorCodec(), PathCodec()),
    *LIBRARY_CODECS,
    OWN,
)


def leaf_for(cls: Any) -> Codec | None:
    """The codec for values of a class; None where it has none of its own."""
    return _leaf_for(cls)


@lru_cache(maxsize=1024)
def _leaf_for(cls: Any) -> Codec | None:
    if has_own_codec(cls):
        return OWN
    return next((codec for codec in LEAVES if belongs(cls, codec.types)), None)


def leaf_of_name(name: str) -> Codec | None:
    """The codec that a manifest names."""
    return next((codec for codec in LEAVES if codec.name == name), None)
