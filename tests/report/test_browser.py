"""The report in a real browser without a screen: it draws, sorts, filters, opens and asks nothing of the network."""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from etude.report.charts.plot import Box, Boxes, Panel, Plot, Scale
from etude.report.page.figures import plot_text
from etude.report.page.findings import findings
from etude.report.page.report_page import document
from etude.study.execution import Result

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

AXE = Path(sys.prefix) / "node_modules" / "axe-core" / "axe.min.js"

ACCESSIBLE = """
<script>
axe.run(document, { resultTypes: ["violations"] }).then((found) => {
  const rules = found.violations.map((rule) => [rule.id, rule.nodes.map((node) => node.html)]);
  document.body.textContent = `PROBED${JSON.stringify({ rules, passed: found.passes.length })}DONE`;
});
</script>
"""

PROBE = """
<script>
(() => {
  const by = (selector) => document.querySelector(selector);
  const column = (table, at) => Array.from(table.tBodies[0].rows, (row) => row.cells[at].textContent);
  const visible = (rows) => Array.from(rows).filter((row) => !row.hidden).length;
  const told = {};
  const variants = by("#study0-variants");
  const heads = Array.from(variants.tHead.rows[0].cells);
  const accuracy = heads.findIndex((cell) => cell.textContent === "quality.accuracy");
  const head = heads[accuracy];
  head.firstChild.click();
  told.up = column(variants, accuracy).map(Number);
  told.sort = head.getAttribute("aria-sort");
  head.firstChild.click();
  told.down = column(variants, accuracy).map(Number);
  const field = by("input[data-filters]");
  const rows = document.getElementById(field.dataset.filters).tBodies[0].rows;
  told.rows = visible(rows);
  field.value = "no such row anywhere";
  field.dispatchEvent(new Event("input"));
  told.filtered = visible(rows);
  told.count = document.getElementById(`${field.dataset.filters}-shown`).textContent;
  const select = by("select[data-chooses]");
  const figures = document.getElementById(select.dataset.chooses).children;
  told.figures = visible(figures);
  select.value = "1";
  select.dispatchEvent(new Event("change"));
  told.chosen = Array.from(figures).findIndex((figure) => !figure.hidden);
  const legend = by("button.legend");
  legend.click();
  told.pressed = legend.getAttribute("aria-pressed");
  told.hiddenSeries = legend.closest("figure").querySelectorAll("g.series.off").length;
  const mark = figures[1].querySelector("g.mark");
  mark.focus();
  told.tip = by("#tip").hidden ? null : by("#tip").textContent;
  told.expected = mark.dataset.tip;
  const marks = Array.from(figures[1].querySelectorAll("g.mark"));
  const press = (key) =>
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  press("ArrowRight");
  told.second = document.activeElement === marks[1] && by("#tip").textContent === marks[1].dataset.tip;
  press("End");
  told.end = document.activeElement === marks.at(-1);
  press("ArrowRight");
  told.stays = document.activeElement === marks.at(-1);
  press("Home");
  told.home = document.activeElement === marks[0];
  const all = (selector) => Array.from(document.querySelectorAll(selector));
  const drawn = all(".plot svg[role]");
  told.stops = drawn.map((svg) => svg.querySelectorAll('[tabindex="0"]').length);
  told.plots = all(".plot").length;
  told.named = drawn.map((svg) => svg.getAttribute("aria-label"));
  told.untold = all("[data-tip]").filter((each) => each.getAttribute("aria-label") !== each.dataset.tip).length;
  told.faults = drawn.filter((svg) => /NaN|undefined|Infinity/.test(svg.outerHTML)).length;
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  told.closed = by("#tip").hidden;
  mark.blur();
  const last = Array.from(figures[1].querySelectorAll("g.mark")).at(-1);
  const at = { bubbles: true, clientX: 40, clientY: 90 };
  const move = (target) => target.dispatchEvent(new PointerEvent("pointermove", at));
  move(last);
  told.hovered = by("#tip").textContent === last.dataset.tip && !by("#tip").hidden;
  move(by("h1"));
  told.left = by("#tip").hidden;
  location.hash = "#study0-v1";
  told.requests = performance.getEntriesByType("resource").length;
  told.scripts = Array.from(document.scripts).filter((each) => each.type !== "application/json").length;
  told.wide = document.documentElement.scrollWidth <= document.documentElement.clientWidth;
  setTimeout(() => {
    told.opened = by("#study0-v1").open && by("#study0-all-variants").open;
    document.body.textContent = `PROBED${JSON.stringify(told)}DONE`;
  }, 50);
})();
</script>
"""


@pytest.fixture(scope="session")
def page(finished: Result) -> str:
    found = findings(finished.prepared)
    return document([found, replace(found, title="Another")])


def browse(folder: Path, page: str, *words: str) -> str:
    assert CHROMIUM is not None
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    told = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [CHROMIUM, *told, profile, *words, file.as_uri()], capture_output=True, text=True, timeout=240, check=True
    )
    return done.stdout


def probed(folder: Path, page: str, width: int, probe: str = PROBE) -> dict[str, Any]:
    dumped = browse(
        folder,
        page.replace("</body>", f"{probe}</body>"),
        "--virtual-time-budget=5000",
        f"--window-size={width},900",
        "--dump-dom",
    )
    match = re.search(r"PROBED(.*)DONE", html.unescape(dumped), re.DOTALL)
    assert match, dumped[-2000:]
    found: dict[str, Any] = json.loads(match[1])
    return found


