"""The process that writes a worker's logs: a worker prints into a pipe, and this reads it.

A process of its own, for a thread of the worker would wait for a step that holds the interpreter while its pipe is
full, and would take with it what was printed last when the worker is killed. It is forked from the worker before that
has begun anything, belongs to nobody else, and ends when the worker has.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from etude.execute.logs import LogFile
from etude.execute.orphans import LOG_PROCESS
from etude.redaction import Redactor

_CHUNK = 2**18
_LONGEST_PATH = 4096
_PATIENCE_S = 120.0
"""How long a worker waits for its log to be written; a file system may be away."""
_BEGIN, _END = b"B", b"E"


@dataclass(slots=True, kw_only=True)
class LogProcess:
    """The worker's side."""

    connection: socket.socket

    def begin(self, source: int, path: Path) -> None:
        socket.send_fds(self.connection, [_BEGIN + os.fsencode(path)], [source])
        self.connection.recv(1)

    def end(self) -> None:
        self.connection.send(_END)
        self.connection.recv(1)


def start_log_process(redact: Redactor) -> LogProcess:
    """Fork the process that writes the logs of this one."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            if os.fork() == 0:  # a child of nobody here: what a step waits for are its own children
                os.setsid()
                _serve_alone(theirs, redact)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs.close()
    ours.settimeout(_PATIENCE_S)
    return LogProcess(connection=ours)


def _serve_alone(connection: socket.socket, redact: Redactor) -> None:
    """Serve, holding nothing open that belongs to others."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    opened = Path("/proc/self/fd")
    for descriptor in [int(path.name) for path in opened.iterdir()] if opened.is_dir() else range(256):
        if descriptor not in (0, 1, 2, connection.fileno()):
            with contextlib.suppress(OSError):
                os.close(descriptor)
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(LOG_PROCESS, encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    _serve(connection, redact)


def _serve(connection: socket.socket, redact: Redactor) -> None:
    """Read the pipes that come over a connection into their logs, until the other side is gone."""
    selector = selectors.DefaultSelector()
    selector.register(connection, selectors.EVENT_READ)
    latest: int | None = None
    logs: dict[int, LogFile] = {}
    while True:
        for key, _ in selector.select():
            if key.fd != connection.fileno():
                if _read(key.fd, logs[key.fd]) == b"":  # nobody will print to it any more
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    logs.pop(key.fd).close()
                continue
            message, sources, _, _ = socket.recv_fds(connection, _LONGEST_PATH + 1, 1)
            if latest in logs:
                while _read(latest, logs[latest]):
                    pass
                logs[latest].close()
            if not message:
                return
            if message[:1] == _BEGIN:
                latest = sources[0]
                os.set_blocking(latest, False)
                logs[latest] = LogFile(path=Path(os.fsdecode(message[1:])), redact=redact)
                selector.register(latest, selectors.EVENT_READ)
            connection.send(b"k")


def _read(source: int, log: LogFile) -> bytes | None:
    """Take what is in a pipe now. None where nothing is; nothing where its other end is closed."""
    try:
        data = os.read(source, _CHUNK)
    except BlockingIOError:
        return None
    log.feed(data)
    return data
