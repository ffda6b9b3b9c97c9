"""Which functions a step enters, at next to no cost: to be compared with those that its symbol map knows.

On Python 3.12 and later `sys.monitoring` tells each function once, in all threads. Before that, `cProfile` counts the
calls of the step's own thread for a bounded stretch: about 0.4 µs a call, so it is ended when it has cost more than
`ALLOWED_S` and a hundredth of the time that has gone by.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from types import CodeType
from typing import Any

ALLOWED_S = 0.05
"""What looking may cost in one process for one version of a step's code, besides the share below."""
SHARE = 0.01
CALL_S = 0.4e-6
"""What a call costs more while it is counted."""
FIRST_LOOK_S = 0.05

_spent_s: dict[str, float] = {}
"""Code → what looking has cost in this process, seconds."""
_ran_s: dict[str, float] = {}
"""Code → how long its steps have run in this process, seconds."""


def may_look(code: str, *, opaque: bool) -> bool:
    """Whether to look at a node: the first of its code, and others as long as that costs little, if code is hidden."""
    if code not in _spent_s:
        return True
    return opaque and _spent_s[code] < ALLOWED_S + SHARE * _ran_s.get(code, 0.0)


class FunctionTracer:
    """Looks at one call of a step."""

    __slots__ = ("_began", "_code", "_looking", "_looks", "_opaque")

    def __init__(self, code: str, *, opaque: bool) -> None:
        self._code = code
        self._opaque = opaque
        self._looking: Any = None

    def start(self) -> None:
        """Begin, where it is worth it."""
        self._began = time.perf_counter()
        if may_look(self._code, opaque=self._opaque):
            self._looking = _Monitor() if sys.version_info >= (3, 12) else _profile()

    def stop(self) -> Collection[CodeType]:
        """The code of the functions entered; none where nobody looked."""
        now = time.perf_counter() - self._began
        if self._opaque:
            _ran_s[self._code] = _ran_s.get(self._code, 0.0) + now
        if self._looking is None:
            return ()
        found: Collection[CodeType]
        found, spent_s = self._looking.stop()
        _spent_s[self._code] = _spent_s.get(self._code, 0.0) + spent_s
        return found


def _profile() -> _Profile | None:
    return _Profile() if sys.getprofile() is None and _minder.is_ready() else None


class _Profile:
    """Counts the calls of this thread until it has cost too much."""

    def __init__(self) -> None:
        import cProfile

        self._profiler: Any = cProfile.Profile(builtins=False)
        self._began = time.perf_counter()
        self.due_s = self._began + FIRST_LOOK_S
        self._running = True
        _minder.mind(self)
        self._profiler.enable()

    def stop(self) -> tuple[Collection[CodeType], float]:
        if self._running:
            self._running = False
            self._profiler.disable()
        _minder.leave(self)
        entries = self._profiler.getstats()
        calls = sum(entry.callcount for entry in entries)
        return {entry.code for entry in entries if isinstance(entry.code, CodeType)}, calls * CALL_S

    def look(self) -> None:
        """Go on as long as it costs little. Runs in the main thread, between two of its instructions."""
        if not self._running:
            return
        self._profiler.disable()
        now = time.perf_counter()
        cost = sum(entry.callcount for entry in self._profiler.getstats()) * CALL_S
        if cost > max(ALLOWED_S / 4, SHARE * (now - self._began)):
            self._running = False
            _minder.leave(self)
            return
        self.due_s = now + (now - self._began)
        self._profiler.enable()


class _Minder:
    """Has a profile looked at when it is due: a thread that sleeps, and tells the main thread.

    It does so by a signal that is never sent: Python is told as if it had come, and runs the handler when the main
    thread can be interrupted. Profiles of other threads are not minded, and so not made.
    """

    def __init__(self) -> None:
        self._minded: _Profile | None = None
        self._wake = threading.Event()
        self._signal = 0
        self._pid = 0

    def is_ready(self) -> bool:
        """Whether a profile of this thread can be minded."""
        if threading.current_thread() is not threading.main_thread():
            return False
        if not self._signal or signal.getsignal(self._signal) != self._look:
            self._signal = self._free_signal()
        if self._signal and self._pid != os.getpid():
            self._pid = os.getpid()
            threading.Thread(target=self._mind, name="etude-tracer", daemon=True).start()
        return bool(self._signal)

    def mind(self, profile: _Profile) -> None:
        """Have a profile looked at."""
        self._minded = profile
        self._wake.set()

    def leave(self, profile: _Profile) -> None:
        """It is over."""
        if self._minded is profile:
            self._minded = None

    def _mind(self) -> None:
        interrupt: Callable[[int], None] = _thread.interrupt_main  # type: ignore[assignment]  # any signal's number
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._minded is not None:
                time.sleep(FIRST_LOOK_S)
                minded = self._minded
                if minded is not None and time.perf_counter() >= minded.due_s:
                    minded.due_s = float("inf")
                    interrupt(self._signal)

    def _look(self, _number: int, _frame: object) -> None:
        if self._minded is not None:
            self._minded.look()

    def _free_signal(self) -> int:
        if not hasattr(signal, "SIGRTMAX"):  # as on macOS
            return 0
        for number in range(int(signal.SIGRTMAX) - 2, int(signal.SIGRTMIN) + 2, -1):
            with contextlib.suppress(ValueError, OSError):
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, self._look)
                    return number
        return 0


_minder = _Minder()


class _Monitor:
    """`sys.monitoring`: each function tells once that it is entered, in any thread, and is silent from then on."""

    TOOL = 4

    def __init__(self) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._monitoring = monitoring
        self._found: set[CodeType] = set()
        self._on = False
        if monitoring.get_tool(self.TOOL) is None:
            monitoring.use_tool_id(self.TOOL, "etude")
            monitoring.register_callback(self.TOOL, monitoring.events.PY_START, self._tracer)
            monitoring.set_events(self.TOOL, monitoring.events.PY_START)
            monitoring.restart_events()
            self._on = True

    def _tracer(self, code: CodeType, _offset: int) -> Any:
        self._found.add(code)
        return self._monitoring.DISABLE

    def stop(self) -> tuple[Collection[CodeType], float]:
        if self._on:
            self._monitoring.set_events(self.TOOL, 0)
            self._monitoring.register_callback(self.TOOL, self._monitoring.events.PY_START, None)
            self._monitoring.free_tool_id(self.TOOL)
        return self._found, len(self._found) * CALL_S
