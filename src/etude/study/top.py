"""`vary: {top: …}`: the best variants of an earlier study become the points of this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from etude.errors import ConfigError, Fault, nearest
from etude.execute.call import call_of
from etude.execute.records import record_table
from etude.identity.files import FileDigests
from etude.store.store import Store
from etude.study.expand import LoadStudy, circle, expand
from etude.study.study import Study, Top
from etude.study.variants import varied


def with_top(
    study: Study, store: Store, files: FileDigests, other_study: LoadStudy, within: Sequence[Study] = ()
) -> Study:
    """A study whose `vary` asks for the best of another, with those as its listed points; any other as it is.

    Replicates of the other study are averaged first, so that a lucky seed is not taken for a good variant.

    Raises:
        ConfigError: The other study cannot be found, has no such metric or not enough finished variants, or varies a
            param that this one does not have.
    """
    top = study.vary.top
    if top is None:
        return study
    other = other_study(top.of)
    told = circle(other, (*within, study))
    if told:
        raise _fault("of", f"studies read each other in a circle: {told}", top.of, "name another study")
    other = with_top(other, store, files, other_study, (*within, study))
    best = _best(other, top, _rows(other, store, files, other_study))
    unknown = sorted({name for point in best for name in point} - study.params.keys())
    if unknown:
        reason = f"{top.of!r} varies {', '.join(map(repr, unknown))}, which this study has not"
        raise _fault("of", reason, top.of, f"add it to `params:`; {nearest(unknown[0], study.params)}")
    return replace(study, vary=replace(study.vary, points=tuple(best), top=None))


def _rows(other: Study, store: Store, files: FileDigests, other_study: LoadStudy) -> list[dict[str, Any]]:
    expansion = expand(other, files, other_study=other_study)
    call = call_of(expansion.records, {}, {})
    rows: list[dict[str, Any]] = record_table(store, call.rows, call.settings).to_pylist()
    return [
        {**row, **{f"param {name}": value for name, value in variant.params.items()}}
        for row, variant in zip(rows, expansion.variants, strict=True)
    ]


def _best(other: Study, top: Top, rows: list[dict[str, Any]]) -> list[dict[str, object]]:
    """The varied params of the k best variants, best first; ties go to the earlier one."""
    names = [name for name in varied(other.vary) if name not in other.vary.repeat]
    metrics = [name for name in rows[0] if "." in name and not name.startswith("param ")]
    if top.by not in metrics:
        run = f"run it first: etude run {other.file}" if not metrics else nearest(top.by, metrics)
        raise _fault("by", f"study {top.of!r} has no metric {top.by!r}", top.by, run)
    groups: dict[str, tuple[dict[str, object], list[float]]] = {}
    for row in rows:
        point = {name: row[f"param {name}"] for name in names}
        value = row.get(top.by)
        values = groups.setdefault(repr(point), (point, []))[1]
        if isinstance(value, (int, float)) and value == value:
            values.append(float(value))
    scored = [(sum(values) / len(values), point) for point, values in groups.values() if values]
    if len(scored) < top.k:
        reason = f"study {top.of!r} has {len(scored)} finished variants and the {top.k} best are asked for"
        raise _fault("k", reason, top.k, "run it to its end, or ask for fewer")
    sign = -1 if top.direction == "maximize" else 1
    return [point for _, point in sorted(scored, key=lambda entry: sign * entry[0])[: top.k]]


def _fault(key: str, reason: str, value: object, mend: str) -> ConfigError:
    return ConfigError([Fault(f"vary.top.{key}", reason, value, mend)])
