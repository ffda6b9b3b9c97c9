"""A small batch system that really runs its jobs, as local processes: what the stand-ins of PBS and HTCondor share.

Its state is a folder, named by STANDIN_POOL: one folder per job with `job.json`, and files by which a test sets the
scene:

    slots     how many cores there are (4 without it)
    refuse    what submission says, and refuses
    away      what every command says, and fails
    waiting   why nothing starts for now
    gpus      how many GPUs there are to grant (2 without it)

Each job has a keeper, a process of its own that waits for a slot, starts the job in a session of its own with a clean
environment, ends it at its walltime or when it is removed, and writes down what it used.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KILL_DELAY_S = 2.0
POLL_S = 0.05

QUEUED, RUNNING, ENDED, HELD, REMOVED = "queued", "running", "ended", "held", "removed"

Job = dict[str, Any]


class Pool:
    """The jobs of one pool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def here() -> Pool:
        """The pool that the environment names."""
        return Pool(Path(os.environ["STANDIN_POOL"]))

    def says(self, name: str) -> str:
        """What a test has written into a file of the scene; empty where it has not."""
        path = self.folder / name
        return path.read_text().strip() if path.exists() else ""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def next_number(self) -> int:
        with self.locked():
            path = self.folder / "number"
            number = int(path.read_text()) + 1 if path.exists() else 1
            path.write_text(str(number))
            return number

    def add(self, job: Job) -> None:
        """Take a job, and start its keeper."""
        job |= {"state": QUEUED, "submitted_s": time.time(), "starts": 0, "reason": ""}
        folder = self.folder / "jobs" / job["id"]
        folder.mkdir(parents=True)
        self.write(job)
        subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, str(self.folder), job["id"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(folder / "keeper.err").open("wb"),
            start_new_session=True,
            env={"PATH": os.defpath},
        )

    def write(self, job: Job) -> None:
        path = self.folder / "jobs" / job["id"] / "job.json"
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(job))
        fresh.replace(path)

    def job(self, id_: str) -> Job | None:
        try:
            return json.loads((self.folder / "jobs" / id_ / "job.json").read_text())
        except FileNotFoundError:
            return None

    def jobs(self) -> list[Job]:
        paths = sorted((self.folder / "jobs").glob("*/job.json"), key=lambda path: path.stat().st_ctime)
        found = [json.loads(path.read_text()) for path in paths]
        return sorted(found, key=lambda job: (job["number"], job["task"] or 0))

    def remove(self, id_: str) -> None:
        (self.folder / "jobs" / id_ / "remove").touch()

    def end_all(self, limit_s: float = 20.0) -> None:
        """Remove every job and wait until it is gone."""
        for job in self.jobs():
            self.remove(job["id"])
        deadline = time.monotonic() + limit_s
        while any(job["state"] in (QUEUED, RUNNING) for job in self.jobs()):
            assert time.monotonic() < deadline, "jobs of the stand-in do not end"
            time.sleep(POLL_S)


