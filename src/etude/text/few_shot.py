"""A few training texts of each label."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pyarrow as pa

from etude.errors import StepError, value_text
from etude.text.philox import key_of, uniforms
from etude.text.types import Splits


def sample(splits: Splits, *, shots: int, seed: int, allow_fewer: bool) -> Splits:
    """The splits with `shots` training texts per label, in the order of their source.

    Who is drawn depends on a row's id and the seed alone: more shots keep those of fewer, and a label's draw depends on
    no other label.

    Args:
        splits: Labelled texts.
        shots: Training texts per label.
        seed: Another seed draws others.
        allow_fewer: Take all of a label that has fewer.

    Raises:
        StepError: A label has fewer texts than that.
    """
    draws = uniforms(key_of(seed, "few shots"), splits.train["id"].to_numpy(), 1)[:, 0].tolist()
    rows = defaultdict(list)
    for row, (label, draw) in enumerate(zip(splits.train["label"].to_pylist(), draws, strict=True)):
        rows[label].append((draw, row))
    short = {label: len(each) for label, each in sorted(rows.items()) if len(each) < shots}
    if short and not allow_fewer:
        raise StepError(
            f"{len(short)} labels have fewer than {shots} training texts: "
            f"{value_text(dict(list(short.items())[:5]))}.\n"
            "    Mend: fewer shots, or `allow_fewer: true` to take all that these have."
        )
    kept = sorted(row for each in rows.values() for _, row in sorted(each)[:shots])
    return replace(splits, train=splits.train.take(pa.array(kept, pa.int64())))
