"""HTCondor: condor_submit, condor_q, condor_rm, and condor_history for jobs that have left the queue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.cluster.schedulers.commands import Commands, chunks
from etude.cluster.schedulers.scheduler import JobAccount, JobState, Phase
from etude.errors import BackendError, SchedulerAway

_AWAY = ("failed to connect", "can't connect", "can't find address", "failed to fetch ads", "timed out")
_HELD = 5
_BY_USER = 1
"""The code of a hold that somebody asked for."""
_WORDS = {1: "idle", 2: "running", 3: "removed", 4: "completed", 5: "held", 6: "transferring", 7: "suspended"}
_PHASES = {1: Phase.QUEUED, 2: Phase.RUNNING, 5: Phase.QUEUED, 6: Phase.RUNNING, 7: Phase.RUNNING}
_ATTRIBUTES = (
    "ClusterId",
    "ProcId",
    "JobStatus",
    "JobBatchName",
    "HoldReason",
    "HoldReasonCode",
    "RemoveReason",
    "ExitCode",
    "ExitSignal",
    "ExitBySignal",
    "RemoteWallClockTime",
    "RemoteUserCpu",
    "RemoteSysCpu",
    "ResidentSetSize",
    "LastRemoteHost",
)


@dataclass(slots=True, kw_only=True)
class HtCondor:
    """The HTCondor pool that this machine's commands speak to."""

    environment: Mapping[str, str]
    _ask: Commands = field(init=False)

    def __post_init__(self) -> None:
        self._ask = Commands(system="HTCondor", environment=self.environment, away=_AWAY)

    def submit(self, script: Path) -> str:
        said = self._ask("condor_submit", "-terse", str(script), refusable=True)
        return said.split()[0]

    def look(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        found = {id_: state_of(ad) for id_, ad in self._queue(ids).items()}
        gone = [id_ for id_ in ids if id_ not in found]
        return found | {id_: state_of(ad) for id_, ad in self._history(gone).items()}

    def find(self, name: str) -> Sequence[str]:
        return [id_ for id_, ad in self._queue(()).items() if ad.get("JobBatchName") == name]

    def cancel(self, ids: Sequence[str]) -> None:
        there = [id_ for id_ in ids if id_ in self._queue(ids)]
        for some in chunks(there):
            self._ask("condor_rm", *some)

    def account(self, ids: Sequence[str]) -> Mapping[str, JobAccount]:
        found = self._queue(ids)
        found |= self._history([id_ for id_ in ids if id_ not in found])
        return {id_: account_of(ad) for id_, ad in found.items()}

    def _queue(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for some in chunks(ids) or [()]:
            found |= ads_in(self._ask("condor_q", *some, "-json", "-attributes", ",".join(_ATTRIBUTES)))
        return found

    def _history(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Jobs that have left the queue; none where the site lets nobody look."""
        found: dict[str, Mapping[str, Any]] = {}
        for some in chunks(ids):
            try:
                said = self._ask("condor_history", *some, "-json", "-attributes", ",".join(_ATTRIBUTES))
            except SchedulerAway:
                raise
            except BackendError:
                return found
            found |= ads_in(said)
        return found


def ads_in(text: str) -> dict[str, Mapping[str, Any]]:
    """Job ads by id, of what `-json` prints: a list, or nothing at all where there is none."""
    ads: Iterable[Mapping[str, Any]] = json.loads(text) if text.strip() else ()
    return {f"{ad['ClusterId']}.{ad['ProcId']}": ad for ad in ads}


def state_of(ad: Mapping[str, Any]) -> JobState:
    """How far a job is of which HTCondor says this.

    HTCondor holds a job that ran too long or failed to start: nobody will release it, so it has ended. One that
    somebody holds by hand waits.
    """
    status = int(ad.get("JobStatus", 4))
    reason = ad.get("HoldReason") or ad.get("RemoveReason") or ""
    phase = _PHASES.get(status, Phase.ENDED)
    if status == _HELD and ad.get("HoldReasonCode", _BY_USER) != _BY_USER:
        phase = Phase.ENDED
    return JobState(phase=phase, word=_WORDS.get(status, str(status)), reason=str(reason))


def account_of(ad: Mapping[str, Any]) -> JobAccount:
    """What a job used, of its ad. HTCondor counts no energy."""
    signal = ad.get("ExitSignal") if ad.get("ExitBySignal") else None
    code = ad.get("ExitCode") if signal is None else 128 + int(signal)
    cpu = [ad[name] for name in ("RemoteUserCpu", "RemoteSysCpu") if name in ad]
    memory = ad.get("ResidentSetSize")
    wall = ad.get("RemoteWallClockTime")
    return JobAccount(
        word=_WORDS.get(int(ad.get("JobStatus", 4)), ""),
        exit_code=None if code is None else int(code),
        wall_s=None if wall is None else float(wall),
        cpu_s=float(sum(cpu)) if cpu else None,
        peak_rss_bytes=None if memory is None else int(memory) * 1024,
        nodes=str(ad.get("LastRemoteHost", "")),
    )
