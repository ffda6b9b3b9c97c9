"""A worker process: computes the nodes that its driver sends over a socket, one at a time.

Started as `python -m etude.execute.worker FD`, or with `--group` as one of the processes of a node. It dies with its
driver: one that is killed leaves nothing behind.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Client, Connection
from pathlib import Path

from etude.environment import set_variables, take_variable, variable, variables
from etude.execute.log_process import start_log_process
from etude.execute.logs import capture_output, log_path
from etude.execute.messages import END, STOP, WITHDRAW, Hello, OtherRanks, StepProgress, StopNode, ValueReady, Withdrawn
from etude.execute.node_metering import Metering
from etude.execute.orphans import WORKER, WorkerOrphans, kill_by_mark
from etude.execute.perform import Host, perform
from etude.execute.process_group import ID, KEY, WHERE, as_torchrun, rank_of
from etude.execute.task import Outcome, Status, Task
from etude.execute.threads import thread_count
from etude.graph.importing import use_sources
from etude.identity.files import FileDigests
from etude.redaction import Redactor
from etude.store.store import Store


def serve(connection: Connection) -> None:
    """Compute what the driver sends until it goes away."""
    drain = start_log_process(Redactor.of(variables()))
    hello: Hello = connection.recv()
    for folder in reversed(hello.import_path):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    use_sources(hello.sources)
    store = Store.open(Path(hello.store))
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    stop = threading.Event()
    stopped: set[str] = set()
    ended: queue.SimpleQueue[OtherRanks] = queue.SimpleQueue()
    leave = threading.Event()
    lock = threading.Lock()

    def send(message: StepProgress | Outcome | ValueReady | Withdrawn) -> None:
        with lock:
            connection.send(message)

    threading.Thread(target=_listen, args=(connection, tasks, ended, stop, stopped, leave, send), daemon=True).start()

    def others() -> Sequence[Outcome]:
        send(ValueReady())
        return ended.get().outcomes

    attempt = variable(ID)
    strays = WorkerOrphans("" if attempt else variable(WORKER))  # of a node's several processes, with the node
    metering = Metering(settings=hello.meter, gpus=hello.gpus)
    digests = FileDigests(Path(hello.digests) if hello.digests else None)
    tell = lambda done, total, message: send(StepProgress(done=done, total=total, message=message))  # noqa: E731
    signal.signal(signal.SIGTERM, lambda *_: _terminated(leave, stop if hello.heeds_term else None))
    tell_value = lambda step, value: send(StepProgress(done=step, total=None, message="", value=value))  # noqa: E731
    host = Host(
        devices=hello.devices,
        cpus=thread_count(hello.cpus, variables()),
        asked_to_stop=stop.is_set,
        tell=tell,
        tell_value=tell_value,
        metering=metering,
        digests=digests,
        rank=hello.rank,
        attempt=attempt,
        others=others if attempt else None,
    )
    while True:
        with suppress(_Leave):
            task = tasks.get()
        if leave.is_set():
            sys.exit()
        host = replace(host, asked_to_stop=partial(_asked_to_stop, task.fingerprint, stop, stopped))
        log = log_path(Path(hello.logs), task.name, task.fingerprint)
        with capture_output(log, drain):
            outcome = _outcome(task, store, host)
            if left := strays.end():
                note = f"ended what the step left running in a session of its own: {', '.join(left)}"
                with suppress(OSError):
                    os.write(2, f"étude: {note}\n".encode())
                send(StepProgress(done=0.0, total=None, message=note))
        if leave.is_set():
            sys.exit()
        if outcome.status is not Status.DONE and log.exists():
            outcome = replace(outcome, log=str(log))
        send(outcome)


class _Leave(BaseException):
    """Raised in a step whose peers have failed or stopped, so that it cleans up after itself."""


def _terminated(leave: threading.Event, stop: threading.Event | None) -> None:
    if leave.is_set():
        raise _Leave("its node has ended")
    if stop is not None:
        stop.set()


def _asked_to_stop(fingerprint: str, stop: threading.Event, stopped: Collection[str]) -> bool:
    return stop.is_set() or fingerprint in stopped


def _outcome(task: Task, store: Store, host: Host) -> Outcome:
    try:
        return perform(task, store, host)
    except KeyboardInterrupt:  # a worker hears no Ctrl-C: the step itself raised it
        return Outcome(status=Status.FAILED, error="the step raised KeyboardInterrupt")


def _listen(
    connection: Connection,
    tasks: queue.SimpleQueue[Task],
    ended: queue.SimpleQueue[OtherRanks],
    stop: threading.Event,
    stopped: set[str],
    leave: threading.Event,
    send: Callable[[Withdrawn], None],
) -> None:
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            kill_by_mark(WORKER, variable(WORKER), but=lambda pid: pid == os.getpid())
            os.killpg(0, signal.SIGKILL)
        if message == STOP:
            stop.set()
        elif message == END:
            stop.set()
            leave.set()
            os.kill(os.getpid(), signal.SIGTERM)
        elif message == WITHDRAW:
            send(Withdrawn(fingerprints=tuple(_drained(tasks))))
        elif isinstance(message, OtherRanks):
            ended.put(message)
        elif isinstance(message, StopNode):
            stopped.add(message.fingerprint)
        else:
            stopped.discard(message.fingerprint)
            tasks.put(message)


def _drained(tasks: queue.SimpleQueue[Task]) -> Iterator[str]:
    with suppress(queue.Empty):
        while True:
            yield tasks.get_nowait().fingerprint


def _joined() -> Connection:
    """The connection of one of several processes to their supervisor; its peers are found as under torchrun."""
    set_variables(as_torchrun(variables()))
    host, _, port = variables()[WHERE].partition(":")
    connection = Client((host, int(port)), authkey=bytes.fromhex(take_variable(KEY)))
    connection.send(rank_of(variables()))
    return connection


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: None)  # a scheduler tells all processes of a job: the driver heeds it
    with suppress(_Leave):
        serve(_joined() if sys.argv[1] == "--group" else Connection(int(sys.argv[1])))
