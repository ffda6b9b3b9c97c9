"""`etude show`: look at a result, a node or the records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any, Optional

import pyarrow as pa
import typer
from rich.table import Table
from rich.text import Text

from etude.analysis.records import rows_of
from etude.cli.arguments import AsJson, Only, Profile, Quick, Set, StudyFile, assignments
from etude.cli.completion import node_names
from etude.cli.console import err, escape, out
from etude.cli.study_file import prepare_file, profile_name
from etude.cli.value_text import value_lines
from etude.digits import UNKNOWN, short_text
from etude.errors import ConfigError, Fault
from etude.execute.record_table import current_records
from etude.graph.node import Node
from etude.identity.observed import how_not_deterministic
from etude.interchange import json_text
from etude.report.tables.comma_separated import rows_text
from etude.report.tables.means_table import short_names
from etude.report.tables.table_files import write_text
from etude.report.tables.value_files import as_table, is_table, plain, write_parquet
from etude.store.files.manifest import Damaged, Manifest
from etude.study.prepare import Options, PreparedStudy
from etude.units import readable_bytes, readable_seconds

EXAMPLES = """
[bold]Examples[/]

  etude show study.yaml                      [dim](the table of records)[/]

  etude show study.yaml quality              [dim](that node in every variant: result, cost, where it came from)[/]

  etude show study.yaml model --only-variant pooling=max --json

  etude show study.yaml scored --csv predictions.csv --parquet predictions.parquet
