"""Writes the tables of a summary into a folder, each file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from etude.analysis.summary import StudySummary
from etude.interchange import json_text
from etude.report.tables.comma_separated import csv_text
from etude.report.tables.latex import latex_text
from etude.report.tables.markdown import markdown_text

CHARTS = "charts"
SEARCH = "search"
"""Folder of what a search came to: its table and its charts."""
RECOMMENDED = "recommendation.json"
"""Which trial of a search to take."""


def statistics_text(summary: StudySummary) -> str:
    """Everything that is known, as JSON: what is not known is null."""
    return json_text(asdict(summary), indent=1) + "\n"


RENDERERS: Mapping[str, Callable[[StudySummary], str]] = {
    "aggregated_metrics.csv": csv_text,
    "aggregated_metrics.tex": latex_text,
    "aggregated_metrics.md": markdown_text,
    "detailed_statistics.json": statistics_text,
}


def export(summary: StudySummary, folder: Path) -> tuple[Path, ...]:
    """Write all tables of a summary; files of the same names are replaced. Returns what was written."""
    texts = {name: render(summary) for name, render in RENDERERS.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
    return tuple(folder / name for name in texts)


def write_text(path: Path, text: str) -> None:
    """Write a text file under another name in its folder, then rename it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under another name in its folder, then rename it."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
