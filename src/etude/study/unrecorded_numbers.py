"""Numbers that steps return and that reach no record: a run tells of them."""

from __future__ import annotations

import collections.abc

from etude.errors import EtudeError
from etude.store.codecs.annotations import bare, class_of, is_namedtuple
from etude.store.codecs.metrics import numbers_in, says_metrics_by_type
from etude.store.files.manifest import Manifest
from etude.study.prepare import PreparedStudy

MOST_BYTES = 100_000
"""A larger result is data, of which nobody asks for single numbers in a table."""


def unrecorded_numbers(prepared: PreparedStudy) -> dict[str, list[str]]:
    """Node → the numbers by name that its first stored result holds and that no record has.

    Nodes of étude's own steps are left out, whose metrics are known, and sequences that the step's annotation names:
    they are data.
    """
    numbers_of: dict[str, list[str]] = {}
    for name in prepared.study.pipeline:
        for row in prepared.expansion.nodes:
            node = row[name]
            manifest = prepared.store.inspect(node.fingerprint)
            if not isinstance(manifest, Manifest):
                continue
            returns = node.use.signature.returns if node.use is not None else object
            if not (
                manifest.codec.get("metrics")
                or says_metrics_by_type(node.step)
                or _is_data(returns)
                or manifest.size > MOST_BYTES
            ):
                try:
                    numbers = numbers_in(prepared.store.read(node.fingerprint))
                except EtudeError:
                    numbers = []
                if numbers:
                    numbers_of[name] = numbers
            break
    return numbers_of


def _is_data(returns: object) -> bool:
    cls = class_of(bare(returns))
    return cls is not None and issubclass(cls, collections.abc.Sequence) and not is_namedtuple(cls)
