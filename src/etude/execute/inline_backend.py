"""The backend that runs nodes in this very process, one at a time: for debugging, small work and tests."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from etude.environment import variables
from etude.execute.backend import Progress, TellProgress
from etude.execute.logs import log_path, python_output_to
from etude.execute.node_metering import Metering
from etude.execute.orphans import InlineOrphans
from etude.execute.perform import Host, Pause, perform
from etude.execute.task import Outcome, Status, Task
from etude.execute.threads import LoadedLibraries, thread_count
from etude.graph.pipeline import Needs
from etude.identity.files import FileDigests
from etude.redaction import Redactor
from etude.store.store import Store

_orphans = InlineOrphans()


@dataclass(slots=True, kw_only=True)
class InlineBackend:
    """Runs each call when it is submitted. The future it gives is done already."""

    store: Store
    logs: Path
    tell: TellProgress = field(default=lambda _progress: None)
    devices: tuple[str, ...] = ()
    pause: Pause | None = None
    metering: Metering = field(default_factory=Metering)
    digests: FileDigests = field(default_factory=FileDigests)
    redact: Redactor = field(default_factory=Redactor)
    """Takes the secrets out of what steps print."""
    _libraries: LoadedLibraries = field(default_factory=LoadedLibraries)
    _stopping: bool = False
    _stopped: set[str] = field(default_factory=set)
    """Fingerprints of nodes that were asked to stop."""

    def admits(self, needs: Needs) -> bool:
        return True

    def refuses(self, needs: Needs) -> str | None:
        if needs.gpus > len(self.devices):
            return f"it needs {needs.gpus} GPU(s) and {len(self.devices)} can be seen here"
        return None

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._stopped.discard(task.fingerprint)
        host = Host(
            devices=self.devices[: task.needs.gpus],
            cpus=thread_count(task.needs.cpus, variables()),
            asked_to_stop=lambda: self._stopping or task.fingerprint in self._stopped,
            tell=partial(self._tell, task.fingerprint),
            tell_value=partial(self._tell_value, task.fingerprint),
            pause=self.pause,
            metering=self.metering,
            digests=self.digests,
        )
        self.tell(Progress(task.fingerprint, 0.0, None, "", starts=True))
        log = log_path(self.logs, task.name, task.fingerprint)
        output = nullcontext() if self.pause else python_output_to(log, self.redact)
        with output, _orphans.belonging_to_step(), self._libraries.limited(task.needs.cpus):
            outcome = perform(task, self.store, host)
        if outcome.status is not Status.DONE and log.exists():
            outcome = replace(outcome, log=str(log))
        future.set_result(outcome)
        return future

    def interrupt(self) -> None:
        self._stopping = True

    def cancel(self, fingerprint: str, reason: str, *, now: bool = True) -> None:
        """Ask a node to stop, from another thread; its own cannot be ended before that."""
        self._stopped.add(fingerprint)

    def close(self) -> None:
        self._libraries.restore()

    def _tell(self, fingerprint: str, done: float, total: float | None, message: str) -> None:
        self.tell(Progress(fingerprint, done, total, message))

    def _tell_value(self, fingerprint: str, step: float, value: float) -> None:
        self.tell(Progress(fingerprint, step, None, "", value))
