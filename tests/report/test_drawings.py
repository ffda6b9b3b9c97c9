"""Drawings: the same bytes for the same record, no state left behind, no name taken for a command."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace

import matplotlib
import pytest

from etude.analysis.estimates import estimate
from etude.analysis.summary import Group, StudySummary
from etude.report.charts.bars import bars
from etude.report.charts.confusion import confusion_chart
from etude.report.charts.curves import learning_curves
from etude.report.charts.drawing import images
from etude.report.charts.palette import FAINT, INK, SERIES
from etude.report.charts.pareto import ParetoPoints, Point, pareto_chart
from etude.report.charts.plot import Plot

HOSTILE = "<script>$x^2$ & \\frac{_}"


def one_of_each(summary: StudySummary) -> list[Plot]:
    rows = [{"epoch": at, "loss": 1 / at} for at in (1, 2, 3)]
    points = (Point(HOSTILE, 0.5, (0.4, 0.6), 1.0, (0.5, 1.5), 3, True), Point("b", 0.7, None, 90.0, None, 3, True))
    return [
        bars({"": summary}, "quality.accuracy"),
        pareto_chart(ParetoPoints("q.a", "energy_j", "a", "energy (J)", False, points, ("c",), "all")),
        *learning_curves("fit", {HOSTILE: [rows, rows], "b": [rows]}),
        confusion_chart("scored", HOSTILE, [[("a", "b"), (HOSTILE, HOSTILE)]]),
    ]


@pytest.mark.parametrize("index", range(4), ids=["bars", "pareto", "curves", "confusion"])
def test_the_same_record_gives_the_same_bytes(index: int, summary: StudySummary) -> None:
    chart = one_of_each(summary)[index]
    first, second = images(chart), images(chart)
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    assert ElementTree.fromstring(first.svg).tag.endswith("svg")
    assert b"<dc:date>" not in first.svg


def test_drawing_leaves_the_settings_of_matplotlib_alone_and_heeds_none_of_them(summary: StudySummary) -> None:
    chart = bars({"": summary}, "quality.accuracy")
    plain = images(chart)
    with matplotlib.rc_context({"font.size": 40.0, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        assert images(chart) == plain
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    "values",
    [(), (None,), (-0.5, 0.2), (0.0,), tuple(index / 60 for index in range(60))],
    ids=["no groups", "nothing known", "both signs", "zero", "many"],
)
def test_bars_of_any_kind_can_be_drawn(values: tuple[float | None, ...], summary: StudySummary) -> None:
    groups = tuple(
        Group(name=f"g{at}", params={"g": at}, replicates=2, estimates={"quality.accuracy": estimate([value, value])})
        for at, value in enumerate(values)
    )
    made = images(bars({"": replace(summary, groups=groups, comparisons=())}, "quality.accuracy"))
    assert made.png.startswith(b"\x89PNG")


@pytest.mark.parametrize("points", [(), (Point("one", 0.5, None, 0.0, None, 1, True),)], ids=["none", "one, at zero"])
def test_a_pareto_chart_of_few_points_can_be_drawn(points: tuple[Point, ...]) -> None:
    assert images(pareto_chart(ParetoPoints("q", "c", "q", "c", True, points, (), ""))).svg


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", SERIES)
def test_every_series_stands_out_from_white_paper(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 3.0


@pytest.mark.parametrize("colour", [INK, FAINT])
def test_text_on_charts_has_the_contrast_of_text(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_no_window_system_is_asked_for(run_python: Callable[[str], str]) -> None:
    code = """
        from etude.report.charts.drawing import images
        from etude.report.charts.confusion import confusion_chart
        images(confusion_chart("n", "g", [[("a", "b")]]))
        import sys
        print("matplotlib.pyplot" in sys.modules, "tkinter" in sys.modules)
    """
    assert run_python(code) == "False False"


@pytest.fixture
def run_python() -> Callable[[str], str]:
    import textwrap

    def run(code: str) -> str:
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run