@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_can_sort_filter_choose_and_open_without_any_request(tmp_path: Path, page: str, width: int) -> None:
    told = probed(tmp_path, page, width)
    assert told["up"] == sorted(told["up"])
    assert told["down"] == sorted(told["up"], reverse=True)
    assert told["sort"] == "ascending"
    assert told["rows"] > 0
    assert told["filtered"] == 0
    assert told["count"].startswith("0 of")
    assert told["figures"] == 1
    assert told["chosen"] == 1
    assert told["pressed"] == "false"
    assert told["hiddenSeries"] == 1
    assert told["tip"] == told["expected"]
    assert all(told[key] for key in ("second", "end", "stays", "home")), "arrow keys go from mark to mark"
    assert set(told["stops"]) == {1}, "each picture is one stop of the Tab key"
    assert told["plots"] == len(told["named"]) > 5
    assert all(told["named"])
    assert told["untold"] == 0
    assert told["faults"] == 0
    assert told["closed"]
    assert told["hovered"]
    assert told["left"]
    assert told["opened"]
    assert told["requests"] == 0
    assert told["scripts"] == 2  # our own and the probe
    assert told["wide"], "the page itself scrolls sideways"


def colours(png: bytes) -> set[bytes]:
    """The colours of the pixels of a PNG of 8 bits a channel, filters undone."""
    width, _, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    size = {2: 3, 6: 4}[kind]
    data, at = b"", 8
    while at < len(png):
        length = struct.unpack(">I", png[at : at + 4])[0]
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    raw, stride = zlib.decompress(data), width * size
    before, found = bytes(stride), set()
    for start in range(0, len(raw), stride + 1):
        row = undone(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), before, size)
        found |= {bytes(row[place : place + 3]) for place in range(0, stride, size)}
        before = bytes(row)
    return found


def undone(kind: int, row: bytearray, before: bytes, size: int) -> bytearray:
    for at in range(len(row)):
        left = row[at - size] if at >= size else 0
        above = before[at]
        corner = before[at - size] if at >= size else 0
        row[at] = (row[at] + (0, left, above, (left + above) // 2, paeth(left, above, corner))[kind]) & 255
    return row


def paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda each: abs(guess - each))


def test_a_screenshot_shows_text_and_bars_in_their_colours(tmp_path: Path, page: str) -> None:
    picture = tmp_path / "page.png"
    browse(tmp_path, page, "--window-size=1000,900", f"--screenshot={picture}")
    seen = colours(picture.read_bytes())
    assert {b"\x00\x72\xb2", b"\xd5\x5e\x00", b"\xff\xff\xff"} <= seen
    assert len(seen) > 50


def test_the_report_can_be_printed(tmp_path: Path, page: str) -> None:
    printed = tmp_path / "report.pdf"
    browse(tmp_path, page, "--no-pdf-header-footer", f"--print-to-pdf={printed}")
    assert printed.read_bytes().startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) <= 40


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core on this machine")
@pytest.mark.parametrize("width", [1280, 500])
def test_the_report_breaks_no_rule_of_accessibility(tmp_path: Path, page: str, width: int) -> None:
    checker = f"<script>{AXE.read_text(encoding='utf-8')}</script>{ACCESSIBLE}"
    found = probed(tmp_path, page, width, checker)
    assert found["passed"] > 10
    assert found["rules"] == []


WITHOUT_SCRIPTS = """<!doctype html><meta charset="utf-8"><body><script>
const frame = document.createElement("iframe");
frame.sandbox = "allow-same-origin";
frame.style.width = "900px";
frame.onload = () => {
  const inner = frame.contentDocument, all = (selector) => Array.from(inner.querySelectorAll(selector));
  const told = all("noscript table").filter((table) => table.getClientRects().length).map((table) => table.innerText);
  const drawn = all(".plot svg").length;
  document.body.textContent = `PROBED${JSON.stringify({ told, drawn, plots: all(".plot").length })}DONE`;
};
frame.srcdoc = PAGE;
document.body.append(frame);
</script></body>"""


def test_without_scripts_the_numbers_of_every_chart_can_be_read(tmp_path: Path, page: str) -> None:
    text = json.dumps(page).replace("<", "\\u003c")
    found = probed(tmp_path, WITHOUT_SCRIPTS.replace("PAGE", text), 1000, "")
    assert found["drawn"] == 0
    assert found["plots"] == len(found["told"]) > 5
    told = "\n".join(found["told"])
    for part in ("quality.accuracy, in words", "width=1: 0.5000", "loss (nats) 0.2500 at epoch 3"):
        assert part in told


ALONE = """<!doctype html><meta charset="utf-8"><head><script>SCRIPT</script></head><body><div id="place"></div><script>
const place = document.getElementById("place"), plot = PLOT;
drawPlot(place, plot);
drawPlot(place, { ...plot, title: "again" });
const names = Array.from(place.querySelectorAll("svg[role]"), (svg) => svg.getAttribute("aria-label"));
const bars = place.querySelectorAll("g.mark rect").length;
document.body.textContent = `PROBED${JSON.stringify({ names, bars })}DONE`;
</script></body>"""


def test_any_page_can_draw_a_plot_with_the_one_script_and_draw_it_anew(tmp_path: Path) -> None:
    boxes = Boxes((Box(0.0, 1.0, 0.0, 0.5, "a"), Box(0.0, 2.0, 0.5, 1.0, "b")), "#0072b2", "all", hatch=1)
    plot = Plot("n", "t", "c", (Panel(Scale(0.0, 2.0, "x"), Scale(0.0, 1.0), (boxes,)),))
    script = files("etude.report.page").joinpath("plot.js").read_text(encoding="utf-8")
    found = probed(tmp_path, ALONE.replace("SCRIPT", script).replace("PLOT", plot_text(plot)), 800, "")
    assert found == {"names": ["again; arrow keys go from mark to mark"], "bars": 2}
