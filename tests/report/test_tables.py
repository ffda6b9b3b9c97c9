"""One layout, four ways to draw it; none of them loses a number, invents one or breaks on a name."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from etude.analysis.estimates import estimate
from etude.analysis.summary import Group, StudySummary
from etude.report.page.means import table_of_means
from etude.report.tables.comma_separated import csv_text
from etude.report.tables.latex import escape, latex_text
from etude.report.tables.markdown import markdown_text
from etude.report.tables.means_table import _counts, means_table
from etude.report.tables.table_files import RENDERERS, export, statistics_text
from etude.report.tables.terminal import TerminalTable

EXPECTED = Path(__file__).parent.parent / "expected"


def grouped(values: dict[str, list[float]]) -> StudySummary:
    groups = tuple(
        Group(name=f"k={name}", params={"k": name}, replicates=len(found), estimates={"m": estimate(found)})
        for name, found in values.items()
    )
    return StudySummary(
        metrics=("m",),
        costs=(),
        varied=("k",),
        repeat="seed",
        lower_is_better=(),
        groups=groups,
        comparisons=(),
        references=(),
    )


def drawn(summary: StudySummary, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(TerminalTable(summary, "title"))
    return out.getvalue()


def test_the_layout_puts_groups_first_and_references_after_without_spread(summary: StudySummary) -> None:
    layout = means_table(summary)
    assert layout.label_columns == ("pooling",)
    assert layout.metric_columns == ("accuracy", "loss")
    assert [line.labels for line in (*layout.groups, *layout.references)] == [
        ("mean",),
        ("a_b & 50%",),
        ("commonest | label",),
    ]
    assert layout.references[0].cells[0].std is None
    assert layout.groups[0].n == "1–2"


def test_the_best_is_marked_by_each_metric_s_own_direction(summary: StudySummary) -> None:
    first, second = means_table(summary).groups
    assert [cell.best for cell in first.cells] == [False, True]
    assert [cell.best for cell in second.cells] == [True, False]


def test_a_reference_is_never_marked_best_even_where_it_is(summary: StudySummary) -> None:
    strong = replace(summary.references[0], values={"quality.accuracy": 0.99})
    layout = means_table(replace(summary, references=(strong,)))
    assert not any(cell.best for cell in layout.references[0].cells)


def test_a_cost_is_marked_best_only_where_it_is_said_that_less_is_better() -> None:
    groups = tuple(
        Group(name=f"k={at}", params={"k": at}, replicates=1, estimates={"q.latency_ms": estimate([float(at)])})
        for at in (1, 2)
    )
    summary = replace(grouped({}), metrics=("q.latency_ms",), groups=groups)
    said = replace(summary, lower_is_better=("q.latency_ms",))
    assert [line.cells[0].best for line in means_table(summary).groups] == [False, False]
    assert [line.cells[0].best for line in means_table(said).groups] == [True, False]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.70, 0.72], "0.710 ± 0.014"),
        ([0.7001, 0.7003], "0.70020 ± 0.00014"),
        ([1234.0, 1300.0], "1267 ± 47"),
        ([2.4e-7, 2.5e-7], "(2.450 ± 0.071)e-07"),
        ([1.2e12, 1.3e12], "(1.250 ± 0.071)e+12"),
        ([0.5], "0.5000"),
        ([0.5, 0.5], "0.5000 ± 0"),
    ],
)
def test_every_output_shows_two_digits_of_the_spread_or_four_of_the_mean(values: list[float], shown: str) -> None:
    summary = grouped({"a": values, "b": [105.0, 0.00126]})
    assert means_table(summary).groups[0].cells[0].text() == shown
    for text in (drawn(summary), markdown_text(summary), table_of_means(summary, "t", "i")):
        assert shown in text.replace("**", "")
    latex = re.sub(r"e([-+]\d+)", lambda power: rf" \times 10^{{{int(power[1])}}}", shown.replace("±", r"\pm"))
    assert f"${latex}$" in re.sub(r"\\mathbf\{([^}]*)\}", r"\1", latex_text(summary))


def test_metrics_of_several_nodes_keep_their_nodes_names(summary: StudySummary) -> None:
    metrics = ("quality.accuracy", "noisy.accuracy")
    groups = tuple(
        replace(group, estimates=dict.fromkeys(metrics, group.estimates["quality.accuracy"]))
        for group in summary.groups
    )
    assert means_table(replace(summary, metrics=metrics, groups=groups)).metric_columns == metrics


def test_csv_holds_every_number_in_full_and_nothing_where_nothing_is_known(summary: StudySummary) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(summary), newline="")))
    assert [row["kind"] for row in rows] == ["group", "group", "reference"]
    assert rows[1]["pooling"] == "a_b & 50%"
    assert float(rows[1]["quality.accuracy_mean"]) == 0.76
    assert rows[1]["quality.loss_std"] == ""
    assert float(rows[0]["fit.cost.wall_s_mean"]) == 3.0
    assert rows[2]["quality.accuracy_mean"] == "0.1111"
    assert rows[2]["quality.loss_mean"] == ""


def test_the_latex_table_is_as_expected(summary: StudySummary) -> None:
    assert latex_text(summary) == (EXPECTED / "aggregated_metrics.tex").read_text(encoding="utf-8")


def test_the_markdown_is_as_expected(summary: StudySummary) -> None:
    assert markdown_text(summary) == (EXPECTED / "aggregated_metrics.md").read_text(encoding="utf-8")


def test_comparisons_that_could_not_be_tested_are_told_once_and_not_one_by_one(summary: StudySummary) -> None:
    untested = replace(summary.comparisons[0], p_t=None, p_t_holm=None, claim="not tested", note="2 pairs: too few")
    shown = markdown_text(replace(summary, comparisons=(untested, untested)))
    assert "against" not in shown
    assert shown.count("2 pairs: too few") == 1


@given(st.text(max_size=30))
def test_no_text_is_left_to_latex_as_a_command(text: str) -> None:
    made = escape(text)
    bare = re.sub(r"\\(text[a-z]+\{\}|[{}$&#%_])|\$\\pm\$|\{[][*]\}", "", made)
    assert not set("\\{}$&#%_~^[]*") & set(bare)
    assert "\n" not in made


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=3, unique=True))
def test_every_row_of_every_format_has_as_many_cells_as_its_head(names: list[str]) -> None:
    summary = grouped({name: [0.1 * index, 0.2] for index, name in enumerate(names)})
    latex = [line for line in latex_text(summary).splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in latex} == {2}
    table = [line for line in markdown_text(summary).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {4}
    assert len(table) == len(names) + 2
    assert {len(row) for row in csv.reader(io.StringIO(csv_text(summary), newline=""))} == {10}


def test_the_terminal_shows_means_references_and_notes(summary: StudySummary) -> None:
    shown = drawn(summary)
    for part in (
        "title",
        "0.760 ± 0.014",
        "a_b & 50%",
        "commonest | label",
        "0.111",
        "2 replicates in the smallest group",
    ):
        assert part in shown


@pytest.mark.parametrize(("width", "shown"), [(90, ["accuracy", "loss"]), (50, ["accuracy"])])
def test_the_terminal_shows_as_many_metrics_as_fit_and_cuts_no_number(
    width: int, shown: list[str], summary: StudySummary
) -> None:
    lines = drawn(summary, width).splitlines()
    assert max(map(len, lines)) <= width
    assert [name for name in ("accuracy", "loss") if any(name in line for line in lines)] == shown
    assert any("and 1 more" in line for line in lines) == (shown == ["accuracy"])
    assert any("0.760 ± 0.014" in line for line in lines)


def test_square_brackets_in_a_name_are_shown_and_not_taken_as_style() -> None:
    assert "[bold]x[/]" in drawn(grouped({"[bold]x[/]": [0.1, 0.2]}))


def test_the_statistics_are_json_with_null_for_what_is_not_known(summary: StudySummary) -> None:
    found = json.loads(statistics_text(summary))
    assert found["groups"][0]["estimates"]["quality.loss"]["std"] is None
    assert found["comparisons"][0]["claim"] == "higher"


def test_export_writes_all_files_whole_and_leaves_nothing_else(summary: StudySummary, tmp_path: Path) -> None:
    (tmp_path / "aggregated_metrics.csv").write_text("old")
    written = export(summary, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written} == set(RENDERERS)
    assert (tmp_path / "aggregated_metrics.csv").read_bytes() == csv_text(summary).encode()


def test_a_summary_that_cannot_be_drawn_leaves_the_old_files_alone(summary: StudySummary, tmp_path: Path) -> None:
    export(summary, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyError):
        export(replace(summary, metrics=("quality.unknown",)), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_terminal_shortens_long_fractions_and_leaves_other_labels_as_they_are() -> None:
    shown = drawn(grouped({"0.0002216487085863198": [1.0], "0.001": [2.0], "v1.23456789": [3.0]}))
    assert "0.000221649 " in shown
    assert "0.001 " in shown
    assert "v1.23456789" in shown


def test_the_terminal_shows_some_groups_of_very_many_and_says_so() -> None:
    shown = drawn(grouped({f"group{number:03}": [1.0] for number in range(100)}))
    assert "group059" in shown
    assert "group060" not in shown
    assert "and 40 more groups in the exported tables" in shown


HOSTILE = ("n", "kind", "name", "role", "group", "m", "a_mean", "param.kind", "param n", "a", "n$&_^%{}|*<b>`[]#~\\")


@pytest.mark.parametrize("unit", ["", "m"])
def test_no_column_is_called_like_another_whatever_params_and_metrics_are_called(unit: str) -> None:
    metrics = ("q.a", "q.a_mean", "q.a_std", "q.n", "q.kind", "q.m", "q.a (m)")
    groups = tuple(
        Group(
            name=f"g{at}",
            params=dict.fromkeys(HOSTILE, at),
            replicates=2,
            estimates={metric: estimate([float(at), 1.0]) for metric in metrics},
        )
        for at in range(2)
    )
    summary = replace(
        grouped({}), metrics=metrics, groups=groups, varied=HOSTILE, units=dict.fromkeys(metrics, unit) if unit else {}
    )
    rows = list(csv.reader(io.StringIO(csv_text(summary), newline="")))
    layout = means_table(summary)
    for heads in (rows[0], [*layout.label_columns, "n", *layout.metric_columns]):
        assert len(set(heads)) == len(heads)
    assert {len(row) for row in rows} == {len(rows[0])}
    markdown = [line for line in markdown_text(summary).splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in markdown}) == 1


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_of_any_width_cuts_no_number_and_no_label(width: int) -> None:
    long = "bert-base-multilingual-uncased-finetuned"
    summary = grouped({f"{long}-{at}": [1.2e12, 1.3e12 + at] for at in range(2)})
    shown = drawn(summary, width)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    assert "(1.250 ± 0.071)e+12" in shown


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([], ""),
        ([[1.0, 2.0]], "2"),
        ([[1.0, 2.0], [3.0]], "1–2"),
        ([[1.0, None, None], [2.0, 3.0, 4.0]], "1–3 of 3"),
        ([[1.0, None]], "1 of 2"),
    ],
)
def test_a_row_tells_how_many_replicates_of_how_many_have_a_value(groups: list[list[float | None]], told: str) -> None:
    assert _counts([estimate(values) for values in groups]) == told
