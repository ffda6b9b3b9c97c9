"""Writes a report on studies, and the charts that lay several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etude.errors import ConfigError, Fault
from etude.redaction import Redactor
from etude.report.charts.chart_names import file_stem
from etude.report.charts.drawing import images
from etude.report.page.comparison import comparison_charts, first_summaries
from etude.report.page.findings import StudyFindings, findings
from etude.report.page.report_page import document
from etude.report.tables.table_files import write_bytes, write_text
from etude.study.prepare import PreparedStudy


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """What was written, and what is to be known of it."""

    files: tuple[Path, ...]
    """The report, and a folder of charts where several studies were compared."""
    notes: tuple[str, ...]
    complete: bool
    """Whether every study has at least one variant that is done."""


def check_names(names: Sequence[str], studies: Sequence[object]) -> None:
    """Refuse names that are not one for each study, or that do not tell them apart.

    Raises:
        ConfigError: There are too few or too many, one is empty, or two are equal.
    """
    if not names:
        return
    if len(names) != len(studies):
        reason = f"{len(studies)} {'study' if len(studies) == 1 else 'studies'}, but {len(names)} names"
        raise ConfigError([Fault("--name", reason, list(names), "give one --name for each study, or none")])
    if len({name.strip() for name in names}) < len(names) or not all(name.strip() for name in names):
        raise ConfigError([Fault("--name", "each study needs a name of its own", list(names))])


def write_report(
    studies: Sequence[PreparedStudy],
    names: Sequence[str] = (),
    output: Path | None = None,
    redact: Redactor = Redactor(),  # noqa: B008 - frozen
) -> ReportFiles:
    """Write a report; a file that is there is replaced.

    Args:
        studies: One or more, as far as they have been run.
        names: What they are called; their own names where none are given.
        redact: Takes secrets out of the page.
        output: The file; None for `report.html` in the study's results, or in a folder of several studies' names.
    """
    contents = [findings(study, name) for study, name in zip(studies, _titles(studies, names), strict=True)]
    target = output or _place(studies)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, redact(document(contents)))
    files = [target]
    if len(contents) > 1 and (charts := _write_charts(contents, target)):
        files.append(charts)
    return ReportFiles(files=tuple(files), notes=tuple(_notes(contents)), complete=all(each.done for each in contents))


def _titles(studies: Sequence[PreparedStudy], names: Sequence[str]) -> list[str]:
    """A name for each study: as given, else its own, numbered where two have the same."""
    if names:
        return [name.strip() for name in names]
    own = [study.study.name for study in studies]
    return [f"{name} ({own[: at + 1].count(name)})" if own.count(name) > 1 else name for at, name in enumerate(own)]


def _place(studies: Sequence[PreparedStudy]) -> Path:
    results = studies[0].workplace.results
    if len(studies) == 1:
        return results / "report.html"
    return results.parent / file_stem("+".join(study.study.name for study in studies)) / "report.html"


def _write_charts(contents: Sequence[StudyFindings], report: Path) -> Path | None:
    """A bar chart of every metric that the studies share, in a folder beside the report."""
    charts = comparison_charts(first_summaries(contents))
    folder = report.parent / f"{report.stem}-charts"
    for chart in charts:
        folder.mkdir(exist_ok=True)
        drawing = images(chart)
        write_bytes(folder / f"{chart.name}.png", drawing.png)
        write_bytes(folder / f"{chart.name}.svg", drawing.svg)
    return folder if charts else None


def _notes(contents: Sequence[StudyFindings]) -> list[str]:
    return [f"{each.title}: {note}" if len(contents) > 1 else note for each in contents for note in each.notes]
