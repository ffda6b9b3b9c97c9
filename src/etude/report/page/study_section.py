"""One study's part of a report, from what it found down to where each result comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from etude.analysis.summary import StudySummary
from etude.digits import number_text
from etude.graph.node import RECORDS
from etude.report.page.costs import ResultCosts, costs_of
from etude.report.page.data_tables import Cell, Column, data_table
from etude.report.page.drill_down import (
    commit_of,
    description_list,
    results_in_full,
    table_of_variants,
    variants_in_full,
)
from etude.report.page.figures import figures
from etude.report.page.findings import NodeResult, StudyFindings
from etude.report.page.markup import Markup, join, tag
from etude.report.page.means import table_of_comparisons, table_of_costs, table_of_means
from etude.report.page.plan_graph import picture_of_graph
from etude.report.page.search_section import search_section
from etude.report.tables.means_table import means_table, short_names

MOST_LEADERS = 3
"""Groups with the same best mean that are named one by one."""


def study_section(study: StudyFindings, prefix: str) -> Markup:
    """All that is told of one study, under a heading of the second level."""
    parts = [
        tag("h2", study.title, id=f"{prefix}-head"),
        tag("p", study.description, class_="lead") if study.description else None,
        _overview(study),
        search_section(study.search, prefix) if study.search is not None else None,
        *_summaries(study, prefix),
        tag("h3", "Variants", id=f"{prefix}-variants-head"),
        table_of_variants(study, prefix),
        tag("h4", "Each variant"),
        _folded(f"All {len(study.rows)} variants in full", f"{prefix}-all-variants", variants_in_full(study, prefix)),
        tag("h3", "Costs", id=f"{prefix}-costs-head"),
        _costs(study, prefix),
        tag("h3", "Plan", id=f"{prefix}-plan-head"),
        _plan(study, prefix),
        tag("h3", "Provenance", id=f"{prefix}-provenance-head"),
        _provenance(study),
        tag("h4", "Each result"),
        _folded(f"All {len(study.nodes)} results in full", f"{prefix}-all-results", results_in_full(study, prefix)),
    ]
    return tag("section", *parts, aria_labelledby=f"{prefix}-head", class_="study")


def _folded(name: str, identity: str, content: Markup) -> Markup:
    """What is there to be looked up: closed until it is opened, or until a link leads into it; not printed."""
    return tag("details", tag("summary", name), content, id=identity)


def _overview(study: StudyFindings) -> Markup:
    stored = [one for one in study.nodes.values() if one.state == "stored"]
    cost = costs_of([one for one in stored if one.name != RECORDS])
    facts = {
        "study": f"{study.study}{f' ({study.file})' if study.file else ''}",
        "variants": f"{study.done} of {len(study.rows)} done",
        "results": f"{len(stored)} of {len(study.nodes)} stored",
        "computing": f"{cost.wall()} wall, {cost.cpu()} CPU",
        "energy": cost.energy(),
        "carbon": cost.carbon(),
    }
    told = [note for each in study.summaries for note in each.summary.notes]
    notes = [*study.notes, *(note for note in told if not any(own.startswith(note) for own in study.notes))]
    said = [sentence for each in study.summaries for sentence in _said(each.summary)]
    return join(
        description_list(facts),
        *(tag("p", sentence) for sentence in said),
        tag("ul", *(tag("li", note) for note in dict.fromkeys(notes)), class_="notes") if notes else None,
    )


def _said(summary: StudySummary) -> Iterator[str]:
    """The best group of the first metric that has a best, what was shown of it, and what no group is better than."""
    column, metric = next(((at, one) for at, one in enumerate(summary.metrics) if summary.direction(one)), (0, ""))
    if not metric or len(summary.groups) < 2:
        return
    name = short_names(summary.metrics)[column]
    leaders = sorted(summary.best(metric))
    if not leaders:
        yield f"No group has all its replicates in {name}, so none is called the best."
        return
    yield from _unbeaten(summary, metric, name, leaders)
    if len(leaders) > MOST_LEADERS:
        yield f"{len(leaders)} of {len(summary.groups)} groups share the best mean {name}."
        return
    for best in leaders:
        at = next(at for at, group in enumerate(summary.groups) if group.name == best)
        mean = means_table(summary).groups[at].cells[column].text()
        n = summary.groups[at].estimates[metric].n
        claims = {one.claim for one in summary.comparisons if one.metric == metric and one.group == best}
        word = {
            frozenset({"higher"}): "; shown to be higher than its baseline",
            frozenset({"lower"}): "; shown to be lower than its baseline",
            frozenset({"none shown"}): "; no difference from its baseline is shown",
        }.get(frozenset(claims), "; no difference between groups was tested")
        yield f"Best mean {name}: {best}, {mean} (n = {n}){word}."


def _unbeaten(summary: StudySummary, metric: str, name: str, leaders: Sequence[str]) -> Iterator[str]:
    """The baseline and the references that no group is better than."""
    if leaders == [*{one.baseline for one in summary.comparisons if one.metric == metric}]:
        yield f"No group has a better mean {name} than the baseline, {leaders[0]}."
    best = next(group.estimates[metric].mean for group in summary.groups if group.name == leaders[0])
    sign = -1 if summary.direction(metric) == "lower" else 1
    for one in summary.references:
        value = one.values.get(metric)
        if value is not None and best is not None and sign * value >= sign * best:
            yield f"No group is better than {one.title} in {name}: {number_text(value)} against {number_text(best)}."


def _summaries(study: StudyFindings, prefix: str) -> Iterator[Markup | None]:
    for at, each in enumerate(study.summaries):
        own = f"{prefix}-s{at}"
        yield tag("h3", f"Results: {each.title}", id=f"{own}-head")
        yield table_of_means(each.summary, each.title, f"{own}-means")
        yield table_of_comparisons(each.summary, each.title, f"{own}-comparisons")
        yield table_of_costs(each.summary, each.title, f"{own}-all")
        yield figures(each.gallery, own)


def _costs(study: StudyFindings, prefix: str) -> Markup:
    """What each node cost over all its results, each counted once; gathering the records is not measured."""
    by: dict[str, list[NodeResult]] = {}
    for one in study.nodes.values():
        if one.state == "stored" and one.name != RECORDS:
            by.setdefault(one.name, []).append(one)
    columns = (
        Column("node"),
        Column("results", numeric=True),
        Column("wall", numeric=True),
        Column("CPU", numeric=True),
        Column("peak memory", numeric=True),
        Column("energy (J), low to high, quality"),
        Column("carbon", numeric=True),
    )
    total = costs_of([one for group in by.values() for one in group])
    rows = [_cost_row(name, costs_of(group)) for name, group in by.items()]
    if not rows:
        return tag("p", "Nothing is stored yet, so nothing has a cost.")
    facts = {
        "energy covers": ", ".join(total.covers) or "nothing",
        "method": "; ".join(total.methods) or "–",
        "not known": "; ".join(total.unknown) or "nothing is missing",
    }
    name = f"Costs of {study.title}, each result counted once"
    return join(
        data_table(name, f"{prefix}-costs", columns, [*rows, _cost_row("all", total)], foot=1), description_list(facts)
    )


def _cost_row(name: str, cost: ResultCosts) -> list[Cell]:
    return [
        Cell(name),
        Cell(str(cost.results), float(cost.results)),
        Cell(cost.wall(), cost.wall_s),
        Cell(cost.cpu(), cost.cpu_s),
        Cell(cost.peak(), cost.peak_rss_bytes),
        Cell(cost.energy(), cost.energy_j),
        Cell(cost.carbon(), cost.carbon_g),
    ]


def _plan(study: StudyFindings, prefix: str) -> Markup:
    reads: dict[str, list[str]] = {}
    for source, target in study.edges:
        reads.setdefault(target, []).append(source)
    columns = (
        Column("node"),
        Column("step"),
        Column("reads"),
        Column("results", numeric=True),
        Column("stored", numeric=True),
    )
    rows = [
        [
            Cell(box.name),
            Cell(box.step),
            Cell(", ".join(reads.get(box.name, [])) or "–"),
            Cell(str(box.results), float(box.results)),
            Cell(str(box.stored), float(box.stored)),
        ]
        for box in study.boxes
    ]
    table = data_table(f"Nodes of {study.title}", f"{prefix}-nodes", columns, rows)
    caption = "Each box is a node as written; results that variants share are counted once. Dashed: not all are stored."
    return join(
        tag("figure", picture_of_graph(study.boxes, study.edges, prefix), tag("figcaption", caption)),
        tag("details", tag("summary", "The same as a table"), table),
    )


def _provenance(study: StudyFindings) -> Markup:
    """What all results have in common, with how many have each where they differ."""
    stored = [one for one in study.nodes.values() if one.state == "stored"]
    where = [one.provenance for one in stored]
    packages = [f"{name} {version}" for each in where for name, version in sorted((each.get("packages") or {}).items())]
    facts = {
        "made": " to ".join(dict.fromkeys(sorted(one.created for one in stored)[:: max(1, len(stored) - 1)])),
        "runs": ", ".join(dict.fromkeys(str(each["run"]) for each in where if each.get("run"))),
        "hosts": _counted([str(each["host"]) for each in where if each.get("host")]),
        "platforms": _counted([str(each["platform"]) for each in where if each.get("platform")]),
        "commits": _counted([commit_of(each) for each in where]),
        "Python": _counted([str(each["python"]) for each in where if each.get("python")]),
        "étude": _counted([str(each["etude"]) for each in where if each.get("etude")]),
        "packages": ", ".join(dict.fromkeys(packages)),
        "code digests": ", ".join(dict.fromkeys(f"{one.step} {one.code[:12]}" for one in stored if one.code)),
        "not deterministic": ", ".join(dict.fromkeys(one.name for one in stored if not one.deterministic)) or "none",
    }
    return description_list(facts)


def _counted(values: Sequence[str]) -> str:
    counts = Counter(values)
    return ", ".join(value if len(counts) == 1 else f"{value} ({count} results)" for value, count in counts.items())
