"""The charts that a run writes: of every metric, of quality against cost, of curves and of predictions."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from etude.report.charts.gallery import gallery, groups_of, path_to
from etude.report.charts.plot import Line
from etude.report.export import export_results, short_file_list
from etude.report.tables.summaries import summaries_of
from etude.study.execution import Result
from projects import Project


def test_a_study_gives_bars_pareto_charts_curves_and_confusions(finished: Result) -> None:
    (_, summary), *_ = summaries_of(finished.prepared)
    made = gallery(finished.prepared, summary, finished.records().to_pylist())
    assert [chart.title for chart in made.bars] == ["quality.accuracy", "quality.latency_ms"]
    costs = ["energy_j", "wall_s", "quality.latency_ms"]
    assert [chart.name for chart in made.pareto] == [f"quality.accuracy_against_{cost}" for cost in costs]
    assert [(chart.name, chart.panels[0].y.label) for chart in made.curves] == [("model.loss_curves", "loss (nats)")]
    thin = [mark.name for mark in made.curves[0].panels[0].marks if isinstance(mark, Line) and mark.width < 1]
    assert thin == ["width=1", "width=1", "width=2", "width=2"]
    assert [(matrix.title, "n = 8" in matrix.caption) for matrix in made.confusions] == [
        ("width=1 (scored)", True),
        ("width=2 (scored)", True),
    ]


def test_the_cost_of_a_variant_covers_what_its_quality_needs_and_no_baseline(finished: Result) -> None:
    assert path_to(finished.prepared, "quality.accuracy") == ("texts", "model", "scored", "quality")


def test_every_row_has_its_group(finished: Result) -> None:
    (_, summary), *_ = summaries_of(finished.prepared)
    rows = finished.records().to_pylist()
    assert groups_of(summary, rows) == ("width=1", "width=1", "width=2", "width=2")


def test_charts_are_written_as_pictures_in_both_formats(finished: Result) -> None:
    export_results(finished)
    charts = finished.prepared.workplace.results / "charts"
    stems = {path.stem for path in charts.glob("*.png")}
    assert {"quality.accuracy", "quality.accuracy_against_energy_j", "model.loss_curves"} <= stems
    assert "scored_confusion_width-1" in stems
    assert stems == {path.stem for path in charts.glob("*.svg")}
    assert not list(charts.glob(".*"))


def test_nothing_is_drawn_again_where_nothing_has_changed(finished: Result) -> None:
    export_results(finished)
    chart = finished.prepared.workplace.results / "charts" / "quality.accuracy.png"
    chart.write_bytes(b"mark")
    export_results(finished)
    assert chart.read_bytes() == b"mark"
    chart.unlink()
    export_results(finished)
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_charts_of_an_earlier_export_do_not_stay(finished: Result) -> None:
    export_results(finished)
    results = finished.prepared.workplace.results
    (results / "charts" / "gone.png").write_bytes(b"old")
    stamp = results / ".exported.json"
    stamp.write_text(json.dumps({"stamp": "earlier", "files": []}))
    export_results(finished)
    assert not (results / "charts" / "gone.png").exists()


def test_tables_of_an_earlier_export_do_not_stay_beside_other_records(finished: Result, project: Project) -> None:
    export_results(finished)
    results = finished.prepared.workplace.results
    (results / "own.md").write_text("the user's")
    assert (results / "aggregated_metrics.csv").is_file()
    study = finished.prepared.study
    export_results(project.run(replace(study, collect={})))
    assert not (results / "aggregated_metrics.csv").exists()
    assert {path.name for path in results.glob("*.*")} >= {"records.parquet", "own.md"}


def test_the_quality_of_energy_is_that_of_the_variants_shown(finished: Result) -> None:
    (_, summary), *_ = summaries_of(finished.prepared)
    rows = [dict(row) for row in finished.records().to_pylist()]
    for row in rows[:2]:
        row.update({"model.cost.energy_j": None, "model.cost.energy_quality": None})
    made = gallery(finished.prepared, summary, rows).pareto[0]
    assert [tip.partition(":")[0] for _, tip in made.tips] == ["width=2"]
    assert "energy absent" not in made.caption
    assert "; energy " in made.caption


def test_a_folder_of_charts_is_told_as_one() -> None:
    names = ["a.csv", "charts/x.png", "charts/x.svg", "t/charts/y.png"]
    assert short_file_list(names) == ["a.csv", "charts/ (2 files)", "t/charts/ (1 file)"]


def test_a_partly_run_study_gives_the_charts_of_what_there_is(finished: Result, tmp_path: Path) -> None:
    (_, summary), *_ = summaries_of(finished.prepared)
    rows = [{**row, "model.cost.energy_j": None} for row in finished.records().to_pylist()]
    made = gallery(finished.prepared, summary, rows)
    assert [chart.name.partition("_against_")[2] for chart in made.pareto] == ["wall_s", "quality.latency_ms"]
    assert made.notes == ("no chart of quality.accuracy against energy_j: there is no group of which both are known",)


def test_what_a_run_with_nothing_to_do_loads_neither_draws_nor_reckons() -> None:
    code = "import sys, etude.report.export; print({'scipy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
