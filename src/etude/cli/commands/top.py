"""`etude top`: the best points of a study."""

from __future__ import annotations

from typing import Annotated, Optional

import typer
from rich.table import Table
from rich.text import Text

from etude.cli.arguments import AsJson, Profile, Set, StudyFile
from etude.cli.console import out
from etude.cli.study_file import prepare_file
from etude.digits import UNKNOWN, short_text
from etude.errors import ConfigError, Fault
from etude.execute.record_table import current_records
from etude.graph.labels import text_of
from etude.interchange import json_text
from etude.study.best_points import RankedPoint, best, direction_of, feasible_only, front, records_of
from etude.study.prepare import PreparedStudy

EXAMPLES = """
[bold]Examples[/]

  etude top search.yaml --k 80

  etude top search.yaml --k 80 --json > top_80.json

  etude top grid.yaml --by quality.accuracy --k 3      [dim](any study, searched or laid out)[/]
"""


def top(
    study: StudyFile,
    k: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    by: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="METRIC", help="The metric to rank by; a search's objective if left out."),
    ] = None,
    direction: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="maximize or minimize; if left out, the search's own, or as the metric's step or name says."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    show_top(prepare_file(study, overrides, profile), k, by, direction, as_json=as_json)


def show_top(prepared: PreparedStudy, k: int, by: str | None, direction: str | None, *, as_json: bool) -> None:
    """Print the best points of a study.

    Raises:
        ConfigError: There is no such metric, nothing says what to rank by, or nothing is done yet.
    """
    ranked, metrics = _ranking(prepared, by, direction)
    chosen = ranked[:k]
    if as_json:
        fields = [
            {
                **one.point,
                **dict(zip(metrics, one.values, strict=True)),
                **({"missing_replicates": one.missing} if one.missing else {}),
            }
            for one in chosen
        ]
        out().print_json(json_text(fields))
        return
    table = Table(header_style="bold")
    names = list(dict.fromkeys(name for one in chosen for name in one.point))
    counted = any(one.replicates > 1 or one.missing for one in chosen)
    for column in ("", *metrics, *(["n"] if counted else []), *names):
        table.add_column(Text(column), justify="right")
    for rank, one in enumerate(chosen, 1):
        count = [f"{one.replicates} of {one.replicates + one.missing}" if one.missing else str(one.replicates)]
        values = [short_text(value, 6) for value in one.values]
        place = "-" if one.missing else str(rank)
        table.add_row(
            place, *values, *(count if counted else []), *(Text(_value(one.point.get(name))) for name in names)
        )
    out().print(table)
    if any(one.missing for one in chosen):
        out().print("[dim]without a rank: some replicates have no value, and those that failed may be the bad ones[/]")
    if len(chosen) < k:
        out().print(f"[dim]{len(chosen)} in all[/]")


def _ranking(
    prepared: PreparedStudy, by: str | None, direction: str | None
) -> tuple[list[RankedPoint], tuple[str, ...]]:
    study, expansion = prepared.study, prepared.expansion
    search = study.vary.search
    if direction not in (None, "maximize", "minimize"):
        raise ConfigError([Fault("--direction", "expected maximize or minimize", direction)])
    if by is None and search is None:
        reason = f"study {study.name!r} has no search, so nothing says what to rank by"
        raise ConfigError([Fault("--by", reason, mend="name one with --by; `etude show STUDY` lists them")])
    table = current_records(prepared.store, expansion.records)
    rows = records_of(table, expansion.variants)
    if prepared.search is not None:
        rows = feasible_only(rows, expansion.variants, prepared.search)
    if by is None and search is not None:
        metrics = search.goal.metrics
        if len(metrics) > 1:
            return front(study, rows, search.goal), metrics
        return best(study, rows, metrics[0], direction or search.goal.directions[0]), metrics
    assert by is not None
    return best(study, rows, by, direction or direction_of(study, table, by, "--direction")), (by,)


def _value(value: object) -> str:
    return short_text(value, 6) if isinstance(value, float) else UNKNOWN if value is None else text_of(value)