"""
MOST_ROWS = 40


def show(
    study: StudyFile,
    node: Annotated[
        str | None, typer.Argument(help="A node; the records if left out.", autocompletion=node_names)
    ] = None,
    only: Only = None,
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write the rows of all variants into a CSV file."),
    ] = None,
    parquet: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write the rows of all variants into a Parquet file."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
    quick: Quick = False,
    as_json: AsJson = False,
) -> None:
    options = Options(only=assignments(only, "--only-variant"), until=(node,) if node else ())
    prepared = prepare_file(study, overrides, profile_name(profile, quick=quick), options)
    files = [file for file in (csv, parquet and parquet.with_suffix(".parquet")) if file is not None]
    if files:
        raise typer.Exit(write_rows(prepared, node, files))
    code = show_records(prepared, as_json=as_json) if node is None else show_node(prepared, node, as_json=as_json)
    raise typer.Exit(code)


def show_records(prepared: PreparedStudy, *, as_json: bool) -> int:
    """Print the table of records, of what there is. Returns the exit code: 1 where there is nothing."""
    table = current_records(prepared.store, prepared.expansion.records)
    rows = [dict(row) for row in rows_of(table)]
    if as_json:
        out().print_json(json_text(rows))
    elif all(row["status"] != "done" for row in rows):
        name = prepared.study.name
        command = escape(f"etude run {prepared.study.file}")
        err().print(f"no variant of {name} is done as code and settings are now: {command}", soft_wrap=True)
        if prepared.workplace.results.exists():
            err().print(escape(f"tables of an earlier run: {prepared.workplace.results}/"), soft_wrap=True)
    else:
        _print_records(rows, out().width)
    return 0 if any(row["status"] == "done" for row in rows) else 1


def _print_records(rows: list[dict[str, Any]], width: int) -> None:
    """The columns that differ between rows, as many as fit."""
    columns = [
        name
        for name in rows[0]
        if ".cost." not in name and name not in ("status", "results", "accepted", "by_chance", "variant")
    ]
    differ = [name for name in columns if len({json.dumps(row.get(name)) for row in rows}) > 1] or columns
    metrics = [name for name in differ if "." in name]
    heads = {**{name: name for name in differ}, **dict(zip(metrics, short_names(metrics), strict=True))}
    names: list[str] = []
    used = 1
    for name in differ:
        used += max(len(heads[name]), *(len(_number(row.get(name))) for row in rows[:MOST_ROWS])) + 3
        if used > width and names:
            break
        names.append(name)
    table = Table(header_style="bold")
    for name in names:
        table.add_column(Text(heads[name]), justify="right", no_wrap=True)
    for row in rows[:MOST_ROWS]:
        table.add_row(*(Text(_number(row.get(name))) for name in names))
    out().print(table)
    if len(rows) > MOST_ROWS or len(names) < len(rows[0]):
        out().print(f"[dim]{len(rows)} rows, {len(rows[0])} columns in all: --json shows everything[/]", soft_wrap=True)


def _number(value: object) -> str:
    if value is None:
        return UNKNOWN
    return short_text(value) if isinstance(value, float) else str(value)


def show_node(prepared: PreparedStudy, name: str, *, as_json: bool) -> int:
    """Print what is stored of one node in every variant. Returns the exit code: 1 where there is nothing."""
    nodes = prepared.expansion.named(name)
    results = [(node, prepared.store.inspect(node.fingerprint)) for node in nodes]
    if as_json:
        out().print_json(json_text([_fields(prepared, node, manifest) for node, manifest in results]))
    else:
        for node, manifest in results:
            _print_node(prepared, node, manifest)
    return 0 if any(isinstance(manifest, Manifest) for _, manifest in results) else 1


def _print_node(prepared: PreparedStudy, node: Node, manifest: Manifest | Damaged | None) -> None:
    out().print(Text.assemble((node.label(), "bold"), f"  {node.fingerprint[:16]}"))
    if not isinstance(manifest, Manifest):
        failure = prepared.store.failure(node.fingerprint) or {}
        reason = manifest.reason if isinstance(manifest, Damaged) else "not computed as code and settings are now"
        if failure:
            reason = f"failed: {failure.get('error')}"
        out().print(Text(f"  {reason}", style="yellow"), soft_wrap=True)
        if failure.get("traceback"):
            out().print(Text(indent(str(failure["traceback"]).rstrip(), "    "), style="dim"), soft_wrap=True)
        if failure.get("log"):
            out().print(Text(f"    printed: {failure['log']}"), soft_wrap=True)
        last = prepared.history.results.get(node.label())
        manifest = prepared.store.inspect(last) if last else None
        if not isinstance(manifest, Manifest):
            return
        out().print(Text(f"  its last result, {last[:16] if last else ''}:", style="yellow"))
    rows = _provenance_rows(prepared, manifest)
    pad = max(len(key) for key, _ in rows)
    for key, text in rows:
        out().print(Text(f"  {key:<{pad}}  {text}"), soft_wrap=True)
    folder = prepared.workplace.etude / "shown" / manifest.fingerprint[:16]
    for line in value_lines(prepared.store.read(manifest.fingerprint), folder, out().width):
        out().print(Text(line, style="cyan"), soft_wrap=True)


def _provenance_rows(prepared: PreparedStudy, manifest: Manifest) -> list[tuple[str, str]]:
    cost, provenance = manifest.cost, manifest.provenance
    wall_s = cost.get("wall_s")
    rows = [
        ("made", f"{manifest.created[:19].replace('T', ' ')} UTC on {provenance.get('host', '?')}"),
        (
            "cost",
            "not measured" if wall_s is None else f"{readable_seconds(wall_s)} wall, {_cpu(cost.get('cpu_s'))} CPU",
        ),
        ("settings", str(manifest.identity.get("settings", ""))),
        ("code", f"{manifest.identity.get('step')} {str(manifest.identity.get('code'))[:12]}"),
        (
            "files",
            f"{len(manifest.files)}, {readable_bytes(manifest.size)} in {prepared.store.folder(manifest.fingerprint)}",
        ),
    ]
    if provenance.get("git_commit"):
        dirty = " with uncommitted changes" if provenance.get("git_dirty") else ""
        rows.append(("commit", f"{str(provenance['git_commit'])[:12]}{dirty}"))
    if accepted := provenance.get("accepted"):
        rows.append(("accepted", f"from {accepted['from'][:12]}: {accepted['because'] or 'no reason given'}"))
    if not manifest.deterministic:
        rows.append(("by chance", how_not_deterministic(manifest.observed)))
    if manifest.observed:
        rows.append(("seen when it ran", ", ".join(manifest.observed)))
    if unseen := provenance.get("unseen"):
        rows.append(("unseen", "; ".join(map(str, unseen))))
    return rows


def _cpu(cpu_s: Any) -> str:
    return "?" if cpu_s is None else readable_seconds(cpu_s)


def _fields(prepared: PreparedStudy, node: Node, manifest: Manifest | Damaged | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"label": node.label(), "params": dict(node.params), "fingerprint": node.fingerprint}
    if not isinstance(manifest, Manifest):
        failure = prepared.store.failure(node.fingerprint)
        return fields | {"state": "damaged" if isinstance(manifest, Damaged) else "absent", "failure": failure}
    value = prepared.store.read(node.fingerprint)
    return fields | {
        "state": "stored",
        "folder": str(prepared.store.folder(node.fingerprint)),
        "content": manifest.content,
        "created": manifest.created,
        "cost": dict(manifest.cost),
        "identity": dict(manifest.identity),
        "provenance": dict(manifest.provenance),
        "files": [list(file) for file in manifest.files],
        "value": plain(value),
    }


def write_rows(prepared: PreparedStudy, node: str | None, files: Sequence[Path]) -> int:
    """Write the records, or what is stored of one node, as tables: CSV, or Parquet by the file's ending.

    Rows of a node have the params of their variant before their own columns. Returns the exit code: 1 where there is
    nothing.

    Raises:
        ConfigError: The node's result is no table and has no fields that make a row.
    """
    table = current_records(prepared.store, prepared.expansion.records) if node is None else _table_of(prepared, node)
    if table is None:
        err().print(escape(f"nothing of {node} is stored as code and settings are now"), soft_wrap=True)
        return 1
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".parquet":
            write_parquet(table, file)
        else:
            write_text(file, rows_text(table.to_pylist(), table.column_names))
        out().print(escape(f"{table.num_rows} rows, {table.num_columns} columns: {file}"), soft_wrap=True)
    return 0


def _table_of(prepared: PreparedStudy, name: str) -> Any:
    """A node's results in all variants as one Arrow table; None where nothing is stored."""
    parts = []
    for node in prepared.expansion.named(name):
        if not isinstance(prepared.store.inspect(node.fingerprint), Manifest):
            continue
        value = prepared.store.read(node.fingerprint)
        fields = None if is_table(value) else plain(value)
        rows = [fields] if isinstance(fields, dict) else fields
        if not is_table(value) and not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
            reason = f"its result is a {type(value).__qualname__}, which has no rows"
            raise ConfigError([Fault(name, reason, mend="use --json, or a node that returns a table or named values")])
        part = as_table(value) if is_table(value) else pa.Table.from_pylist(rows)
        columns = part.column_names
        for param, setting in reversed(list(node.params.items())):
            text = setting if setting is None or isinstance(setting, (bool, int, float, str)) else json_text(setting)
            column = pa.array([text] * part.num_rows)
            part = part.add_column(0, f"param.{param}" if param in columns else param, column)
        parts.append(part.replace_schema_metadata(None))
    return pa.concat_tables(parts, promote_options="permissive") if parts else None
