"""Writes the charts of a study and of its search into its results folder, beside what they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from etude.interchange import json_text
from etude.report.charts.chart_names import file_stem
from etude.report.charts.drawing import images
from etude.report.charts.gallery import gallery
from etude.report.charts.plot import Plot
from etude.report.charts.search.charts import SearchCharts, charts_of_study
from etude.report.charts.search.wording import recommendation_text
from etude.report.tables.summaries import summaries_of
from etude.report.tables.table_files import CHARTS, RECOMMENDED, SEARCH, write_bytes, write_text
from etude.report.tables.value_files import write_parquet
from etude.search.trial_table import csv_text
from etude.study.prepare import PreparedStudy


def write_charts(prepared: PreparedStudy, rows: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """Every chart of every summary, as PNG and as SVG; those of an earlier export are removed."""
    summaries = dict(summaries_of(prepared))
    for name, summary in summaries.items():
        place = folder / CHARTS if len(summaries) == 1 else folder / name / CHARTS
        for path in _write_images(gallery(prepared, summary, rows).named(), place):
            yield str(path.relative_to(folder))


def write_search(prepared: PreparedStudy, folder: Path) -> Iterator[str]:
    """A search's table of results and its charts."""
    if prepared.search is None:
        return
    table, search = prepared.search.table(), charts_of_study(prepared)
    if table is None or search is None:
        return
    place = folder / SEARCH
    place.mkdir(parents=True, exist_ok=True)
    yield str(write_parquet(table, place / "trials.parquet").relative_to(folder))
    write_text(place / "trials.csv", csv_text(prepared.search.history))
    yield str((place / "trials.csv").relative_to(folder))
    if search.recommended is not None:
        write_text(place / RECOMMENDED, json_text(_recommendation_json(search)) + "\n")
        yield str((place / RECOMMENDED).relative_to(folder))
    charts = ((file_stem(plot.name), plot) for plot in search.plots)
    for path in _write_images(charts, place / CHARTS):
        yield str(path.relative_to(folder))


def _recommendation_json(search: SearchCharts) -> dict[str, Any]:
    said = search.recommended
    assert said is not None
    return {
        "observed": {"trial": said.observed.number, "value": said.observed.values, "mean": said.observed_mean},
        "expected": {
            "trial": said.expected.number,
            "point": dict(said.expected.point),
            "mean": said.mean,
            "low": said.low,
            "high": said.high,
        },
        "noise_sd": said.noise_sd,
        "method": "posterior mean of a Gaussian process (Matérn 5/2 and noise) at the tried points; 95 % interval",
        "sentence": recommendation_text(said, search.results),
    }


def _write_images(charts: Iterable[tuple[str, Plot]], place: Path) -> Iterator[Path]:
    """Each chart as PNG and as SVG; those that are there from earlier are removed."""
    place.mkdir(parents=True, exist_ok=True)
    written = set()
    for stem, chart in charts:
        drawing = images(chart)
        for suffix, data in (("png", drawing.png), ("svg", drawing.svg)):
            path = place / f"{stem}.{suffix}"
            write_bytes(path, data)
            written.add(path)
            yield path
    for path in (*place.glob("*.png"), *place.glob("*.svg")):
        if path not in written:
            path.unlink()
