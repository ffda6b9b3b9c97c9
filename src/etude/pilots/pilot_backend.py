"""The backend that runs nodes in the jobs of a cluster, through Parsl's executor and providers.

Nodes of like needs share jobs. Messages carry keys alone; data move through the store, which all machines see. The
project's sources are kept as they were at submission, and workers import those.
"""

from __future__ import annotations

import base64
import contextlib
import pickle
import shutil
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from etude import __version__
from etude.cluster.profile import Profile
from etude.cluster.schedulers import SPOKEN, scheduler_of
from etude.cluster.schedulers.scheduler import Scheduler
from etude.cluster.scripts.shell import launcher
from etude.errors import StoreError
from etude.execute.backend import Progress, TellProgress
from etude.execute.devices import machine, usable_cpus
from etude.execute.node_metering import MeterSettings
from etude.execute.process_backend import ProcessBackend
from etude.execute.task import Outcome, Status, Task
from etude.graph.pipeline import Needs
from etude.pilots.attempt import Attempt
from etude.pilots.durations import Durations
from etude.pilots.mailbox import Mailbox
from etude.pilots.node_pools import NodePool, block_profile, pool_of, refusal
from etude.pilots.parsl_engine import HEARTBEAT_S, ParslEngine, own_addresses
from etude.pilots.pilot_spec import PilotSpec, write_snapshot, write_spec
from etude.pilots.pilot_worker import running_lease
from etude.pilots.pool_queue import PoolQueue, QueuedNode
from etude.pilots.providers import Scripts
from etude.store.codecs import classes_in
from etude.store.files.manifest import Manifest
from etude.store.lease import Holder
from etude.store.store import Store

TICK_S = 0.25
NEWS_S = 3.0
"""How long a worker's news may be under way."""
GOODBYE_S = 5.0
"""How long the jobs have to end by themselves once the run is over."""

STOPPED = Outcome(status=Status.STOPPED, error="it had not begun")
ENDED = Outcome(status=Status.LOST, error="the run was stopped", again=False)


