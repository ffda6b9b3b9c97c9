"""Writes what a run came to into the study's results folder: records, tables, charts, and what collect nodes gave."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from etude.analysis.records import rows_of
from etude.interchange import json_text
from etude.report.tables.summaries import summaries_of
from etude.report.tables.table_files import CHARTS, RECOMMENDED, SEARCH, export, write_text
from etude.report.tables.terminal import TerminalTable
from etude.report.tables.value_files import write_parquet, write_value
from etude.store.files.manifest import Manifest
from etude.study.execution import Result
from etude.study.prepare import PreparedStudy

STAMP = ".exported.json"
FORM = "7"
"""Changes with what is exported, so that results of earlier forms are exported anew."""


def terminal_tables(result: Result) -> list[TerminalTable]:
    """A table for each summary that the study's collect nodes gave."""
    prepared = result.prepared
    return [TerminalTable(summary, f"{prepared.study.name}: {name}") for name, summary in summaries_of(prepared)]


def export_results(result: Result) -> list[str]:
    """Write the results folder, unless it holds these very results already.

    Returns:
        The names of its files for people, the tables first; empty where nothing is done yet.
    """
    prepared = result.prepared
    folder = prepared.workplace.results
    stamp = _stamp(prepared)
    known = _read_stamp(folder)
    if known is not None and known["stamp"] == stamp and all((folder / name).exists() for name in known["files"]):
        return short_file_list(known["files"])
    records = result.records()
    if prepared.search is None and all(status != "done" for status in records["status"].to_pylist()):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    names = [*_write_collected(prepared, folder), *_write_records(records, folder)]
    if prepared.search is not None or any(True for _ in summaries_of(prepared)):
        # Here, for charts load SciPy and matplotlib, and many runs draw none.
        from etude.report.chart_files import write_charts, write_search

        names += write_charts(prepared, [dict(row) for row in rows_of(records)], folder)
        names += write_search(prepared, folder)
    _remove_earlier(folder, set(known["files"] if known else ()) - set(names))
    write_text(folder / STAMP, json.dumps({"stamp": stamp, "files": names}))
    return short_file_list(names)


def search_advice(prepared: PreparedStudy) -> str:
    """Which trial of a search to take, as the results folder says it; empty where it says nothing."""
    try:
        said = json.loads((prepared.workplace.results / SEARCH / RECOMMENDED).read_text(encoding="utf-8"))
        return str(said["sentence"])
    except (OSError, ValueError, KeyError):
        return ""


def _remove_earlier(folder: Path, names: set[str]) -> None:
    """Remove files of an earlier export that this one does not have: tables of other results than its records."""
    for name in names:
        path = folder / name
        if path.is_file() and ".." not in path.parts:
            path.unlink()


def short_file_list(names: Sequence[str]) -> list[str]:
    """File names as a run tells them: a folder of charts as one."""
    folders = Counter(name.rpartition("/")[0] for name in names)
    charts = {folder for folder in folders if folder.rpartition("/")[2] == CHARTS}
    tables = [name for name in names if name.rpartition("/")[0] not in charts]
    counted = {folder: f"{count} file{'s' if count > 1 else ''}" for folder, count in folders.items()}
    return tables + [f"{folder}/ ({count})" for folder, count in counted.items() if folder in charts]


def _collected(prepared: PreparedStudy) -> Iterator[tuple[str, Manifest]]:
    for name, node in prepared.expansion.collect.items():
        manifest = prepared.store.inspect(node.fingerprint)
        if isinstance(manifest, Manifest):
            yield name, manifest


def _write_collected(prepared: PreparedStudy, folder: Path) -> Iterator[str]:
    summaries = dict(summaries_of(prepared))
    for name, summary in summaries.items():
        place = folder if len(summaries) == 1 else folder / name
        for path in export(summary, place):
            yield str(path.relative_to(folder))
    for name, manifest in _collected(prepared):
        if name not in summaries:
            yield write_value(prepared.store.read(manifest.fingerprint), folder / name).name


def _write_records(records: Any, folder: Path) -> Iterator[str]:
    yield write_parquet(records, folder / "records.parquet").name
    lines = "".join(json_text(dict(row)) + "\n" for row in rows_of(records))
    write_text(folder / "records.jsonl", lines)
    yield "records.jsonl"


def _stamp(prepared: PreparedStudy) -> str:
    """Identity of what there is to export: contents and costs of all that is stored."""
    digest = sha256(FORM.encode())
    nodes = [prepared.expansion.records, *prepared.expansion.collect.values()]
    nodes += [node for row in prepared.expansion.nodes for node in row.values()]
    for fingerprint in dict.fromkeys(node.fingerprint for node in nodes):
        manifest = prepared.store.inspect(fingerprint)
        failure = None if isinstance(manifest, Manifest) else prepared.store.failure(fingerprint)
        absent = f"absent {failure.get('error') if failure else ''}"
        content = f"{manifest.content} {manifest.created}" if isinstance(manifest, Manifest) else absent
        digest.update(f"{fingerprint} {content}\n".encode())
    if prepared.search is not None:
        digest.update(f"search {prepared.search.history.count}\n".encode())
    return digest.hexdigest()


def _read_stamp(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return {"stamp": found["stamp"], "files": list(found["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
