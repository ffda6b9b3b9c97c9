"""The report as one file: everything in it, nothing from elsewhere, and open to everyone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest

from etude.analysis.summary import StudySummary
from etude.report.page.findings import StudyFindings, findings
from etude.report.page.markup import VOID
from etude.report.page.report_page import document
from etude.report.page.study_section import _said
from etude.study.execution import Result

HOSTILE = '</script><script>alert(1)</script> & "quoted" <b>bold</b>'


@dataclass
class Element:
    """One element of a page."""

    name: str
    attributes: dict[str, str | None]
    parent: Element | None = None
    children: list[Element] = field(default_factory=list)
    own: str = ""

    def text(self) -> str:
        return self.own + "".join(child.text() for child in self.children)

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            yield from child.walk()

    def ancestors(self) -> Iterator[Element]:
        if self.parent is not None:
            yield self.parent
            yield from self.parent.ancestors()


class Reader(HTMLParser):
    """Reads a page into a tree; every element must be closed in its turn."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("#document", {})
        self.at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute of {tag} stands twice"
        made = Element(tag, dict(attrs), self.at)
        self.at.children.append(made)
        if tag not in VOID:
            self.at = made

    def handle_endtag(self, tag: str) -> None:
        assert self.at.name == tag, f"</{tag}> closes <{self.at.name}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.own += data


def tree(page: str) -> Element:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.at is reader.root
    return reader.root


def all_of(root: Element, *names: str) -> list[Element]:
    return [element for element in root.walk() if element.name in names]


@pytest.fixture(scope="session")
def found(finished: Result) -> StudyFindings:
    return findings(finished.prepared, f"A study {HOSTILE}")


@pytest.fixture(scope="session")
def page(found: StudyFindings) -> str:
    return document([found, replace(found, title="Another")])


@pytest.fixture(scope="session")
def root(page: str) -> Element:
    return tree(page)


def test_the_same_findings_give_the_same_page(found: StudyFindings, page: str) -> None:
    assert document([found, replace(found, title="Another")]) == page


