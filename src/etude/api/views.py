"""What a plan and a run look like in Python: tables that show themselves, values by name."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etude.errors import ConfigError, Fault
from etude.graph.explain import Reason, why
from etude.graph.labels import text_of
from etude.graph.node import Node
from etude.graph.plan import Action, State
from etude.report.export import export_results
from etude.report.report_file import write_report
from etude.report.tables.comma_separated import csv_text
from etude.report.tables.latex import latex_text
from etude.report.tables.markdown import markdown_text
from etude.report.tables.means_table import means_table
from etude.report.tables.summaries import summaries_of
from etude.report.tables.table_files import statistics_text
from etude.report.tables.terminal import TerminalTable
from etude.study.accept import earlier_result
from etude.study.execution import Result
from etude.study.prepare import PreparedStudy

if TYPE_CHECKING:
    import pandas
    import pyarrow as pa

    from etude.analysis.summary import StudySummary


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """What a run would do: a row for each node as written."""

    prepared: PreparedStudy

    def rows(self) -> list[dict[str, object]]:
        """Each node's name, how many of it are cached and how many would run, and why the first would."""
        rows: dict[str, dict[str, Any]] = {}
        for action in self.prepared.plan.actions:
            row = rows.setdefault(action.node.title, {"node": action.node.title, "cached": 0, "run": 0, "why": ""})
            row["cached"] += action.state is State.CACHED
            if action.state is State.RUN:
                row["run"] += 1
                row["why"] = row["why"] or "; ".join(map(str, self._reasons(action)[:2]))
        return list(rows.values())

    def _reasons(self, action: Action) -> Sequence[Reason]:
        return why(action, earlier_result(self.prepared.store, self.prepared.history, action.node))

    def __str__(self) -> str:
        return _aligned(self.rows())

    def _repr_html_(self) -> str:
        return _html_table(self.rows())


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A collected table: means over the replicates, with spread, intervals and comparisons."""

    name: str
    summary: StudySummary

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=120, no_color=True)
        with console.capture() as captured:
            console.print(TerminalTable(self.summary, self.name))
        return "\n".join(line.rstrip() for line in captured.get().splitlines())

    def _repr_html_(self) -> str:
        layout = means_table(self.summary)
        heads = [*layout.label_columns, "n", *layout.metric_columns]
        lines = [*layout.groups, *layout.references]
        rows = [[*line.label_texts(), line.n, *(cell.text() for cell in line.cells)] for line in lines]
        return _html_rows(heads, rows) + "".join(f"<p>{html.escape(note)}</p>" for note in layout.notes)

    def to_markdown(self) -> str:
        """With the comparisons and what must be known to read them."""
        return markdown_text(self.summary)

    def to_latex(self) -> str:
        """As a paper takes it."""
        return latex_text(self.summary)

    def to_csv(self) -> str:
        """Every statistic of every group."""
        return csv_text(self.summary)

    def to_json(self) -> str:
        """Every statistic, the comparisons and notes included."""
        return statistics_text(self.summary)

    def to_pandas(self) -> pandas.DataFrame:
        """Every statistic of every group, a row for each."""
        import io

        import pandas

        return pandas.read_csv(io.StringIO(self.to_csv()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart of a study, as it was written."""

    name: str
    png: Path
    svg: Path

    def _repr_svg_(self) -> str:
        return self.svg.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """What a study came to."""

    finished: Result

    @property
    def succeeded(self) -> bool:
        """Whether nothing failed."""
        return self.finished.succeeded

    @property
    def failures(self) -> Mapping[str, str]:
        """The nodes that failed in this run, with the error of each."""
        return {failure.node.label(): failure.outcome.error for failure in self.finished.summary.failures}

    def records(self) -> pa.Table:
        """A row for each variant: its params, metrics and costs. `.to_pandas()`, or `polars.from_arrow(…)`."""
        return self.finished.records()

    def tables(self) -> dict[str, TableView]:
        """Every collected table, by the name of its node."""
        return {name: TableView(name=name, summary=found) for name, found in summaries_of(self.finished.prepared)}

    def table(self, name: str | None = None) -> TableView:
        """A collected table; the only one where no name is given.

        Raises:
            ConfigError: There is none of that name, or several.
        """
        tables = self.tables()
        if name is None and len(tables) == 1:
            return next(iter(tables.values()))
        if name not in tables:
            there = (
                f"there are {', '.join(tables)}" if tables else "the study collects none: .collect(table=aggregate())"
            )
            raise ConfigError([Fault("", f"no table {name!r}" if name else "which table?", mend=there)])
        return tables[name]

    def values(self, name: str) -> Iterator[tuple[Mapping[str, object], Any]]:
        """The results of a node, each with the params that it depends on, read one at a time."""
        for node in self.finished.prepared.expansion.named(name):
            yield node.params, self._read(node)

    def value(self, name: str, **params: object) -> Any:
        """The result of one node.

        Args:
            name: The node.
            params: Values of the params that it depends on, as many as tell it from the others.

        Raises:
            ConfigError: There is no such node, or it is not the only one.
            StoreError: Its result is not there.
        """
        nodes = self.finished.prepared.expansion.named(name)
        asked = {key: text_of(value) for key, value in params.items()}
        fitting = [node for node in nodes if asked.items() <= {k: text_of(v) for k, v in node.params.items()}.items()]
        if len(fitting) != 1:
            labels = [node.label() for node in fitting or nodes]
            listed = ", ".join(labels[:6]) + (f" and {len(labels) - 6} more" if len(labels) > 6 else "")
            reason = f"{len(fitting)} results of {name!r} have these params" if params else f"{name!r} has {len(nodes)}"
            raise ConfigError([Fault("", reason, dict(params) or None, f"there are {listed}")])
        return self._read(fitting[0])

    def _read(self, node: Node) -> Any:
        returns = node.use.signature.returns if node.use is not None else object
        return self.finished.prepared.store.read(node.fingerprint, as_type=returns)

    def export(self) -> Path:
        """Write the records, tables and charts to the study's results folder, which is returned."""
        export_results(self.finished)
        return self.finished.prepared.workplace.results

    def figures(self) -> dict[str, Figure]:
        """The charts of the results folder, which is brought up to date, by name."""
        folder = self.export()
        return {
            str(svg.relative_to(folder).with_suffix("")).removeprefix("charts/"): Figure(
                name=svg.stem, png=svg.with_suffix(".png"), svg=svg
            )
            for svg in sorted(folder.rglob("charts/*.svg"))
        }

    def report(self, path: str | Path | None = None) -> Path:
        """Write one HTML file that works offline: to the results folder, or where said."""
        return write_report([self.finished.prepared], output=Path(path) if path is not None else None).files[0]

    def __str__(self) -> str:
        texts = [str(table) for table in self.tables().values()]
        return "\n\n".join(texts) or _counts_text(self.finished)

    def _repr_html_(self) -> str:
        tables = [f"<h4>{html.escape(name)}</h4>{table._repr_html_()}" for name, table in self.tables().items()]
        return "".join(tables) or f"<p>{html.escape(_counts_text(self.finished))}</p>"


def _counts_text(result: Result) -> str:
    cached = len(result.prepared.plan.cached)
    return f"{len(result.summary.computed)} computed, {cached} cached, {len(result.summary.failures)} failed"


def _aligned(rows: Sequence[Mapping[str, object]]) -> str:
    if not rows:
        return "nothing"
    texts = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(texts[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts
    )


def _html_table(rows: Sequence[Mapping[str, object]]) -> str:
    return _html_rows(list(rows[0]), [[str(value) for value in row.values()] for row in rows]) if rows else ""


def _html_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
