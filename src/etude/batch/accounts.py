"""What the scheduler's own accounting says of each job, beside what étude has measured of the nodes in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etude.batch.part_job import PartJob
from etude.batch.submission import Submitter
from etude.cluster.schedulers.scheduler import JobAccount, Scheduler
from etude.errors import BackendError
from etude.execute.node_metering import cost_columns
from etude.execute.run_events import Event, EventKind, Tell, now
from etude.interchange import safe_cell
from etude.store.files.manifest import Manifest
from etude.store.store import Store

FILE = "jobs.csv"
_SUMMED = ("wall_s", "cpu_s", "energy_j")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job, as the scheduler and as étude counts it. None where it was not measured."""

    variant: str
    job: str
    attempt: int
    state: str
    exit_code: int | None
    nodes: str
    job_wall_s: float | None
    job_cpu_s: float | None
    job_peak_rss_bytes: int | None
    job_energy_j: float | None
    own_wall_s: float | None
    """Of all nodes that the part's jobs computed together; on the line of its last job."""
    own_cpu_s: float | None
    own_peak_rss_bytes: float | None
    own_energy_j: float | None


def tell_accounts(tracks: Sequence[PartJob], scheduler: Scheduler, submitter: Submitter, tell: Tell) -> None:
    """Ask for the accounts of all jobs, tell them, and write them beside the study's tables.

    Where the site has no accounting, or it does not answer now, the scheduler's columns stay empty.
    """
    ids = [id_ for track in tracks for id_ in track.ids]
    if not ids:
        return
    try:
        accounts = scheduler.account(ids)
    except BackendError as error:
        accounts = {}
        tell(Event(kind=EventKind.JOB, time_s=now(), data={"state": "no accounts", "reason": str(error)}))
    rows = job_rows(tracks, accounts, submitter.prepared.store, submitter.run)
    for row in rows:
        fields = {name: value for name in JobRow.__slots__ if (value := getattr(row, name)) is not None}
        tell(Event(kind=EventKind.JOB, time_s=now(), data={"state": "accounted", "id": row.job, "account": fields}))
    folder = submitter.prepared.workplace.results
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(table_text(rows), encoding="utf-8")


def job_rows(tracks: Sequence[PartJob], accounts: Mapping[str, JobAccount], store: Store, run: str) -> list[JobRow]:
    """One row per job, in the order of the parts."""
    rows: list[JobRow] = []
    counted: set[str] = set()
    for track in tracks:
        for number, id_ in enumerate(track.ids, 1):
            last = number == len(track.ids)
            own = _own(track, store, run, counted) if last else dict.fromkeys((*_SUMMED, "peak_rss_bytes"))
            rows.append(_row(track, id_, number, accounts.get(id_, JobAccount()), own))
    return rows


def _row(track: PartJob, id_: str, attempt: int, account: JobAccount, own: Mapping[str, float | None]) -> JobRow:
    return JobRow(
        variant=track.part.label,
        job=id_,
        attempt=attempt,
        state=account.word,
        exit_code=account.exit_code,
        nodes=account.nodes,
        job_wall_s=account.wall_s,
        job_cpu_s=account.cpu_s,
        job_peak_rss_bytes=account.peak_rss_bytes,
        job_energy_j=account.energy_j,
        own_wall_s=own["wall_s"],
        own_cpu_s=own["cpu_s"],
        own_peak_rss_bytes=own["peak_rss_bytes"],
        own_energy_j=own["energy_j"],
    )


def _own(track: PartJob, store: Store, run: str, counted: set[str]) -> dict[str, float | None]:
    """What this run's nodes of a part cost. A node that parts share counts for the first of them."""
    costs = []
    for fingerprint in track.part.todo:
        found = None if fingerprint in counted else store.inspect(fingerprint)
        adopted = isinstance(found, Manifest) and "adopted_from" in found.provenance
        if isinstance(found, Manifest) and not adopted and found.provenance.get("run") == run:
            counted.add(fingerprint)
            costs.append(cost_columns(found.cost))
    sums = {name: _sum([cost[name] for cost in costs]) for name in _SUMMED}
    peaks = [float(peak) for cost in costs if isinstance(peak := cost["peak_rss_bytes"], (int, float))]
    return {**sums, "peak_rss_bytes": max(peaks, default=None)}


def _sum(values: Sequence[object]) -> float | None:
    """The sum, missing where a part is missing."""
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    return sum(numbers) if numbers and len(numbers) == len(values) else None


def table_text(rows: Sequence[JobRow]) -> str:
    """The rows as comma-separated values; what was not measured is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(JobRow.__slots__)
    for row in rows:
        values = [getattr(row, name) for name in JobRow.__slots__]
        writer.writerow(["" if value is None else safe_cell(value) for value in values])
    return text.getvalue()
