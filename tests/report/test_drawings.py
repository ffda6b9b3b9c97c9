"""Drawings: the same bytes for the same record, no state left behind, no name taken for a command."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import matplotlib
import pytest

from etude.analysis.summary import Summary
from etude.report.charts.bars import Bar, Bars, Mark, bars
from etude.report.charts.confusion import confusion
from etude.report.charts.curves import learning_curves
from etude.report.charts.drawing import Chart, drawn
from etude.report.charts.palette import FAINT, INK, SERIES
from etude.report.charts.pareto import ParetoPoints, Point

HOSTILE = "<script>$x^2$ & \\frac{_}"


def one_of_each(summary: Summary) -> list[Chart]:
    rows = [{"epoch": at, "loss": 1 / at} for at in (1, 2, 3)]
    points = (Point(HOSTILE, 0.5, (0.4, 0.6), 1.0, (0.5, 1.5), 3, True), Point("b", 0.7, None, 90.0, None, 3, True))
    return [
        bars(summary, "quality.accuracy"),
        ParetoPoints("q.a", "energy_j", "a", "energy (J)", False, points, ("c",), "all"),
        *learning_curves("fit", {HOSTILE: [rows, rows], "b": [rows]}),
        confusion("scored", HOSTILE, [[("a", "b"), (HOSTILE, HOSTILE)]]),
    ]


@pytest.mark.parametrize("index", range(4), ids=["bars", "pareto", "curves", "confusion"])
def test_the_same_record_gives_the_same_bytes(index: int, summary: Summary) -> None:
    chart = one_of_each(summary)[index]
    first, second = drawn(chart), drawn(chart)
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    assert ElementTree.fromstring(first.svg).tag.endswith("svg")
    assert b"<dc:date>" not in first.svg


def test_drawing_leaves_the_settings_of_matplotlib_alone_and_heeds_none_of_them(summary: Summary) -> None:
    chart = bars(summary, "quality.accuracy")
    plain = drawn(chart)
    with matplotlib.rc_context({"font.size": 40.0, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        assert drawn(chart) == plain
        assert dict(matplotlib.rcParams) == before


def bar(mean: float | None, std: float | None = None) -> Bar:
    return Bar(mean, std, 1, None)


@pytest.mark.parametrize(
    "values",
    [(), (bar(None),), (bar(-0.5, 0.1), bar(0.2)), (bar(0.0, 0.0),), tuple(bar(index / 60) for index in range(60))],
    ids=["no groups", "nothing known", "both signs", "zero", "many"],
)
def test_bars_of_any_kind_can_be_drawn(values: tuple[Bar, ...]) -> None:
    names = tuple(f"g{index}" for index in range(len(values)))
    made = drawn(Bars("m", "m", ("",), names, (values,), (Mark("base", 0.1),), False, 0, "seed"))
    assert made.png.startswith(b"\x89PNG")


@pytest.mark.parametrize("points", [(), (Point("one", 0.5, None, 0.0, None, 1, True),)], ids=["none", "one, at zero"])
def test_a_pareto_chart_of_few_points_can_be_drawn(points: tuple[Point, ...]) -> None:
    assert drawn(ParetoPoints("q", "c", "q", "c", True, points, (), "")).svg


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
        from etude.report.charts.drawing import drawn
        from etude.report.charts.confusion import confusion
        drawn(confusion("n", "g", [[("a", "b")]]))
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
