"""Tries a cluster's profile: submits a tiny job and tells, step by step, what works and what does not."""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from etude import __version__
from etude.cluster.job import Job
from etude.cluster.profile import COMMANDS, Profile
from etude.cluster.schedulers import SPOKEN, scheduler_of
from etude.cluster.schedulers.scheduler import JobState, Phase
from etude.cluster.scripts import render_job
from etude.errors import BackendError, SchedulerAway
from etude.pilots.parsl_engine import own_addresses
from etude.pilots.probe import ahead_s
from etude.pilots.providers import Scripts, provider_for

LOOK_S = 0.5
SKEW_S = 5.0
"""More than this between two clocks confuses what is told of the end of jobs."""
_UNSEEN = "put it on a file system that all machines of the cluster share: --store, or place.store in the study"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinding:
    """What became of one step."""

    step: str
    works: bool
    detail: str
    mend: str = ""


class Submits(Protocol):
    """Hands jobs to a scheduler."""

    def submit(self, job: Job, folder: Path) -> str: ...
    def look(self, job: str) -> JobState | None: ...
    def cancel(self, job: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Check:
    """One try of one profile."""

    profile: Profile
    folder: Path
    """A folder on the file system that the cluster's machines share, for the job and its report."""
    store: Path
    environment: Mapping[str, str]
    timeout_s: float = 600.0
    tell: Callable[[str], None] = field(default=lambda _what: None)
    """Told why the job still waits, whenever that changes."""

    def findings(self) -> Generator[CheckFinding, None, None]:
        """What each step comes to, as it does. The first that fails is the last where nothing further can be known."""
        absent = [name for name in COMMANDS[self.profile.scheduler] if not self._found(name)]
        if absent:
            mend = "run this on a login node of the cluster, load its module, or choose another profile"
            yield CheckFinding(step="commands", works=False, detail=f"not on PATH: {', '.join(absent)}", mend=mend)
            return
        yield CheckFinding(
            step="commands", works=True, detail=", ".join(COMMANDS[self.profile.scheduler]) or "none needed"
        )
        token = secrets.token_hex(8)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store.mkdir(parents=True, exist_ok=True)
        (self.store / f"check-{token}").write_text(token)
        try:
            with _listening(self.profile) as port:
                yield from self._try(token, port)
        finally:
            for path in self.store.glob(f"check-{token}*"):
                path.unlink(missing_ok=True)

    def _found(self, name: str) -> bool:
        return shutil.which(name, path=self.environment.get("PATH")) is not None

    def _try(self, token: str, port: int) -> Iterator[CheckFinding]:
        order, report, started = (self.folder / name for name in ("order.json", "report.json", "started"))
        addresses = own_addresses(self.profile)
        order.write_text(
            json.dumps({"store": str(self.store), "token": token, "addresses": list(addresses), "port": port})
        )
        submits = _submits(self.profile, self.environment)
        job = self._job(order, report, started)
        began = time.monotonic()
        try:
            id_ = submits.submit(job, self.folder)
        except BackendError as error:
            yield CheckFinding(
                step="submission",
                works=False,
                detail=str(error),
                mend="see `etude cluster render` for what was submitted",
            )
            return
        try:
            yield CheckFinding(step="submission", works=True, detail=f"job {id_}")
            yield from self._follow(submits, id_, began, report, started)
        finally:
            if not report.exists():  # else it is about to end by itself, and its accounting should say so
                submits.cancel(id_)
        if report.exists():
            yield from self._judge(json.loads(report.read_text()), token, addresses)

    def _job(self, order: Path, report: Path, started: Path) -> Job:
        python = shlex.quote(self.profile.python or sys.executable)
        words = " ".join(shlex.quote(str(path)) for path in (order, report))
        return Job(
            name="etude-check",
            command=f"date +%s > {shlex.quote(str(started))}\n{python} -P -m etude.pilots.probe {words}",
            stdout=str(self.folder / "out"),
            stderr=str(self.folder / "err"),
            walltime_s=min(self.profile.walltime_s, 600.0),
            cpus=self.profile.cpus,
            memory_bytes=self.profile.memory_bytes,
            gpus=self.profile.gpus,
        )

    def _follow(self, submits: Submits, id_: str, began: float, report: Path, started: Path) -> Iterator[CheckFinding]:
        told, begun, ended_s = "", False, None
        while True:
            if started.exists() and not begun:
                begun = True
                yield CheckFinding(
                    step="start", works=True, detail=f"after {time.monotonic() - began:.0f} s in the queue"
                )
            if report.exists():
                return
            try:
                state = submits.look(id_)
            except SchedulerAway as error:
                state = JobState(phase=Phase.QUEUED, word="", reason=str(error))
            why = " ".join(part for part in (state.word, state.reason) if part) if state else "its queue knows no more"
            if why != told:
                self.tell(why)
                told = why
            now = time.monotonic()
            if state is None or state.phase is Phase.ENDED:
                ended_s = ended_s or now
                if now - ended_s > 5.0 or started.exists():  # a shared file system may show the report a little later
                    yield self._ended_early(why, begun=started.exists())
                    return
            if not begun and now - began > self.timeout_s:
                mend = "wait longer with --timeout, or ask for less: another partition or queue, a shorter walltime"
                yield CheckFinding(
                    step="start",
                    works=False,
                    detail=f"not within {self.timeout_s:g} s; its queue says: {why}",
                    mend=mend,
                )
                return
            time.sleep(LOOK_S)

    def _ended_early(self, why: str, *, begun: bool) -> CheckFinding:
        said = _text(self.folder / "err") or _text(self.folder / "out")
        detail = "; ".join(part for part in (said[-400:], why) if part)
        if not begun:
            mend = "see `etude cluster render` for its script, and whether the machines there see this folder"
            return CheckFinding(
                step="start", works=False, detail=f"the job ended before its script began: {detail}", mend=mend
            )
        if "No module named" in said or "command not found" in said or "No such file" in said:
            mend = "make étude importable there: setup: [source …/bin/activate], and python: in the profile"
            return CheckFinding(step="étude", works=False, detail=detail, mend=mend)
        return CheckFinding(
            step="étude",
            works=False,
            detail=f"the job ended without a report: {detail}",
            mend="see its script's setup lines",
        )

    def _judge(self, found: dict[str, Any], token: str, addresses: tuple[str, ...]) -> Iterator[CheckFinding]:
        same = found["etude"] == __version__
        version = f"étude {found['etude']} under Python {found['python']} on {found['host']}"
        mend = "" if same else f"install the same version there as here: {__version__}"
        yield CheckFinding(step="étude", works=same, detail=version, mend=mend)
        mend = "" if found["parsl"] else "pip install 'etude[cluster]' there, or run with --one-job-per variant"
        yield CheckFinding(
            step="engine",
            works=bool(found["parsl"]),
            detail=f"parsl {found['parsl'] or 'is not installed there'}",
            mend=mend,
        )
        answer = self.store / f"check-{token}.answer"
        seen = found["store"] or ("" if _text(answer) == token else f"{answer} was written there and is not seen here")
        yield CheckFinding(
            step="store", works=not seen, detail=seen or f"{self.store} is the same there", mend=_UNSEEN if seen else ""
        )
        yield self._network(found["reached"], addresses)
        if self.profile.gpus:
            count = len(found["gpus"])
            enough = count >= self.profile.gpus
            mend = "" if enough else "look at gpus and gpus_as in the profile: the scheduler granted no more"
            yield CheckFinding(
                step="gpu", works=enough, detail=f"{count} visible of {self.profile.gpus} asked for", mend=mend
            )
        skew = found["ahead_s"] - ahead_s(self.folder / "here.touched")
        fine = abs(skew) <= SKEW_S
        mend = "" if fine else "tell the cluster's administrators: its clocks should be synchronised"
        yield CheckFinding(
            step="clock",
            works=fine,
            detail=f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's",
            mend=mend,
        )

    def _network(self, reached: str | None, addresses: tuple[str, ...]) -> CheckFinding:
        if reached:
            return CheckFinding(step="network", works=True, detail=f"this machine is reached as {reached}")
        low, high = self.profile.ports
        mend = (
            f"set address: in the profile to one that is routed there, and let ports {low} to {high} through; "
            "or run with --one-job-per variant, which needs no connection"
        )
        return CheckFinding(
            step="network", works=False, detail=f"this machine is not reached as {', '.join(addresses)}", mend=mend
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


@contextmanager
def _listening(profile: Profile) -> Iterator[int]:
    """A port of those that the cluster's machines may connect to, listened on."""
    for port in range(profile.ports[0], profile.ports[1] + 1):
        listener = socket.socket()
        try:
            listener.bind(("", port))
        except OSError:
            listener.close()
            continue
        with listener:
            listener.listen(8)
            yield port
        return
    low, high = profile.ports
    raise BackendError(f"no port from {low} to {high} is free here.\n    Mend: give others as ports: in the profile.")


@dataclass(slots=True, kw_only=True)
class _Spoken:
    """Schedulers that étude speaks to itself."""

    profile: Profile
    environment: Mapping[str, str]

    def submit(self, job: Job, folder: Path) -> str:
        script = folder / "job.sh"
        made = render_job(self.profile, job, str(script))
        script.write_text(made.script)
        handed = script
        if made.description is not None:
            handed = folder / "job.submit"
            handed.write_text(made.description)
        return scheduler_of(self.profile.scheduler, self.environment).submit(handed)

    def look(self, job: str) -> JobState | None:
        return scheduler_of(self.profile.scheduler, self.environment).look([job]).get(job)

    def cancel(self, job: str) -> None:
        scheduler_of(self.profile.scheduler, self.environment).cancel([job])


@dataclass(slots=True, kw_only=True)
class _Engines:
    """Schedulers that the engine's providers speak to."""

    profile: Profile
    _provider: Any = None

    def submit(self, job: Job, folder: Path) -> str:
        own = replace(self.profile, walltime_s=job.walltime_s, nodes=1)
        scripts = Scripts(profile=own, name=job.name, folder=folder / "jobs")
        self._provider = provider_for(own, scripts)
        try:
            return str(self._provider.submit(f"( {job.command} ) > {job.stdout} 2> {job.stderr}", 1, job.name))
        except Exception as error:  # whatever a provider raises, the user must hear why nothing was submitted
            raise BackendError(f"{self.profile.scheduler} refuses: {error}") from error

    def look(self, job: str) -> JobState | None:
        status = self._provider.status([job])[0]
        phase = Phase.ENDED if status.terminal else Phase.RUNNING
        return JobState(phase=Phase.QUEUED if status.status_name == "PENDING" else phase, word=status.status_name)

    def cancel(self, job: str) -> None:
        self._provider.cancel([job])


def _submits(profile: Profile, environment: Mapping[str, str]) -> Submits:
    return (
        _Spoken(profile=profile, environment=environment) if profile.scheduler in SPOKEN else _Engines(profile=profile)
    )
