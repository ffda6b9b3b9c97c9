"""What runs in a batch job: computes one part of a study from the run's snapshot, and tells how it went.

Started as `python -P -m etude.batch.batch_job RUN --part NAME --until SECOND`. It needs nothing but the run's folder
and the store; whatever it is stopped by, another job goes on from the results and checkpoints that it leaves.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from etude import __version__
from etude.batch import run_folder
from etude.batch.job_spec import BEACON, JobSpec
from etude.batch.node_packing import unpack_nodes
from etude.environment import variables
from etude.errors import BackendError, EtudeError, StoreError
from etude.execute.backend import Backend, Progress
from etude.execute.devices import Machine, usable_cpus, visible_gpus
from etude.execute.inline_backend import InlineBackend
from etude.execute.node_metering import Metering
from etude.execute.process_backend import ProcessBackend
from etude.execute.run_events import Event, EventKind, EventLog, now
from etude.execute.runner import Policy, Runner, RunSummary
from etude.execute.task import Status
from etude.graph.importing import import_path, make_importable, use_sources
from etude.graph.node import Node
from etude.graph.plan import plan
from etude.identity.code import CodeIndex
from etude.identity.files import FileDigests
from etude.identity.observed import Present
from etude.redaction import Redactor, with_marks
from etude.store.files.manifest import Manifest
from etude.store.store import Store
from etude.study.provenance import Provenance
from etude.study.run_snapshot import kept_sources

_ROOT = Path(__file__).parent.parent
LOOK_S = 1.0
"""How often a job looks whether it is to stop."""
MOST_ROUNDS = 5


class End(StrEnum):
    """How a job ended, as it says itself."""

    DONE = "done"
    FAILED = "failed"
    """A step failed, or a result is missing that another job should have given."""
    STOPPED = "stopped"
    """Its time was nearly up, or the scheduler asked it to go: steps are at their checkpoints, another job goes on."""
    CANCELLED = "cancelled"
    """The user stopped the run."""
    LOST = "lost"
    """The cluster has cost it: it does not say how it ended, so that another job tries."""
    UNFIT = "unfit"
    """This environment cannot run it. Another attempt would end the same."""


CODES: Mapping[End, int] = {End.DONE: 0, End.FAILED: 1, End.STOPPED: 75, End.CANCELLED: 0, End.LOST: 74, End.UNFIT: 78}


@dataclass(slots=True, kw_only=True)
class BatchJob:
    """One part of a study, computed on this machine."""

    folder: Path
    environment: Mapping[str, str]
    end_s: float | None = None
    """When its time is up, in seconds since the epoch."""
    order: JobSpec = field(init=False)
    runner: Runner | None = None
    stop: End | None = None
    """Why it is stopping."""
    summary: RunSummary = field(default_factory=RunSummary)

    def run(self) -> End:
        """Compute the part. What is wrong with this environment is told in the log and the folder, not raised."""
        try:
            self.order = JobSpec.read(self.folder)
            self.environment = with_marks(self.environment, self.order.secrets)
            nodes = self._fit()
        except (EtudeError, OSError) as error:
            return self._ended(End.UNFIT, str(error))
        with EventLog(self.folder / run_folder.EVENTS) as log:
            log(
                Event(
                    kind=EventKind.RUN_STARTED,
                    time_s=now(),
                    data={"run": self.order.run, "part": self.order.name, **_place()},
                )
            )
            finish = threading.Event()
            watch = threading.Thread(target=self._watch, args=(finish,), daemon=True)
            watch.start()
            try:
                self._rounds(nodes, log)
            finally:
                finish.set()
                watch.join()
            end = self._end()
            log(Event(kind=EventKind.RUN_ENDED, time_s=now(), data={"succeeded": end is End.DONE}))
        return self._ended(end, "") if self._may_say(end) else End.LOST

    def _fit(self) -> dict[str, Node]:
        """The nodes, once it is sure that what runs here is what was planned.

        Raises:
            BackendError: It is not; with the reason and the mend.
        """
        run = run_folder.run_of(self.folder)
        if self.order.etude != __version__:
            raise BackendError(
                f"the study was planned with étude {self.order.etude} and this job's Python, {sys.executable}, has "
                f"étude {__version__}.\n    Mend: install the same version there, or name the right Python in the "
                "cluster profile (python, setup)."
            )
        _require_same_code(run)
        make_importable(Path(self.order.project))
        use_sources(kept_sources(run))
        nodes = unpack_nodes((run / run_folder.NODES).read_bytes())
        _require_same_store(self.order)
        return nodes

    def _rounds(self, nodes: Mapping[str, Node], log: EventLog) -> None:
        """Run the part; where stored results were found damaged, plan anew and go on."""
        order, store = self.order, Store.open(Path(self.order.store), create=False)
        redact = Redactor.of(self.environment)
        targets = [nodes[fingerprint] for fingerprint in order.targets]
        present = self._present()
        made = plan(targets, store.inspect, force=_still_forced(order, store), differences=present.compare())
        # What a collecting job lacks is the other jobs' to give.
        barred = {node.fingerprint for node in made.todo} - set(order.nodes) if order.collects else set[str]()
        backend = self._backend(store)
        provenance = Provenance(study=order.study, run=order.run, project=Path(order.project), store=store)
        policy = Policy(retries=order.retries, fail_fast=order.fail_fast)

        def tell(event: Event) -> None:
            log(
                Event(
                    kind=event.kind,
                    time_s=event.time_s,
                    label=event.label,
                    name=event.name,
                    fingerprint=event.fingerprint,
                    data=redact.within(event.data),
                )
            )

        try:
            for _ in range(MOST_ROUNDS):
                barred |= {failure.node.fingerprint for failure in self.summary.failures}
                self.runner = Runner(
                    plan=made,
                    store=store,
                    backend=backend,
                    provenance=provenance,
                    policy=policy,
                    tell=tell,
                    barred=barred,
                    present=present,
                    redact=redact,
                )
                if self.stop is not None:
                    self.runner.interrupt()
                summary = self.runner.run()
                self.summary.failures += summary.failures
                self.summary.interrupted = summary.interrupted
                self.summary.stopped = summary.stopped
                self.summary.damaged = summary.damaged
                self.summary.blocked = summary.blocked
                if not summary.damaged or summary.interrupted:
                    break
                made = plan(targets, store.inspect, differences=present.compare())
        finally:
            backend.close()

    def _backend(self, store: Store) -> Backend:
        import psutil

        order, project = self.order, Path(self.order.project)
        if order.backend == "inline":
            devices = tuple(f"cuda:{index}" for index in range(order.gpus))
            metering, digests = Metering(settings=order.metering()), FileDigests(Path(order.digests))
            redact = Redactor.of(self.environment)
            return InlineBackend(
                store=store,
                logs=Path(order.logs),
                tell=self._take_progress,
                devices=devices,
                pause=None,
                metering=metering,
                digests=digests,
                redact=redact,
            )
        cpus = min(order.cpus or usable_cpus(), usable_cpus())
        machine = Machine(
            workers=max(1, min(order.workers, cpus)),
            cpus=cpus,
            memory_bytes=order.memory_bytes or psutil.virtual_memory().total,
            devices=visible_gpus(self.environment)[: order.gpus],
        )
        return ProcessBackend(
            machine=machine,
            store=Path(order.store),
            logs=Path(order.logs),
            import_path=import_path(project),
            sources=kept_sources(run_folder.run_of(self.folder)),
            tell=self._take_progress,
            environment=self.environment,
            meter=order.metering(),
            digests=Path(order.digests),
        )

    def _present(self) -> Present:
        """What is there now of what steps touched; the code as it was when the study was submitted."""
        index = CodeIndex(sources=kept_sources(run_folder.run_of(self.folder)))
        files = FileDigests(Path(self.order.digests))
        return Present(
            project=str(Path(self.order.project).resolve()),
            files=files,
            index=lambda: index,
            environment=self.environment,
        )

    def _take_progress(self, progress: Progress) -> None:
        if self.runner is not None:
            self.runner.take_progress(progress)

    # Stopping.

    def ask_to_stop(self, why: End) -> None:
        """Have running steps stop at their next checkpoints, and start nothing more."""
        if self.stop is None:
            self.stop = why
            if self.runner is not None:
                self.runner.interrupt()

    def _watch(self, finish: threading.Event, clock: Callable[[], float] = time.time) -> None:
        """See whether the time is nearly up or the user stops the run."""
        marker = run_folder.run_of(self.folder) / run_folder.CANCEL
        while not finish.wait(LOOK_S):
            if marker.exists():
                self.ask_to_stop(End.CANCELLED)
            elif self.end_s is not None and clock() >= self.end_s - self.order.grace_s:
                self.ask_to_stop(End.STOPPED)

    def _end(self) -> End:
        if self.summary.stopped or self.summary.interrupted:
            return self.stop or End.STOPPED
        summary = self.summary
        return End.FAILED if summary.failures or summary.blocked or summary.damaged else End.DONE

    def _may_say(self, end: End) -> bool:
        """Whether how it ended is of its own making."""
        lost = any(failure.outcome.status is Status.LOST and failure.outcome.again for failure in self.summary.failures)
        return not (end is End.FAILED and lost)

    def _ended(self, end: End, reason: str) -> End:
        """Write down how it ended; where even that is impossible, the log says it."""
        if reason:
            sys.stderr.write(f"étude: {reason}\n")
        try:
            fresh = self.folder / f"{run_folder.ENDED}.{os.getpid()}.tmp"
            fresh.write_text(json.dumps({"end": end, "reason": reason, **_place()}), encoding="utf-8")
            fresh.replace(self.folder / run_folder.ENDED)
        except OSError as error:
            sys.stderr.write(f"étude: {error}\n")
        return end


def _still_forced(order: JobSpec, store: Store) -> list[str]:
    """What is to be computed again and has not been, by an earlier start of this job."""
    forced = []
    for fingerprint in order.force:
        found = store.inspect(fingerprint)
        if not isinstance(found, Manifest) or found.provenance.get("run") != order.run:
            forced.append(fingerprint)
    return forced


def own_code(nodes: Iterable[Node]) -> dict[str, str]:
    """The files of étude itself that these nodes' steps reach, by their path within it, each with its digest."""
    files = {path: digest for node in nodes if node.use is not None for path, digest in node.use.symbols.files.items()}
    return {
        str(path.relative_to(_ROOT)): digest for path, digest in sorted(files.items()) if path.is_relative_to(_ROOT)
    }


