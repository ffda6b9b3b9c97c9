"""The backend that runs nodes in this very process, one at a time: for debugging, small work and tests."""

from __future__ import annotations

import os
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from etude.execute.backend import Progress, TellProgress
from etude.execute.call import NodeCall, Outcome, Status
from etude.execute.cost import Metering
from etude.execute.logs import log_path, python_output_to
from etude.execute.perform import Host, Pause, perform
from etude.graph.pipeline import Needs
from etude.identity.files import FileDigests
from etude.store.store import Store

_CPUS = os.cpu_count() or 1


@dataclass(slots=True)
class InlineBackend:
    """Runs each call when it is submitted. The future it gives is done already."""

    store: Store
    logs: Path
    tell: TellProgress = field(default=lambda _progress: None)
    devices: tuple[str, ...] = ()
    pause: Pause | None = None
    metering: Metering = field(default_factory=Metering)
    digests: FileDigests = field(default_factory=FileDigests)
    _stopping: bool = False

    def admits(self, needs: Needs) -> bool:
        return True

    def refuses(self, needs: Needs) -> str | None:
        if needs.gpus > len(self.devices):
            return f"it needs {needs.gpus} GPU(s) and {len(self.devices)} can be seen here"
        return None

    def submit(self, call: NodeCall) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        host = Host(
            self.devices[: call.needs.gpus],
            _CPUS,
            lambda: self._stopping,
            partial(self._tell, call.fingerprint),
            self.pause,
            self.metering,
            self.digests,
        )
        log = log_path(self.logs, call.name, call.fingerprint)
        with nullcontext() if self.pause else python_output_to(log):
            outcome = perform(call, self.store, host)
        if outcome.status is not Status.DONE and log.exists():
            outcome = replace(outcome, log=str(log))
        future.set_result(outcome)
        return future

    def interrupt(self) -> None:
        self._stopping = True

    def cancel(self, fingerprint: str, reason: str) -> None:
        """Nothing runs while the caller does."""

    def close(self) -> None:
        """Nothing to free."""

    def _tell(self, fingerprint: str, done: float, total: float | None, message: str) -> None:
        self.tell(Progress(fingerprint, done, total, message))
