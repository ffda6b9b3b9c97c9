"""Time as a driver sees it: it waits for news no longer than it wants, and simulations can pass hours in a blink."""

from __future__ import annotations

import queue
import time
from typing import Any, Protocol

Inbox = queue.SimpleQueue[Any]


class SearchClock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def wait(self, inbox: Inbox, until: float) -> Any:
        """The next message, or None when the time has come."""
        ...


class RealClock:
    """The clock of this machine."""

    def now(self) -> float:
        return time.monotonic()

    def wait(self, inbox: Inbox, until: float) -> Any:
        try:
            return inbox.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None
