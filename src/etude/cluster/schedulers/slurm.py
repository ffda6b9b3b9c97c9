"""SLURM: sbatch, squeue, scancel, and sacct where the site has accounting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from etude.cluster.schedulers.commands import Commands, chunks, clock_s, user
from etude.cluster.schedulers.scheduler import JobAccount, JobState, Phase
from etude.errors import BackendError, SchedulerAway
from etude.units import bytes_of

_AWAY = (
    "unable to contact slurm controller",
    "socket timed out",
    "connection refused",
    "connection reset",
    "zero bytes were transmitted",
    "slurm backup controller in standby",
    "temporarily",
)
_QUEUED = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"})
_RUNNING = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
_COLUMNS = ("JobID", "State", "ElapsedRaw", "TotalCPU", "MaxRSS", "ConsumedEnergyRaw", "ExitCode", "NodeList")


@dataclass(slots=True, kw_only=True)
class Slurm:
    """The SLURM that this machine's commands speak to."""

    environment: Mapping[str, str]
    _ask: Commands = field(init=False)

    def __post_init__(self) -> None:
        self._ask = Commands(system="SLURM", environment=self.environment, away=_AWAY)

    def submit(self, script: Path) -> str:
        said = self._ask("sbatch", "--parsable", str(script), refusable=True)
        return said.strip().partition(";")[0]

    def look(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        wanted = set(ids)
        return {id_: state for id_, _, state in self._queue() if id_ in wanted}

    def find(self, name: str) -> Sequence[str]:
        return [id_ for id_, found, _ in self._queue() if found == name]

    def _queue(self) -> Iterator[tuple[str, str, JobState]]:
        """Id, name and state of all of the user's jobs, those that ended lately as well."""
        whose = ("--user", user(), "--states", "all", "--array", "--noheader")
        for line in self._ask("squeue", *whose, "--format", "%i|%T|%r|%j").splitlines():
            id_, word, reason, name = line.strip().split("|", 3)
            yield id_, name, JobState(phase=phase_of(word), word=word, reason="" if reason == "None" else reason)

    def cancel(self, ids: Sequence[str]) -> None:
        for some in chunks(ids):
            self._ask("scancel", "--quiet", *some)

    def account(self, ids: Sequence[str]) -> Mapping[str, JobAccount]:
        accounts: dict[str, JobAccount] = {}
        for some in chunks(ids):
            which = ("--jobs", ",".join(some), "--format", ",".join(_COLUMNS))
            try:
                said = self._ask("sacct", "--parsable2", "--noheader", "--duplicates", *which)
            except SchedulerAway:
                raise
            except BackendError:  # a site without accounting says so: then nothing is known
                return {}
            accounts |= accounts_in(said)
        return {id_: accounts[id_] for id_ in ids if id_ in accounts}


def phase_of(word: str) -> Phase:
    """How far a job is of which SLURM says this. Any word that is unknown means that it is over."""
    word = word.partition(" ")[0]
    if word in _QUEUED:
        return Phase.QUEUED
    return Phase.RUNNING if word in _RUNNING else Phase.ENDED


def accounts_in(text: str) -> dict[str, JobAccount]:
    """Accounts by job, of what `sacct --parsable2` prints with our columns.

    A job's own line has no memory: that stands in the lines of its steps, of which the largest counts. Energy is 0
    where the site has no meter, which is no measurement. A job that was requeued has a line of its own for each time
    that it ran, in that order: they add up, and it ended as the last did.
    """
    rows: dict[str, list[list[list[str]]]] = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) == len(_COLUMNS):
            id_, _, step = fields[0].partition(".")
            segments = rows.setdefault(id_, [])
            if not step or not segments:
                segments.append([])
            segments[-1].append(fields)
    return {id_: _together([_account(lines) for lines in segments]) for id_, segments in rows.items()}


def _together(segments: Sequence[JobAccount]) -> JobAccount:
    if len(segments) == 1:
        return segments[0]
    ran = [segment for segment in segments if segment.nodes]
    return replace(
        segments[-1],
        wall_s=_sum([segment.wall_s for segment in ran]),
        cpu_s=_sum([segment.cpu_s for segment in ran]),
        energy_j=_sum([segment.energy_j for segment in ran]),
        peak_rss_bytes=max((one.peak_rss_bytes for one in ran if one.peak_rss_bytes is not None), default=None),
        nodes=",".join(dict.fromkeys(segment.nodes for segment in ran)),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    """The sum; None where a part is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _account(lines: Sequence[Sequence[str]]) -> JobAccount:
    own = lines[0]
    memory = [size for line in lines if (size := _bytes(line[4])) is not None]
    energy = max((float(line[5]) for line in lines if line[5].isdigit()), default=0.0)
    code, _, signal = own[6].partition(":")
    return JobAccount(
        word=own[1],
        exit_code=_exit_code(code, signal) if phase_of(own[1]) is Phase.ENDED else None,
        wall_s=float(own[2]) if own[2].isdigit() else None,
        cpu_s=clock_s(own[3]),
        peak_rss_bytes=max(memory, default=None),
        energy_j=energy or None,
        nodes="" if own[7] == "None assigned" else own[7],
    )


def _exit_code(code: str, signal: str) -> int | None:
    """As a shell gives it: 128 and the signal's number where a signal ended it."""
    if not code.isdigit():
        return None
    return 128 + int(signal) if signal.isdigit() and int(signal) else int(code)


def _bytes(text: str) -> int | None:
    """SLURM counts in units of 1024."""
    if not text or text == "0":
        return None
    try:
        return bytes_of(f"{text}i" if text[-1].isalpha() else text)
    except ValueError:
        return None
