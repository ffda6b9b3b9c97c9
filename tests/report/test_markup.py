"""Whatever a user wrote comes out of a page as the text that it was."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.report.page.markup import join, tag

TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cn", "Co", "Cf"), blacklist_characters="\r\f\v"))


class Heard(HTMLParser):
    """What a browser would take from markup."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def heard(markup: str) -> Heard:
    parser = Heard()
    parser.feed(markup)
    parser.close()
    return parser


@given(TEXT)
def test_text_is_text(text: str) -> None:
    found = heard(tag("p", text))
    assert found.text.replace("\ufffd", "") == "".join(m for m in text if m in "\n\t" or m.isprintable() or m.isspace())
    assert [name for name, _ in found.tags] == ["p"]


@given(TEXT)
def test_an_attribute_holds_what_it_was_given_and_nothing_gets_out_of_it(text: str) -> None:
    (name, attributes), *rest = heard(tag("a", "x", title=text)).tags
    assert name == "a"
    assert not rest
    assert set(attributes) == {"title"}


@pytest.mark.parametrize("hostile", ["<script>", "</script>", "<!--", "]]>", "&lt;", "<img src=x onerror=y>", '"><b>'])
def test_hostile_text_makes_no_element(hostile: str) -> None:
    found = heard(tag("td", hostile, data_key=hostile))
    assert found.text == hostile
    assert found.tags == [("td", {"data-key": hostile})]


def test_markup_is_not_escaped_twice_and_nothing_is_left_out() -> None:
    assert tag("p", tag("b", "<"), None, "&") == "<p><b>&lt;</b>&amp;</p>"
    assert join("<", tag("br")) == "&lt;<br>"


def test_attributes_are_written_as_html_has_them() -> None:
    made = tag("input", id="x", hidden=True, disabled=False, value=None, width=1.5, class_="a b", aria_label="n")
    assert made == '<input id="x" hidden width="1.5" class="a b" aria-label="n">'


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\ud800"])
def test_marks_that_no_page_may_hold_are_replaced(bad: str) -> None:
    assert tag("p", f"a{bad}b") == "<p>a\ufffdb</p>"
    tag("p", bad).encode("utf-8")