def _require_same_code(run: Path) -> None:
    """Refuse to run steps of étude's own with other code than their fingerprints speak of.

    Raises:
        BackendError: A file of étude differs from the one that was planned with.
    """
    planned: dict[str, str] = json.loads((run / run_folder.OWN).read_text(encoding="utf-8"))
    for path, digest in planned.items():
        file = _ROOT / path
        if not file.is_file() or sha256(file.read_bytes()).hexdigest() != digest:
            raise BackendError(
                f"{file} is not what the study was planned with.\n"
                "    Mend: install the same étude for the jobs as for the driver, or run the study again."
            )


def _require_same_store(order: JobSpec) -> None:
    """Refuse to compute into a folder that the driver does not see, although it has the same path.

    Raises:
        BackendError: There is no store here, or another one.
    """
    mend = "    Mend: put the store on a file system that the cluster's machines share: --set place.store=FOLDER"
    try:
        known = Store.open(Path(order.store), create=False).note(BEACON, order.beacon)
    except StoreError as error:
        reason = str(error).partition("\n")[0]
        raise BackendError(f"this machine does not see the store of the run: {reason}\n{mend}") from error
    if known is None:
        raise BackendError(f"{order.store} on this machine is not the store that the driver has made.\n{mend}")


def _place() -> dict[str, object]:
    import socket

    return {"host": socket.gethostname(), "pid": os.getpid()}


def main(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the job that the words name. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="etude.batch.batch_job")
    parser.add_argument("run", type=Path)
    parser.add_argument("--part", default="")
    parser.add_argument("--task", type=int, default=None)
    parser.add_argument("--until", type=float, default=None)
    said = parser.parse_args(words)
    part = said.part
    if said.task is not None:
        part = json.loads((said.run / run_folder.TASKS).read_text(encoding="utf-8"))[said.task]
    job = BatchJob(folder=run_folder.job_folder(said.run, part), environment=environment, end_s=said.until)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: job.ask_to_stop(End.STOPPED))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return CODES[job.run()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], variables()))
