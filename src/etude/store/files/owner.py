"""Which process something belongs to, and whether that process still lives."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One process, told apart from every other that was or will be."""

    host: str
    machine: str
    """Digest of host, boot and process-id namespace: where equal, process ids can be compared."""
    pid: int
    started: str
    """Start time of the process as its system counts it; a recycled process id has another."""
    token: str

    @property
    def name(self) -> str:
        """The same as one file name; `Owner.parse` reads it back."""
        return f"{self.host}-{self.machine}-{self.pid}-{self.started}-{self.token}"

    @staticmethod
    def parse(name: str) -> Owner | None:
        """The owner that a file is named for; None where it is named otherwise."""
        parts = name.rsplit("-", 4)
        if len(parts) != 5 or not parts[2].isdigit():
            return None
        host, machine, pid, started, token = parts
        return Owner(host=host, machine=machine, pid=int(pid), started=started, token=token)

    @staticmethod
    def current() -> Owner:
        """This process. A forked child is another owner than its parent."""
        return _owner_of(os.getpid())


Liveness = Callable[[Owner], bool | None]
"""Whether a process lives: None where this machine cannot know."""


def living(owner: Owner) -> bool | None:
    """Whether a process of this machine still runs; None for one of another machine."""
    if owner.machine != _machine():
        return None
    return _started(owner.pid) == owner.started


@lru_cache(maxsize=4)
def _owner_of(pid: int) -> Owner:
    return Owner(host=_host(), machine=_machine(), pid=pid, started=_started(pid) or "0", token=secrets.token_hex(6))


@lru_cache(maxsize=1)
def _machine() -> str:
    return hashlib.sha256(f"{_host()}|{_boot()}|{_namespace()}".encode()).hexdigest()[:12]


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "_", os.uname().nodename)[:60] or "_"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time() / 60))


def _namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def _started(pid: int) -> str | None:
    """Start time of a running process, or None. A zombie does no more work and counts as gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None if os.path.isdir("/proc/self") else _started_by_psutil(pid)
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _started_by_psutil(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return None
