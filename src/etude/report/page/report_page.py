"""The report itself: one HTML file that asks nothing of any network."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from etude.report.page.comparison import comparison_section
from etude.report.page.findings import StudyFindings
from etude.report.page.markup import Markup, join, raw, tag
from etude.report.page.study_section import study_section

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def document(studies: Sequence[StudyFindings]) -> str:
    """A report on one study or on several. The same findings give the same text."""
    title = " · ".join(study.title for study in studies)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"Report: {title}"),
        tag("style", _own("report.css"), _own("plot.css")),
    )
    several = len(studies) > 1
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#report", class_="skip"),
        tag("header", tag("h1", f"Report: {title}"), tag("p", _subtitle(studies)), class_="top"),
        _contents(studies),
        tag(
            "main",
            comparison_section(studies) if several else None,
            *(study_section(study, f"study{at}") for at, study in enumerate(studies)),
            id="report",
        ),
        tag("footer", tag("p", "ReportFiles by étude. Intervals are 95 %; ± is one sample standard deviation.")),
        tag("script", _own("plot.js"), _own("report.js")),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en', class_='no-script')}\n"


def _own(name: str) -> Markup:
    return raw(files("etude.report.page").joinpath(name).read_text(encoding="utf-8"))


def _subtitle(studies: Sequence[StudyFindings]) -> str:
    made = [one.created for study in studies for one in study.nodes.values() if one.created]
    count = f"{len(studies)} {'study' if len(studies) == 1 else 'studies'}"
    return f"{count}, results as of {max(made)[:16].replace('T', ' ')} UTC" if made else f"{count}, no results yet"


def _contents(studies: Sequence[StudyFindings]) -> Markup:
    links = [tag("li", tag("a", "Comparison", href="#compare-head"))] if len(studies) > 1 else []
    for at, study in enumerate(studies):
        own = f"study{at}"
        parts = [(f"{own}-search-head", "Search")] if study.search is not None else []
        parts += [(f"{own}-s{place}-head", f"Results: {each.title}") for place, each in enumerate(study.summaries)]
        parts += [
            (f"{own}-variants-head", "Variants"),
            (f"{own}-costs-head", "Costs"),
            (f"{own}-plan-head", "Plan"),
            (f"{own}-provenance-head", "Provenance"),
        ]
        inner = tag("ul", *(tag("li", tag("a", name, href=f"#{anchor}")) for anchor, name in parts))
        links.append(tag("li", tag("a", study.title, href=f"#{own}-head"), inner))
    return tag("nav", join(tag("ul", *links)), aria_label="Contents")
