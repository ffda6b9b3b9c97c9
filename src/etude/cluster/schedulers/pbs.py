"""PBS Pro and OpenPBS: qsub, qstat, qdel."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.cluster.schedulers.commands import Commands, chunks, clock_s
from etude.cluster.schedulers.scheduler import JobAccount, JobState, Phase
from etude.errors import BackendError, SchedulerAway
from etude.units import bytes_of

_AWAY = ("cannot connect to server", "connection refused", "timed out", "communication failure", "server is down")
_UNKNOWN = ("unknown job id", "job has finished", "finished job", "history")
_QUEUED = frozenset("QHWTM")
_RUNNING = frozenset("RESUB")


@dataclass(slots=True, kw_only=True)
class Pbs:
    """The PBS that this machine's commands speak to."""

    environment: Mapping[str, str]
    _ask: Commands = field(init=False)

    def __post_init__(self) -> None:
        self._ask = Commands(system="PBS", environment=self.environment, away=_AWAY)

    def submit(self, script: Path) -> str:
        return self._ask("qsub", str(script), refusable=True).strip()

    def look(self, ids: Sequence[str]) -> Mapping[str, JobState]:
        return {id_: state_of(facts) for id_, facts in self._facts(ids).items()}

    def find(self, name: str) -> Sequence[str]:
        return [id_ for id_, facts in self._listed(()).items() if facts.get("Job_Name") == name]

    def cancel(self, ids: Sequence[str]) -> None:
        for some in chunks(ids):
            try:
                self._ask("qdel", *some)
            except SchedulerAway:
                raise
            except BackendError as error:
                if not _is_unknown(error):
                    raise

    def account(self, ids: Sequence[str]) -> Mapping[str, JobAccount]:
        return {id_: account_of(facts) for id_, facts in self._facts(ids).items()}

    def _facts(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What qstat says of these jobs. One that it no longer knows makes it refuse to list those beside it."""
        found: dict[str, Mapping[str, Any]] = {}
        for some in chunks(ids):
            try:
                listed = self._listed(some)
            except SchedulerAway:
                raise
            except BackendError as error:
                if not _is_unknown(error):
                    raise
                listed = {} if len(some) == 1 else self._one_by_one(some)
            found |= {id_: listed[id_] for id_ in some if id_ in listed}
        return found

    def _one_by_one(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for id_ in ids:
            found |= self._facts([id_])
        return found

    def _listed(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """All that qstat tells: of ended jobs as well, where the site keeps them."""
        said = self._ask("qstat", "-x", "-t", "-f", "-F", "json", *ids)
        return dict(json.loads(said or "{}", strict=False).get("Jobs", {}))


def state_of(facts: Mapping[str, Any]) -> JobState:
    """How far a job is of which `qstat -f` says this."""
    word = str(facts.get("job_state", ""))
    phase = Phase.QUEUED if word in _QUEUED else Phase.RUNNING if word in _RUNNING else Phase.ENDED
    return JobState(phase=phase, word=word, reason=str(facts.get("comment", "")))


def account_of(facts: Mapping[str, Any]) -> JobAccount:
    """What a job used, of what `qstat -f` says. PBS counts no energy."""
    used = facts.get("resources_used", {})
    code = facts.get("Exit_status")
    memory = str(used.get("mem", ""))
    return JobAccount(
        word=str(facts.get("job_state", "")),
        exit_code=None if code is None else int(code),
        wall_s=clock_s(str(used.get("walltime", ""))),
        cpu_s=clock_s(str(used.get("cput", ""))),
        peak_rss_bytes=_bytes(memory),
        nodes="+".join(part.partition("/")[0] for part in str(facts.get("exec_host", "")).split("+") if part),
    )


def _bytes(text: str) -> int | None:
    """PBS writes `123456kb` for units of 1024."""
    if not text:
        return None
    try:
        return bytes_of(f"{text[:-2]}{text[-2].upper() if text[-2] != 'k' else 'K'}i") if text.endswith("b") else None
    except (ValueError, IndexError):
        return None


def _is_unknown(error: BackendError) -> bool:
    return any(part in str(error).lower() for part in _UNKNOWN)
