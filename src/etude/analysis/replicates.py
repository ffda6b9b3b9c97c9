"""What counts as one replicate of a group: one value of the repeated param, from results of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from etude.analysis.grouping import Row, is_finite, key_of, results_of
from etude.analysis.spread import mean_of
from etude.errors import StepError

NOT_FINITE = "not finite"
NO_VALUE = "no value"

Results = tuple[str, ...]
"""What tells one stored result from another: fingerprints, or the row itself where the records do not say."""


class Replicate(NamedTuple):
    """One number of one replicate of a group."""

    key: str
    """The value of the repeated param, as text that is the same for equal ones."""
    results: Results
    value: float | None
    """None where it is missing or not finite in any of the rows that it is the mean of."""
    cause: str
    """Why there is no value; empty where there is one."""


class Rows(NamedTuple):
    """The rows of a group, by replicate."""

    by_key: Mapping[str, Sequence[tuple[str, Row, Mapping[str, str]]]]
    """Replicate → its rows, each with a name of its own and the results behind it: node → fingerprint."""

    @staticmethod
    def of(rows: Sequence[Row], repeat: str | None) -> Rows:
        """Rows of one group; without a repeated param each is a replicate."""
        by_key: dict[str, list[tuple[str, Row, Mapping[str, str]]]] = {}
        for at, row in enumerate(rows):
            key = str(at) if repeat is None else key_of({repeat: row[repeat]})
            by_key.setdefault(key, []).append((f"row {at}", row, results_of(row)))
        return Rows(by_key)

    def replicates(self, number: str) -> list[Replicate]:
        """One value for each replicate, the mean where it has several rows; in the order of the rows."""
        node = number.partition(".")[0]
        return [_replicate(key, rows, number, node) for key, rows in self.by_key.items()]


def distinct(replicates: Sequence[Replicate]) -> list[Replicate]:
    """The replicates without those that come from the very results of another: they tell nothing new."""
    return list({one.results: one for one in reversed(replicates)}.values())[::-1]


def pairs(left: Sequence[Replicate], right: Sequence[Replicate]) -> list[tuple[float, float]]:
    """Values of the same replicate on both sides, where both are known, each result once."""
    others = {one.key: one for one in right if one.value is not None}
    used: set[tuple[int, Results]] = set()
    both = []
    for one in left:
        other = others.get(one.key)
        if one.value is None or other is None or other.value is None:
            continue
        if not used & {(0, one.results), (1, other.results)}:
            used |= {(0, one.results), (1, other.results)}
            both.append((one.value, other.value))
    return both


def refuse_unlike(rows: Sequence[Row], keys: Sequence[str], repeat: str | None, left_out: Sequence[str]) -> None:
    """Refuse groups whose rows differ in more than their replicate, where no fair mean over the rest can be taken.

    Args:
        rows: The records.
        keys: What is grouped by.
        repeat: The replicated param.
        left_out: Params that vary and are neither grouped by nor replicated.

    Raises:
        StepError: No param is replicated, or the replicates differ in which values of the other params they have.
    """
    if not left_out:
        return
    names = ", ".join(left_out)
    if repeat is None:
        raise StepError(
            f"by: {names} varies within groups, and no param is replicated: such rows are no replicates of each other. "
            f"Mend: add {names} to `by`, or say which param is the replicate: `replicate: {left_out[0]}`"
        )
    seen: dict[str, set[str]] = {}
    for row in rows:
        place = key_of({name: row[name] for name in (*keys, repeat)})
        seen.setdefault(place, set()).add(key_of({name: row[name] for name in left_out}))
    if len({frozenset(values) for values in seen.values()}) > 1:
        raise StepError(
            f"by: {names} varies within groups, and not every replicate has the same values of it, so that means over "
            f"it are of unlike things. Mend: add {names} to `by`"
        )


def _replicate(key: str, rows: Sequence[tuple[str, Row, Mapping[str, str]]], number: str, node: str) -> Replicate:
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name, row, results in rows:
        result = results.get(node, name)
        value = row.get(number)
        if value is not None and is_finite(value):
            values[result] = float(value)
        else:
            missing[result] = _cause(row, value)
    results_behind = tuple(sorted({*values, *missing}))
    if missing:
        return Replicate(key, results_behind, None, next(iter(missing.values())))
    return Replicate(key, results_behind, mean_of([*values.values()]), "")


def _cause(row: Row, value: Any) -> str:
    if value is not None:
        return NOT_FINITE
    told = row.get("missing") or row.get("status")
    return str(told) if told and told != "done" else NO_VALUE