def test_a_page_asks_nothing_of_any_network(page: str, root: Element) -> None:
    assert not re.search(r"(https?:|ftp:|//[a-z])", page.replace("// ", ""))
    for element in root.walk():
        assert not {"src", "srcset", "data", "action", "background", "poster"} & element.attributes.keys()
        assert (element.attributes.get("href") or "#").startswith("#")
    assert not all_of(root, "link", "img", "iframe", "object", "embed", "form")
    (policy,) = [
        each for each in all_of(root, "meta") if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in (policy.attributes["content"] or "")


def test_what_users_write_is_text_and_the_only_script_is_our_own(page: str, root: Element) -> None:
    *plots, script = all_of(root, "script")
    own = (files("etude.report.page").joinpath(name).read_text(encoding="utf-8") for name in ("plot.js", "report.js"))
    assert script.own == "".join(own)
    assert {each.attributes["type"] for each in plots} == {"application/json"}
    assert all(json.loads(each.own)["panels"] for each in plots)
    assert HOSTILE in all_of(root, "h1")[0].text()
    assert HOSTILE in all_of(root, "main")[0].text()
    assert not [name for element in root.walk() for name in element.attributes if name.startswith("on")]
    assert not all_of(all_of(root, "main")[0], "b")


def test_identities_are_unique_and_links_lead_somewhere(root: Element) -> None:
    named = [element.attributes["id"] for element in root.walk() if "id" in element.attributes]
    assert len(named) == len(set(named))
    for element in root.walk():
        for key in ("href", "for", "aria-labelledby", "data-filters", "data-chooses"):
            value = (element.attributes.get(key) or "").removeprefix("#")
            assert not value or value in named, f"{element.name} {key}={value}"
        for reference in re.findall(r"url\(#([^)]+)\)", " ".join(filter(None, element.attributes.values()))):
            assert reference in named


def test_a_page_has_its_landmarks_its_language_and_one_first_heading(root: Element) -> None:
    (html,) = all_of(root, "html")
    assert html.attributes["lang"] == "en"
    assert all(len(all_of(root, name)) == 1 for name in ("main", "header", "nav", "footer", "title", "h1"))
    skip = all_of(root, "a")[0]
    assert skip.attributes["href"] == f"#{all_of(root, 'main')[0].attributes['id']}"


def test_landmarks_of_one_kind_are_told_apart_by_their_names(root: Element) -> None:
    landmarks = [
        element for element in root.walk() if element.name == "section" or "region" in element.attributes.values()
    ]
    names = [element.attributes.get("aria-labelledby") or element.attributes.get("aria-label") for element in landmarks]
    assert len(landmarks) > 2
    assert all(names)
    assert len(set(names)) == len(names)


def test_headings_go_down_one_level_at_a_time_and_say_something(root: Element) -> None:
    levels = [int(element.name[1]) for element in root.walk() if re.fullmatch(r"h[1-6]", element.name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(element.text().strip() for element in all_of(root, "h1", "h2", "h3", "h4", "h5"))


def test_tables_have_captions_and_heads_with_scope(root: Element) -> None:
    tables = all_of(root, "table")
    assert tables
    for table in tables:
        assert len(all_of(table, "caption")) == 1
        (head,) = all_of(table, "thead")
        columns = all_of(head, "th")
        assert {column.attributes["scope"] for column in columns} == {"col"}
        for row in (row for part in all_of(table, "tbody", "tfoot") for row in all_of(part, "tr")):
            assert row.children[0].name == "th"
            assert row.children[0].attributes["scope"] == "row"
            assert len(row.children) == len(columns)


def name_of(element: Element, root: Element) -> str:
    """What a reader of screens would call it."""
    labels = [
        each.text() for each in all_of(root, "label") if each.attributes.get("for") == element.attributes.get("id")
    ]
    return (element.attributes.get("aria-label") or "".join(labels) or element.text()).strip()


def test_everything_that_can_be_worked_has_a_name_and_can_be_reached_by_keyboard(root: Element) -> None:
    for element in all_of(root, "button", "select", "input", "a", "summary"):
        if element.name in ("select", "input"):
            assert [each for each in all_of(root, "label") if each.attributes.get("for") == element.attributes["id"]]
        assert name_of(element, root), element
        assert element.attributes.get("tabindex") is None
    for element in root.walk():
        assert int(element.attributes.get("tabindex") or 0) == 0
        if "tabindex" in element.attributes:
            assert element.attributes.get("role") in ("img", "group")
            assert element.attributes.get("aria-label")


def test_what_a_chart_tells_stands_in_a_table_where_no_script_runs(root: Element) -> None:
    for figure in all_of(root, "figure"):
        if all_of(figure, "script"):
            (plot,), (table,) = all_of(figure, "script"), all_of(all_of(figure, "noscript")[0], "table")
            told = table.text()
            marks = [mark for panel in json.loads(plot.own)["panels"] for mark in panel["marks"]]
            tips = [
                each[-1 if mark["kind"] == "dots" else 4]
                for mark in marks
                for each in (*mark.get("dots", ()), *mark.get("boxes", ()))
            ]
            assert tips
            assert all(tip in told for tip in tips)


def test_the_picture_of_the_plan_has_a_name_and_tells_its_numbers_to_the_keyboard_too(root: Element) -> None:
    assert all_of(root, "svg")
    for svg in all_of(root, "svg"):
        assert svg.attributes.get("aria-label")
        told = [element for element in svg.walk() if "data-tip" in element.attributes]
        if svg.attributes["role"] == "group":
            assert told
            assert all(each.attributes["aria-label"] == each.attributes["data-tip"] for each in told)
        else:
            assert not [element for element in svg.walk() if "tabindex" in element.attributes]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def styles() -> tuple[dict[str, str], str]:
    css = files("etude.report.page").joinpath("report.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", css)), css


def test_text_has_a_contrast_of_four_and_a_half_on_every_ground() -> None:
    colours, css = styles()
    grounds = [colours[name] for name in ("paper", "panel", "stripe")]
    grounds += re.findall(r"(?:background|rect \{ fill): (#[0-9a-f]{6})", css)
    texts = [colours[name] for name in ("ink", "faint", "link")]
    for ground in grounds:
        for text in texts:
            if ground != colours["ink"]:
                assert contrast(text, ground) >= 4.5, (text, ground)
    used = set(re.findall(r"[^-]color: ([^;]+);", css)) - {"inherit", "light"}
    assert used <= {"var(--ink)", "var(--faint)", "var(--link)", "#ffffff"}
    assert contrast("#ffffff", colours["ink"]) >= 4.5


def test_numbers_in_a_matrix_can_be_read_on_their_shade() -> None:
    from etude.report.charts.palette import SHARES, ink_on, shade

    for percent in range(101):
        assert contrast(ink_on(percent / 100), shade(percent / 100, SHARES)) >= 4.5


def test_a_page_tells_params_provenance_and_costs_of_each_result(root: Element, found: StudyFindings) -> None:
    text = all_of(root, "main")[0].text()
    one = next(each for each in found.nodes.values() if each.name == "model")
    for part in (one.fingerprint, one.code, str(one.provenance["host"]), str(one.provenance["python"]), "CPU time ×"):
        assert part in text
    assert "numpy" in text or "pyarrow" in text
    assert "commonest" in text


def test_the_plan_is_drawn_with_every_node_and_what_it_reads(found: StudyFindings) -> None:
    names = {box.name: box.results for box in found.boxes}
    assert names == {"texts": 1, "model": 4, "scored": 4, "quality": 4, "majority": 1, "records": 1, "table": 1}
    assert ("texts", "scored") in found.edges
    assert ("quality", "records") in found.edges
    assert ("scored", "records") not in found.edges


def test_a_study_that_was_never_run_is_told_as_such(finished: Result, tmp_path_factory: pytest.TempPathFactory) -> None:
    from etude.study.prepare import prepare

    prepared = finished.prepared
    place = replace(prepared.study.place, store=str(tmp_path_factory.mktemp("empty")))
    found = findings(prepare(replace(prepared.study, place=place)))
    text = tree(document([found])).text()
    assert "0 of 4 done" in text
    assert "not computed" in text
    assert "Nothing is stored yet" in text
    assert found.done == 0


def test_studies_that_share_nothing_are_told_so(found: StudyFindings) -> None:
    other = replace(found, title="Another", summaries=())
    assert "nothing to lay side by side" in document([found, other])


def test_a_comparison_lays_the_studies_side_by_side_by_name(root: Element) -> None:
    table = next(each for each in all_of(root, "table") if each.attributes.get("id") == "compare-table")
    studies = {row.children[0].text() for row in all_of(all_of(table, "tbody")[0], "tr")}
    assert studies == {f"A study {HOSTILE}", "Another"}


def test_the_table_of_costs_has_every_node_once_and_not_the_gathering_of_records(root: Element) -> None:
    table = next(each for each in all_of(root, "table") if each.attributes.get("id") == "study0-costs")
    rows = [row.children[0].text() for part in all_of(table, "tbody", "tfoot") for row in all_of(part, "tr")]
    assert sorted(rows[:-1]) == ["majority", "model", "quality", "scored", "table", "texts"]
    assert rows[-1] == "all"


@pytest.mark.parametrize(("value", "told"), [(None, False), (0.1, False), (0.76, True), (0.9, True)])
def test_a_reference_that_no_group_beats_is_named_and_one_without_a_value_is_not(
    summary: StudySummary, value: float | None, told: bool
) -> None:
    (reference,) = summary.references
    moved = replace(reference, values={**reference.values, "quality.accuracy": value})
    sentences = " ".join(_said(replace(summary, references=(moved,))))
    assert ("No group is better than commonest | label in accuracy" in sentences) == told
