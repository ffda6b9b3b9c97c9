"""Who drives a run, and how it is told to stop from elsewhere: by files in the run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from etude.store.files.owner import Owner, living

DRIVER = "driver.json"
CANCEL = "cancel"
CLUSTER = "cluster.json"
PILOTS = "cluster/jobs.log"
PILOT_ENDS = ("ended", "given back")
BEAT_S = 5.0
SILENT_S = 120.0
"""A driver on another machine that has not shown itself for this long is gone."""
LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDriver:
    """The process that drives a run."""

    owner: Owner
    seen_s: float
    """When it last showed itself, in seconds since the epoch."""
    job: str = ""
    """Id of the batch job that it runs in, where it does."""

    def lives(self, now_s: float) -> bool:
        """Whether it does, as far as this machine can know."""
        alive = living(self.owner)
        return now_s - self.seen_s < SILENT_S if alive is None else alive

    def __str__(self) -> str:
        return f"process {self.owner.pid} on {self.owner.host}"


def driver_of(run: Path) -> RunDriver | None:
    """Who drives a run, or did; None where nothing says so."""
    path = run / DRIVER
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        owner = Owner.parse(fields["owner"])
        seen_s = path.stat().st_mtime
    except (OSError, ValueError, KeyError):
        return None
    return None if owner is None else RunDriver(owner=owner, seen_s=seen_s, job=str(fields.get("job", "")))


def note_cluster(run: Path, scheduler: str) -> None:
    """Write down which scheduler has a run's jobs."""
    (run / CLUSTER).write_text(json.dumps({"scheduler": scheduler}), encoding="utf-8")


def cluster_of(run: Path) -> str:
    """Which scheduler has a run's jobs; empty where nothing says so."""
    try:
        return str(json.loads((run / CLUSTER).read_text(encoding="utf-8"))["scheduler"])
    except OSError:
        return ""


def pilots_of(run: Path) -> tuple[str, ...]:
    """Ids of a run's pilot jobs that are not known to be over, in the order in which they were asked for."""
    try:
        lines = (run / PILOTS).read_text(encoding="utf-8").split("\n")[:-1]
    except OSError:
        return ()
    told = [json.loads(line) for line in lines]
    last = {str(line["job"]): line["what"] for line in told if line.get("job")}
    return tuple(job for job, what in last.items() if what not in PILOT_ENDS)


def ask_to_stop(run: Path) -> None:
    """Tell whoever drives or computes a run to stop at the next checkpoints."""
    (run / CANCEL).touch()


@contextlib.contextmanager
def drive(run: Path, stop: Callable[[], None], job: str = "") -> Iterator[None]:
    """Drive a run for the length of a block: show oneself, and heed the mark that says stop.

    Args:
        run: The run's folder.
        stop: Called once, from another thread, when the mark appears.
        job: Id of the batch job that this process runs in, where it does.
    """
    path = run / DRIVER
    fresh = run / f"{DRIVER}.{os.getpid()}.tmp"
    fresh.write_text(json.dumps({"owner": Owner.current().name, "job": job}), encoding="utf-8")
    fresh.replace(path)
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(run, path, stop, over), name="etude-driving", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _watch(run: Path, path: Path, stop: Callable[[], None], over: threading.Event) -> None:
    asked = False
    beat_s = time.monotonic()
    while not over.wait(LOOK_S):
        if not asked and (run / CANCEL).exists():
            asked = True
            stop()
        if time.monotonic() - beat_s >= BEAT_S:
            beat_s = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(path)