class Keeper:
    """Sees one job from the queue to its end."""

    def __init__(self, pool: Pool, id_: str) -> None:
        self.pool = pool
        job = pool.job(id_)
        assert job is not None
        self.job = job
        self.folder = pool.folder / "jobs" / id_

    def keep(self) -> None:
        while not self._start():
            if (self.folder / "remove").exists():
                self._end(REMOVED, reason="removed by its owner")
                return
            time.sleep(POLL_S)
        self._run()

    def _start(self) -> bool:
        """Take a slot, if there is one."""
        waiting = self.pool.says("waiting")
        if waiting:
            return self._wait(waiting)
        others = [self.pool.job(other) for other in self.job["after"]]
        if any(other is not None and other["state"] in (QUEUED, RUNNING) for other in others):
            return self._wait("waits for other jobs")
        with self.pool.locked():
            running = [job for job in self.pool.jobs() if job["state"] == RUNNING]
            mates = sum(job["number"] == self.job["number"] for job in running)
            if self.job["at_once"] and mates >= self.job["at_once"]:
                return self._wait("as many tasks of its array run as may")
            taken = sum(job["cpus"] for job in running)
            if running and taken + self.job["cpus"] > int(self.pool.says("slots") or 4):
                return self._wait("Not enough free resources")
            granted = {gpu for job in running for gpu in job["granted"]}
            free = [f"GPU-{n}" for n in range(int(self.pool.says("gpus") or 2)) if f"GPU-{n}" not in granted]
            if len(free) < self.job["gpus"]:
                return self._wait("Not enough free GPUs")
            self.job |= {"state": RUNNING, "started_s": time.time(), "reason": "", "starts": self.job["starts"] + 1}
            self.job["granted"] = free[: self.job["gpus"]]
            self.pool.write(self.job)
        return True

    def _wait(self, reason: str) -> bool:
        if self.job["reason"] != reason:
            self.job["reason"] = reason
            self.pool.write(self.job)
        return False

    def _run(self) -> None:
        job = self.job
        sandbox = self.folder / "sandbox"
        sandbox.mkdir(exist_ok=True)
        for path in job["inputs"]:
            shutil.copy(path, sandbox)
        visible = {"CUDA_VISIBLE_DEVICES": ",".join(job["granted"])} if job["granted"] else {}
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(Path.home()),
            "LANG": "C.UTF-8",
            "TMPDIR": str(sandbox),
            **job["environment"],
            **visible,
        }
        written = {name: self._opened(job[name], name) for name in ("output", "error")}
        if job["joined"]:
            written["error"] = written["output"]
        process = subprocess.Popen(
            job["command"],
            cwd=sandbox if job["in_sandbox"] else environment["HOME"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=written["output"],
            stderr=written["error"],
            start_new_session=True,
        )
        state, reason = ENDED, ""
        told_s = None
        while process.poll() is None:
            time.sleep(POLL_S)
            late = job["walltime_s"] is not None and time.time() - job["started_s"] > job["walltime_s"]
            if told_s is None and (late or (self.folder / "remove").exists()):
                state, reason = (job["at_walltime"], "walltime") if late else (REMOVED, "removed by its owner")
                told_s = time.monotonic()
                _signal(process, signal.SIGTERM)
            elif told_s is not None and time.monotonic() - told_s > KILL_DELAY_S:
                _signal(process, signal.SIGKILL)
        _signal(process, signal.SIGKILL)  # what the job has left behind
        for name, file in written.items():
            file.close()
            if not (name == "error" and job["joined"]):
                self._deliver(name)
        self._end(state, reason=reason, code=process.returncode)

    def _opened(self, path: str, name: str) -> Any:
        """The file that takes what the job prints: at its place at once, or when the job ends."""
        if self.job["spools"]:
            return (self.folder / f"{name}.spool").open("ab")
        with contextlib.suppress(OSError):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        return open(path, "ab")

    def _deliver(self, name: str) -> None:
        spool = self.folder / f"{name}.spool"
        if spool.exists():
            shutil.copy(spool, self.job[name])
            spool.unlink()

    def _end(self, state: str, *, reason: str, code: int | None = None) -> None:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.job |= {
            "state": state,
            "reason": reason,
            "code": code,
            "ended_s": time.time(),
            "cpu_s": used.ru_utime + used.ru_stime,
            "peak_rss_kb": used.ru_maxrss,
        }
        self.pool.write(self.job)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def new_job(id_: str, number: int, task: int | None, name: str, command: list[str], **more: Any) -> Job:
    """A job with what is usual for all that is not said."""
    usual = {
        "cpus": 1,
        "gpus": 0,
        "granted": [],
        "after": [],
        "at_once": None,
        "inputs": [],
        "environment": {},
        "output": os.devnull,
        "error": os.devnull,
        "walltime_s": None,
        "at_walltime": ENDED,
        "in_sandbox": False,
        "spools": False,
        "joined": False,
    }
    return {"id": id_, "number": number, "task": task, "name": name, "command": command, **usual, **more}


def seconds(text: str) -> float:
    """Seconds in `[[hours:]minutes:]seconds`."""
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


if __name__ == "__main__":
    Keeper(Pool(Path(sys.argv[1])), sys.argv[2]).keep()
