"""What a driver and its workers on a cluster tell each other through the file system that they share.

Two kinds of files, both only ever appended to, so that a reader sees whole lines and an open file is enough to see the
latest: the driver's orders, and one file of news per worker. The time at which the driver last touched its orders tells
whether it lives.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

STOP = "*"
"""Stands for all nodes in an order to stop."""


@dataclass(slots=True, kw_only=True)
class Tail:
    """Reads what was appended to a file since the last look."""

    path: Path
    _offset: int = 0

    def lines(self) -> list[bytes]:
        """The whole lines that are new; none where the file is not there."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            data = os.pread(handle, 2**20, self._offset)
        except OSError:  # the file was replaced on its server, or the server is away: the next look will tell
            return []
        finally:
            os.close(handle)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines()


def append(path: Path, line: Mapping[str, object]) -> None:
    """Append one line to a file, in a single write."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, orjson.dumps(line) + b"\n")
    finally:
        os.close(handle)


@dataclass(slots=True, kw_only=True)
class Mailbox:
    """The driver's side."""

    folder: Path
    _tails: dict[str, Tail] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def open(self) -> None:
        """Make the folder. Only its owner may read it."""
        (self.folder / "news").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        append(self.orders, {"opened": time.time()})

    @property
    def orders(self) -> Path:
        return orders_file(self.folder)

    def order_stop(self, ticket: str = STOP) -> None:
        """Ask a step, or all of them, to stop at the next checkpoint."""
        append(self.orders, {"stop": ticket})

    def order_cancel(self, ticket: str, reason: str) -> None:
        """Have the process of one attempt killed."""
        append(self.orders, {"cancel": ticket, "reason": reason})

    def order_leave(self, job: str) -> None:
        """Have a pilot end, once nothing runs in it. `<pool>.<block>` names it."""
        append(self.orders, {"leave": job})

    def beat(self) -> None:
        """Show that the driver lives."""
        with contextlib.suppress(OSError):  # workers wait for a while before they take it for dead
            os.utime(self.orders)

    def news(self) -> Iterator[dict[str, object]]:
        """What workers have told since the last look."""
        with contextlib.suppress(OSError), os.scandir(self.folder / "news") as entries:
            for entry in entries:
                size = entry.stat().st_size
                if size != self._sizes.get(entry.name):
                    self._sizes[entry.name] = size
                    tail = self._tails.setdefault(entry.name, Tail(path=Path(entry.path)))
                    while lines := tail.lines():
                        yield from _whole(lines)


def _whole(lines: list[bytes]) -> Iterator[dict[str, object]]:
    for line in lines:
        with contextlib.suppress(orjson.JSONDecodeError):  # a file system may show a hole where a write is under way
            yield orjson.loads(line)


@dataclass(slots=True, kw_only=True)
class Orders:
    """A worker's side: what the driver wants of it."""

    folder: Path
    _tail: Tail | None = None
    _stopped: set[str] = field(default_factory=set)
    _leaving: set[str] = field(default_factory=set)
    _cancelled: dict[str, str] = field(default_factory=dict)

    def look(self) -> None:
        """Take in what is new."""
        if self._tail is None:
            self._tail = Tail(path=orders_file(self.folder))
        for line in self._tail.lines():
            order = orjson.loads(line)
            if "stop" in order:
                self._stopped.add(order["stop"])
            elif "cancel" in order:
                self._cancelled[order["cancel"]] = order["reason"]
            elif "leave" in order:
                self._leaving.add(order["leave"])

    def stops(self, ticket: str) -> bool:
        """Whether the driver wants this attempt to stop at its next checkpoint."""
        return STOP in self._stopped or ticket in self._stopped

    def leaves(self, job: str) -> bool:
        """Whether the driver wants a pilot to end."""
        return job in self._leaving

    def cancels(self, ticket: str) -> str | None:
        """Why the driver wants this attempt killed; None where it does not."""
        return self._cancelled.get(ticket)


def tell_news(folder: Path, **what: object) -> None:
    """Tell the driver something. What cannot be told is no loss: it sees by other means, later."""
    host = socket.gethostname()
    with contextlib.suppress(OSError):
        append(folder / "news" / f"{host}-{os.getpid()}.log", {"host": host, **what})


def orders_file(folder: Path) -> Path:
    """The file of a driver's orders."""
    return folder / "orders.log"


def silence_s(folder: Path, now: Callable[[], float] = time.time) -> float:
    """Seconds since the driver last showed that it lives; endless where its orders are gone."""
    try:
        return now() - orders_file(folder).stat().st_mtime
    except FileNotFoundError:
        return float("inf")
    except OSError:  # the file system is away for a moment: that says nothing of the driver
        return 0.0
