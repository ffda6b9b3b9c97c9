"""How values are written and read: one file per family of types, none of them pickle."""

from etude.store.codecs.decoding import decode as decode
from etude.store.codecs.decoding import decode_item as decode_item
from etude.store.codecs.decoding import items_of as items_of
from etude.store.codecs.encoding import encode as encode
from etude.store.codecs.metrics import flatten_metrics as flatten_metrics
from etude.store.codecs.metrics import is_metrics as is_metrics
from etude.store.codecs.shapes import reason_not_storable as reason_not_storable
from etude.store.codecs.spelling import classes_in as classes_in

__all__ = [
    "classes_in",
    "decode",
    "decode_item",
    "encode",
    "flatten_metrics",
    "is_metrics",
    "items_of",
    "reason_not_storable",
]
