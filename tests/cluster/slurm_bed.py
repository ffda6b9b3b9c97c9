"""A real SLURM on this machine, without systemd: munge, a controller, two nodes, and accounting where it is installed.

All of it lives in one folder and runs as the current user: nothing of the machine's own configuration is read or
changed. Debian's packages are enough: `slurm-wlm munge`, and `slurmdbd mariadb-server-core mariadb-client-core` for
`sacct`.
"""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

NODES = ("one", "two")
CPUS = 4
GPUS = 2
MEMORY_MB = 8000

_NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
_FOR_ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db", "mariadb", "sacct", "sacctmgr")
_SBIN = ("/usr/sbin", "/sbin")

_CONFIGURATION = """\
ClusterName=bed
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=10
SlurmctldPort={controller_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0,requeue_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
SlurmdParameters=config_overrides
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=3
MinJobAge=300
GresTypes=gpu
{accounting}
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=60 State=UP PriorityTier=10 PreemptMode=OFF
PartitionName=closed Nodes=ALL MaxTime=60 State=DOWN
"""

_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={database_port}
AccountingStoragePass={folder}/munge.sock
AccountingStorageTRES=gres/gpu
"""

_DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={database_port}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
StorageLoc=slurm
"""


def missing(*, accounting: bool = False) -> str:
    """Why SLURM cannot run here; empty where it can."""
    wanted = (*_NEEDED, *(_FOR_ACCOUNTING if accounting else ()))
    absent = [name for name in wanted if _found(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


@dataclass
class SlurmBed:
    """One small cluster. Use as a context manager."""

    folder: Path
    """An empty folder with a short path: sockets stand in it."""
    accounting: bool = False
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    conf: Path = field(init=False)

    def __post_init__(self) -> None:
        self.conf = self.folder / "slurm.conf"

    def __enter__(self) -> SlurmBed:
        try:
            self._configure()
            self._start_munge()
            if self.accounting:
                self._start_accounting()
            self.start_controller()
            for node in NODES:
                self.start_node(node)
            self.until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, with this cluster as the one that SLURM's commands speak to."""
        path = os.pathsep.join((os.environ.get("PATH", ""), *_SBIN))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        return {**kept, "PATH": path, "SLURM_CONF": str(self.conf)}

    # What a test does to it.

    def run(self, *words: str) -> str:
        """What one of SLURM's commands prints."""
        done = subprocess.run(words, capture_output=True, text=True, env=self.environment, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def jobs(self, *states: str) -> list[str]:
        """Ids of the jobs in these states, `RUNNING` for instance; of all that are not over, where none is named."""
        wanted = ("--states", ",".join(states)) if states else ()
        return self.run("squeue", "--noheader", "--format=%i", *wanted).split()

    def facts(self, job: str) -> dict[str, str]:
        """What `scontrol show job` tells."""
        text = self.run("scontrol", "--oneliner", "show", "job", job)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def state(self, job: str) -> str:
        """`PENDING`, `RUNNING`, `COMPLETED`, …"""
        return self.facts(job)["JobState"]

    def start_controller(self) -> None:
        """Start slurmctld, or start it again."""
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.conf))

    def stop_controller(self) -> None:
        """End slurmctld as its restart does: it writes down what it knows."""
        self._end("slurmctld", signal.SIGTERM)

    def kill_controller(self) -> None:
        """Kill slurmctld as a crash does: it forgets the jobs of the last seconds, and kills those that ran."""
        self._end("slurmctld", signal.SIGKILL)

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node."""
        self._start(node, "slurmd", "-D", "-N", node, "-f", str(self.conf))

    def kill_node(self, node: str) -> None:
        """Kill the slurmd of a node; its jobs' processes live on, as they do where only the daemon dies."""
        self._end(node, signal.SIGKILL)

    def drain(self, node: str) -> None:
        """Let nothing more start on a node."""
        self.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")

    def resume(self, node: str) -> None:
        """Take a node back into service."""
        self.run("scontrol", "update", f"nodename={node}", "state=resume")

    def until_ready(self) -> None:
        """Wait until every node takes jobs."""
        until(lambda: self._ping().count("idle") == len(NODES), "nodes to be idle", self._logs)

    def clear(self) -> None:
        """Cancel every job and put every node back into service."""
        self.run("scancel", "--user", getpass.getuser())
        for node in NODES:
            if "DRAIN" in self.run("scontrol", "--oneliner", "show", "node", node):
                self.resume(node)
        until(lambda: not self.jobs(), "jobs to end", self._logs)

    # How it is made.

    def _configure(self) -> None:
        ports = _free_ports(2 + len(NODES))
        names = {
            "folder": self.folder,
            "host": socket.gethostname().split(".")[0],
            "user": getpass.getuser(),
            "controller_port": ports[0],
            "database_port": ports[1],
        }
        nodes = [
            f"NodeName={name} NodeHostname={names['host']} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} "
            f"RealMemory={MEMORY_MB} Gres=gpu:{GPUS}"
            for name, port in zip(NODES, ports[2:], strict=True)
        ]
        accounting = _ACCOUNTING if self.accounting else "AccountingStorageType=accounting_storage/none\n"
        text = _CONFIGURATION.format(**names, nodes="\n".join(nodes), accounting=accounting.format(**names).rstrip())
        self.conf.write_text(text)
        for index in range(GPUS):
            (self.folder / f"gpu{index}").symlink_to("/dev/null")  # it must lead to a device
        gpus = f"File={self.folder}/gpu[0-{GPUS - 1}]"
        (self.folder / "gres.conf").write_text("".join(f"NodeName={node} Name=gpu {gpus}\n" for node in NODES))
        (self.folder / "state").mkdir()
        for node in NODES:
            (self.folder / f"spool-{node}").mkdir()
        database = self.folder / "slurmdbd.conf"
        database.write_text(_DATABASE.format(**names))
        database.chmod(0o600)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        places = {"key-file": key.name, "socket": "munge.sock", "pid-file": "munge.pid", "log-file": "munge.log"}
        options = [f"--{option}={self.folder / name}" for option, name in places.items()]
        seed = f"--seed-file={self.folder / 'munge.seed'}"
        self._start("munged", "munged", "--foreground", "--force", "--num-threads=2", seed, *options)
        until((self.folder / "munge.sock").exists, "munge", self._logs)

    def _start_accounting(self) -> None:
        """MariaDB on a socket in the folder, and slurmdbd before it."""
        data, sock = self.folder / "database", self.folder / "database.sock"
        user = getpass.getuser()
        temporary = self.folder / "tmp"  # of its own: servers side by side take each other's files for theirs
        temporary.mkdir()
        make = (
            "--no-defaults",
            f"--tmpdir={temporary}",
            f"--datadir={data}",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        )
        self.run("mariadb-install-db", *make, f"--user={user}")
        small = ("--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0")
        places = (f"--datadir={data}", f"--socket={sock}", f"--pid-file={self.folder / 'database.pid'}")
        places = (*places, f"--tmpdir={temporary}")
        self._start("mariadbd", "mariadbd", "--no-defaults", f"--user={user}", "--skip-networking", *places, *small)
        until(sock.exists, "the database", self._logs)
        make_user = f"CREATE USER IF NOT EXISTS '{user}'@'localhost'; GRANT ALL ON slurm.* TO '{user}'@'localhost'"
        self.run("mariadb", "--no-defaults", "-u", "root", "-S", str(sock), "-e", f"CREATE DATABASE slurm; {make_user}")
        self._start("slurmdbd", "slurmdbd", "-D", extra={"MYSQL_UNIX_PORT": str(sock)})
        listening = lambda: "slurmdbd version" in self._text("slurmdbd.log")  # noqa: E731
        until(listening, "slurmdbd", self._logs)
        until(lambda: self._works("sacctmgr", "--immediate", "add", "cluster", "bed"), "accounting", self._logs)

    def _start(self, name: str, *words: str, extra: Mapping[str, str] | None = None) -> None:
        path = _found(words[0])
        assert path is not None, f"{words[0]} is not installed"
        with (self.folder / f"{name}.out").open("ab") as output:
            self.daemons[name] = subprocess.Popen(
                [path, *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self.environment, **(extra or {})},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def _end(self, name: str, how: signal.Signals) -> None:
        daemon = self.daemons.pop(name)
        daemon.send_signal(how)
        daemon.wait(timeout=30)

    def stop(self) -> None:
        """End all jobs and all daemons, the last started first."""
        if {"slurmctld", *NODES} <= self.daemons.keys():
            self._works("scancel", "--user", getpass.getuser())
            end = time.monotonic() + 15
            while time.monotonic() < end and self._said("squeue", "--noheader").strip():
                time.sleep(0.1)
        for name in reversed(list(self.daemons)):
            daemon = self.daemons[name]
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait(timeout=10)
        self.daemons.clear()

    def _works(self, *words: str) -> bool:
        return subprocess.run(words, capture_output=True, env=self.environment, timeout=60, check=False).returncode == 0

    def _said(self, *words: str) -> str:
        done = subprocess.run(words, capture_output=True, text=True, env=self.environment, timeout=60, check=False)
        return done.stdout

    def _ping(self) -> str:
        return self._said("sinfo", "--noheader", "--Node", "--partition=main", "--format=%N %t")

    def _text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def _logs(self) -> str:
        """The ends of all logs, for the message of a wait that came to nothing."""
        logs = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "\n".join(f"== {path.name}\n{self._text(path.name)[-1500:]}" for path in logs)


def until(holds: Callable[[], bool], what: str, tell: Callable[[], str] = str, limit_s: float = 60.0) -> None:
    """Wait until something holds; AssertionError with what is told where it does not in time."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s for {what}\n{tell()}"
        time.sleep(0.05)


def slurm(folder: Path, *, accounting: bool = False) -> Iterator[SlurmBed]:
    """A cluster for the length of a fixture; skips the test where SLURM cannot run, with the reason."""
    import pytest

    reason = missing(accounting=accounting)
    if reason:
        pytest.skip(f"no SLURM here: {reason}")
    with SlurmBed(folder, accounting=accounting) as bed:
        yield bed


def die_with_parent() -> None:
    """Let no daemon outlive a test run that was killed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@cache
def _found(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *_SBIN)))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