@dataclass(slots=True, kw_only=True, eq=False)
class PilotBackend:
    """Runs nodes on a cluster; those that must run where the driver does, in processes here."""

    profile: Profile
    store: Path
    logs: Path
    folder: Path
    """The run's own folder, on a file system that the cluster's machines see."""
    study: str = "study"
    import_path: tuple[str, ...] = ()
    sources: Mapping[str, bytes] = field(default_factory=dict)
    tell: TellProgress = field(default=lambda _progress: None)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment of nodes that run here. Those on the cluster have their job's, and what the profile says."""
    worker_environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables for nodes on the cluster."""
    meter: MeterSettings = field(default_factory=MeterSettings)
    digests: Path | None = None
    durations: Durations = field(default_factory=Durations)
    """How long nodes took before, by their names."""
    _known: dict[Needs, NodePool] = field(default_factory=dict)
    _pools: dict[NodePool, PoolQueue] = field(default_factory=dict)
    _here: ProcessBackend | None = None
    _mailbox: Mailbox | None = None
    _elsewhere: list[QueuedNode] = field(default_factory=list)
    _reader: Store | None = None
    _has_store: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _stopped_s: float | None = None
    _closed: threading.Event = field(default_factory=threading.Event)

    def admits(self, needs: Needs) -> bool:
        if needs.login:
            return self._local().admits(needs)
        queue = self._pools.get(self._pool(needs))
        return queue is None or queue.load < queue.room

    def refuses(self, needs: Needs) -> str | None:
        if needs.login:
            return self._local().refuses(needs)
        return refusal(self.profile, needs, usable_cpus())

    def submit(self, call: Task) -> Future[Outcome]:
        if call.needs.login or self._is_done_here(call):
            return self._submitted_here(call)
        future: Future[Outcome] = Future()
        entry = QueuedNode(call=call, future=future)
        with self._lock:
            if self._stopped_s is not None or self._closed.is_set():
                future.set_result(STOPPED)
                return future
            self._open()
            queue = self._queue(self._pool(call.needs))
        if self._is_running(call.fingerprint):
            self._wait_for(entry)  # a worker of a driver that is gone still computes it
        else:
            queue.put(entry)
        return future

    def _is_running(self, fingerprint: str) -> bool:
        """Whether a worker computes a node, of this run's driver or of one before it."""
        store, name = self._reading(), running_lease(fingerprint)
        if self._has_store:
            return store.holder(name) is not None
        lease, self._has_store = store.lease(name), True  # this makes the store: workers make none
        if not isinstance(lease, Holder):
            lease.release()
        return isinstance(lease, Holder)

    def _is_done_here(self, call: Task) -> bool:
        """Whether a node is too small to queue for a job of its own, and no job that takes such nodes is up."""
        needs = call.needs
        if needs.gpus or needs.processes > 1 or self.profile.scheduler == "local":
            return False
        if not self.durations.is_small(call.name, call.step, needs.walltime_s):
            return False
        queue = self._pools.get(self._pool(needs))
        return (queue is None or not queue.has_workers) and self._local().admits(needs)

    def _submitted_here(self, call: Task) -> Future[Outcome]:
        local, walltime_s = self._local(), call.needs.walltime_s
        future = local.submit(call)
        future.add_done_callback(lambda done: self.durations.note(call.name, done.result().cost.get("wall_s")))
        if walltime_s is not None:
            reason = f"it ran longer than its walltime of {walltime_s:g} s"
            timer = threading.Timer(walltime_s, local.cancel, (call.fingerprint, reason))
            timer.daemon = True
            timer.start()
            future.add_done_callback(lambda _done: timer.cancel())
        return future

    def interrupt(self) -> None:
        with self._lock:
            self._stopped_s = time.monotonic()
            if self._here is not None:
                self._here.interrupt()
            if self._mailbox is not None:
                self._mailbox.order_stop()
            queues = list(self._pools.values())
            waiting, self._elsewhere = self._elsewhere, []
        for entry in waiting:
            entry.settle(STOPPED)
        for queue in queues:
            queue.drop_waiting(STOPPED)

    def cancel(self, fingerprint: str, reason: str, *, now: bool = True) -> None:
        if self._here is not None:
            self._here.cancel(fingerprint, reason, now=now)
        outcome = Outcome(status=Status.LOST, error=reason, again=False)
        with self._lock:
            mine = [entry for entry in self._elsewhere if entry.call.fingerprint == fingerprint]
            self._elsewhere = [entry for entry in self._elsewhere if entry not in mine]
        for found in mine:
            found.settle(outcome)
        for queue in list(self._pools.values()):
            entry = queue.call_off(fingerprint, outcome)
            if entry is not None and self._mailbox is not None:
                if now:
                    self._mailbox.order_cancel(entry.ticket, reason)
                else:
                    self._mailbox.order_stop(entry.ticket)

    def close(self) -> None:
        with self._lock:
            already = self._closed.is_set()
            self._closed.set()
        if already:
            return
        if self._here is not None:
            self._here.close()
        for queue in list(self._pools.values()):
            for entry in list(queue.sent.values()):
                if self._mailbox is not None and not entry.future.done():
                    with contextlib.suppress(OSError):
                        self._mailbox.order_cancel(entry.ticket, ENDED.error)
        for entry in self._elsewhere:
            entry.settle(ENDED)
        self._let_jobs_end()
        for queue in list(self._pools.values()):
            queue.close(ENDED)
        self._clear()

    def _let_jobs_end(self) -> None:
        """Give the jobs that are up a moment to end by themselves. Whoever does not is cancelled."""
        queues = list(self._pools.values())
        for queue in queues:
            queue.release_all()
        until_s = time.monotonic() + GOODBYE_S
        while self._mailbox is not None and any(queue.is_leaving for queue in queues) and time.monotonic() < until_s:
            self._mailbox.beat()
            self._read_news(self._mailbox)
            time.sleep(0.05)

    def _clear(self) -> None:
        """Remove what lets others run code or read the sources; what tells of the run stays."""
        with contextlib.suppress(OSError):
            self._snapshot.unlink(missing_ok=True)
            for spec in self.folder.glob("*.spec"):
                spec.unlink()
            for certificates in self.folder.glob("*/certificates"):
                shutil.rmtree(certificates)

    # Pools.

    def _pool(self, needs: Needs) -> NodePool:
        if needs not in self._known:
            self._known[needs] = pool_of(self.profile, needs, usable_cpus())
        return self._known[needs]

    def _local(self) -> ProcessBackend:
        """Where nodes run that must run on the driver's machine."""
        with self._lock:
            if self._here is None:
                self._here = ProcessBackend(
                    machine=machine(self.environment),
                    store=self.store,
                    logs=self.logs,
                    import_path=self.import_path,
                    sources=self.sources,
                    tell=self.tell,
                    environment=self.environment,
                    meter=self.meter,
                    digests=self.digests,
                )
            return self._here

    def _reading(self) -> Store:
        if self._reader is None:
            self._reader = Store.open(self.store)
        return self._reader

    def _open(self) -> None:
        """Make the run's folder, the snapshot and the mailbox, once there is a node to run."""
        if self._mailbox is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        mailbox = Mailbox(folder=self.folder / "mailbox")
        mailbox.open()
        write_snapshot(self._snapshot, self.sources)
        self._mailbox = mailbox
        threading.Thread(target=self._tend, name="etude-cluster", daemon=True).start()

    @property
    def _snapshot(self) -> Path:
        return self.folder / "sources.pickle"

    def _queue(self, pool: NodePool) -> PoolQueue:
        if pool not in self._pools:
            spec_path = self.folder / f"{pool.name}.spec"
            own = block_profile(self.profile, pool)
            scripts = Scripts(
                profile=own, name=f"{self.study}.{pool.name}", folder=self.folder / "jobs", spans=pool.nodes > 1
            )
            engine = ParslEngine(
                pool=pool, profile=own, scripts=scripts, folder=self.folder, spec=spec_path, scheduler=self._scheduler()
            )
            port, certificates = engine.start()
            write_spec(spec_path, self._spec(own, pool, port, certificates))
            self._pools[pool] = PoolQueue(
                pool=pool,
                profile=own,
                engine=engine,
                journal=self.folder / "jobs.log",
                wait_for=self._wait_for,
                moved=lambda entry, why: self._report(entry, f"goes on in another job: {why}"),
                ask_to_leave=lambda block: self._ask_to_leave(pool, block),
                durations=self.durations,
            )
        return self._pools[pool]

    def _scheduler(self) -> Scheduler | None:
        spoken = self.profile.scheduler in SPOKEN
        return scheduler_of(self.profile.scheduler, self.environment) if spoken else None

    def _spec(self, own: Profile, pool: NodePool, port: int, certificates: str | None) -> PilotSpec:
        return PilotSpec(
            version=__version__,
            pool=pool.name,
            store=str(self.store.absolute()),
            logs=str(self.logs.absolute()),
            mailbox=str((self.folder / "mailbox").absolute()),
            import_path=self.import_path,
            snapshot=str(self._snapshot.absolute()),
            meter=self.meter,
            digests=str(self.digests.absolute()) if self.digests else None,
            environment=self.worker_environment,
            gpus=pool.gpus,
            cpus=pool.cpus,
            nodes=pool.nodes,
            processes=pool.processes,
            workers=pool.workers,
            launch=launcher(own),
            walltime_s=own.walltime_s,
            grace_s=own.grace_s,
            time_s=pool.time_s,
            addresses=own_addresses(own),
            port=port,
            certificates=certificates,
            manager_logs=str((self.folder / "workers").absolute()),
            heartbeat_s=HEARTBEAT_S,
        )

    # Minding.

    def _tend(self) -> None:
        """Runs in a thread: jobs, news, and nodes that others compute."""
        while not self._closed.wait(TICK_S):
            try:
                self._tick()
            except (OSError, StoreError):  # the file system is away for a moment: what is missed is seen later
                continue
            except Exception as error:  # without this thread the run would wait for ever
                for queue in list(self._pools.values()):
                    queue.give_up(f"the cluster cannot be minded: {type(error).__name__}: {error}")

    def _tick(self) -> None:
        assert self._mailbox is not None
        self._mailbox.beat()
        self._read_news(self._mailbox)
        for queue in list(self._pools.values()):
            queue.tick()
            if self._stopped_s is not None and time.monotonic() - self._stopped_s > NEWS_S:
                queue.drop_unbegun(STOPPED)
        self._look_elsewhere()

    def _read_news(self, mailbox: Mailbox) -> None:
        sent = {ticket: entry for queue in self._pools.values() for ticket, entry in list(queue.sent.items())}
        for line in mailbox.news():
            if "left" in line:
                pool, _, block = str(line["left"]).rpartition(".")
                for queue in self._pools.values():
                    if queue.pool.name == pool:
                        queue.left(block)
                continue
            entry = sent.get(str(line.get("ticket")))
            if entry is None:
                continue
            if "attempt" in line:
                attempt: Attempt = pickle.loads(base64.b64decode(str(line["attempt"])))  # noqa: S301
                for queue in list(self._pools.values()):
                    queue.take_attempts({entry.ticket: attempt})
            elif "began" in line:
                entry.block = str(line["block"])
                self.tell(Progress(entry.call.fingerprint, 0.0, None, "", starts=True))
                self._report(entry, f"runs on {line['host']}")
            else:
                told = (line["done"], line["total"], str(line["message"]), line.get("value"))
                self.tell(Progress(entry.call.fingerprint, *told))  # type: ignore[arg-type]

    def _ask_to_leave(self, pool: NodePool, block: str) -> None:
        assert self._mailbox is not None
        self._mailbox.order_leave(f"{pool.name}.{block}")

    def _report(self, entry: QueuedNode, message: str) -> None:
        self.tell(Progress(entry.call.fingerprint, 0.0, None, message))

    def _wait_for(self, entry: QueuedNode) -> None:
        with self._lock:
            self._elsewhere.append(entry)
        self.tell(Progress(entry.call.fingerprint, 0.0, None, "", starts=True))
        self._report(entry, "is computed by a worker of an earlier run")

    def _look_elsewhere(self) -> None:
        """See whether nodes that others compute are done, or have been left."""
        with self._lock:
            waiting = list(self._elsewhere)
        for entry in waiting:
            call = entry.call
            found = None if call.replace else self._reading().inspect(call.fingerprint)
            if isinstance(found, Manifest) and found.inputs == call.contents:
                outcome = Outcome(
                    status=Status.DONE, content=found.content, cost=found.cost, classes=classes_in(found.codec)
                )
                self._leave(entry)
                entry.settle(outcome)
            elif self._reading().holder(running_lease(call.fingerprint)) is None:
                self._leave(entry)
                self._queue(self._pool(call.needs)).put(entry)

    def _leave(self, entry: QueuedNode) -> None:
        with self._lock:
            self._elsewhere = [other for other in self._elsewhere if other is not entry]
