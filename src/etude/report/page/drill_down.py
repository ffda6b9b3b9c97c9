"""Down to the single variant and the single result: params, costs, where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from etude.digits import number_text
from etude.graph.pipeline import OWN_COLUMNS
from etude.identity.observed import how_not_deterministic
from etude.report.page.costs import costs_of
from etude.report.page.data_tables import Cell, Column, data_table
from etude.report.page.findings import NodeResult, StudyFindings
from etude.report.page.markup import Child, Markup, join, tag

MOST_VARIANTS = 400
"""Variants told one by one; of more, the first ones."""


def table_of_variants(study: StudyFindings, prefix: str) -> Markup:
    """The records: params and metrics of every variant, each with a link to all that is known of it."""
    if not study.rows:
        return join()
    params, metrics = _columns(study)
    columns = [
        Column("variant"),
        Column("status"),
        *(Column(name, numeric=_is_numeric(study, name)) for name in params),
        *(Column(name, numeric=True) for name in metrics),
    ]
    rows = [
        [_link(row, at, prefix), Cell(row["status"]), *(_value(row.get(name)) for name in (*params, *metrics))]
        for at, row in enumerate(study.rows)
    ]
    return data_table(f"Variants of {study.title}", f"{prefix}-variants", columns, rows)


_ASIDE = ("variant", "status", "results")
"""Columns of the records that a page tells in other places."""


def _link(row: Mapping[str, Any], at: int, prefix: str) -> Cell:
    name = str(row["variant"])
    return Cell(tag("a", name, href=f"#{prefix}-v{at}") if at < MOST_VARIANTS else name, name)


def _columns(study: StudyFindings) -> tuple[list[str], list[str]]:
    """Params and metrics that differ between variants, or all where none does."""
    named = [name for name in study.rows[0] if name not in (*_ASIDE, "accepted", "by_chance") and ".cost." not in name]
    differ = [name for name in named if len({json.dumps(row.get(name)) for row in study.rows}) > 1]
    chosen = differ or named
    return [name for name in chosen if "." not in name], [name for name in chosen if "." in name]


def _is_numeric(study: StudyFindings, name: str) -> bool:
    return all(isinstance(row.get(name), (int, float)) for row in study.rows)


def _value(value: object) -> Cell:
    if value is None:
        return Cell("–")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return Cell(str(value).lower() if isinstance(value, bool) else str(value))
    return Cell(number_text(value) if isinstance(value, float) else str(value), float(value))


def variants_in_full(study: StudyFindings, prefix: str) -> Markup:
    """A part for each variant that can be opened: its params, and what each of its nodes cost."""
    parts = [_variant(study, at, prefix) for at in range(min(len(study.rows), MOST_VARIANTS))]
    left = len(study.rows) - len(parts)
    more = tag("p", f"{left} more variants are in records.parquet.", class_="notes") if left else None
    return join(*parts, more)


def _variant(study: StudyFindings, at: int, prefix: str) -> Markup:
    row = study.rows[at]
    nodes = [study.nodes[fingerprint] for fingerprint in study.variants[at]]
    columns = (
        Column("node"),
        Column("state"),
        Column("wall", numeric=True),
        Column("CPU", numeric=True),
        Column("peak memory", numeric=True),
        Column("energy"),
    )
    table = data_table(
        f"Nodes of {row['variant']}", f"{prefix}-v{at}-nodes", columns, [_node(one, prefix) for one in nodes]
    )
    params = {
        name: value
        for name, value in row.items()
        if "." not in name and name not in _ASIDE and (value is not None or name not in OWN_COLUMNS)
    }
    metrics = {name: value for name, value in row.items() if "." in name and ".cost." not in name}
    return tag(
        "details",
        tag("summary", str(row["variant"]), tag("span", f" {row['status']}", class_="faint")),
        tag("h5", "Params"),
        description_list({name: str(value) for name, value in params.items()}),
        tag("h5", "Metrics") if metrics else None,
        description_list({name: _value(value).content for name, value in metrics.items()}) if metrics else None,
        tag("h5", "Nodes and what they cost"),
        table,
        id=f"{prefix}-v{at}",
    )


def _node(one: NodeResult, prefix: str) -> list[Cell]:
    cost = costs_of([one])
    link = tag("a", one.name, href=f"#{prefix}-n{one.fingerprint[:16]}")
    if one.state != "stored":
        return [Cell(link, one.name), Cell(f"{one.state}: {one.reason}"), *[Cell("–")] * 4]
    return [
        Cell(link, one.name),
        Cell("stored"),
        Cell(cost.wall(), cost.wall_s),
        Cell(cost.cpu(), cost.cpu_s),
        Cell(cost.peak(), cost.peak_rss_bytes),
        Cell(cost.energy(), cost.energy_j),
    ]


def results_in_full(study: StudyFindings, prefix: str) -> Markup:
    """A part for each result that can be opened, each once however many variants share it."""
    told = {fingerprint for row in study.variants[:MOST_VARIANTS] for fingerprint in row}
    every = {fingerprint for row in study.variants for fingerprint in row}
    return join(
        *(
            _result(one, prefix)
            for fingerprint, one in study.nodes.items()
            if fingerprint in told or fingerprint not in every
        )
    )


def _result(one: NodeResult, prefix: str) -> Markup:
    return tag(
        "details",
        tag("summary", one.label, tag("span", f" {one.state}", class_="faint")),
        description_list(dict(_facts(one))),
        id=f"{prefix}-n{one.fingerprint[:16]}",
    )


def _facts(one: NodeResult) -> Sequence[tuple[str, Child]]:
    where = one.provenance
    cost = costs_of([one])
    packages = where.get("packages") if isinstance(where.get("packages"), Mapping) else {}
    accepted = where.get("accepted")
    rows: list[tuple[str, Child]] = [
        ("step", one.step),
        ("settings", tag("code", json.dumps(one.settings, default=str, ensure_ascii=False))),
        ("reads", ", ".join(one.reads) or "nothing"),
        ("fingerprint", tag("code", one.fingerprint)),
        ("code", tag("code", one.code or "none of the project's")),
    ]
    if one.state != "stored":
        return [*rows, ("state", f"{one.state}: {one.reason}")]
    rows += [
        ("content", tag("code", one.content)),
        ("made", one.created),
        ("by run", str(where.get("run", ""))),
        ("on", " · ".join(str(where[key]) for key in ("host", "platform") if where.get(key))),
        ("commit", commit_of(where)),
        ("versions", _versions(where, packages or {})),
        ("wall time", cost.wall()),
        ("CPU time", cost.cpu()),
        ("peak memory", cost.peak()),
        ("energy", cost.energy() + (f" ({', '.join(cost.covers)})" if cost.covers else "")),
        ("method", "; ".join(cost.methods) or "–"),
        ("carbon", cost.carbon()),
    ]
    if cost.unknown:
        rows.append(("not known", "; ".join(cost.unknown)))
    if where.get("unseen"):
        rows.append(("code not seen through", "; ".join(map(str, where["unseen"]))))
    if isinstance(accepted, Mapping):
        rows.append(
            ("accepted by hand", f"from {str(accepted.get('from'))[:12]}: {accepted.get('because') or 'no reason'}")
        )
    if not one.deterministic:
        rows.append(("by chance", how_not_deterministic(one.observed)))
    if one.observed:
        rows.append(("seen when it ran", ", ".join(one.observed)))
    return rows


def commit_of(where: Mapping[str, Any]) -> str:
    """The commit of the project, and whether its files were changed since."""
    if not where.get("git_commit"):
        return "no repository"
    dirty = ", with changes that were not committed" if where.get("git_dirty") else ""
    return f"{where['git_commit']}{dirty}"


def _versions(where: Mapping[str, Any], packages: Mapping[str, Any]) -> str:
    own = {"Python": where.get("python"), "étude": where.get("etude")}
    return ", ".join(f"{name} {version}" for name, version in {**own, **packages}.items() if version)


def description_list(facts: Mapping[str, Child]) -> Markup:
    """Names and values."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value or "–")) for name, value in facts.items()))
