"""What signals mean to a run: stop at a checkpoint; twice: stop now."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from etude.study.execution import Execution


@contextmanager
def stopping_on_interrupt(execution: Execution) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks the run to stop at its checkpoints, the second stops it now.

    A terminal that is closed (SIGHUP) asks once, however often it says so. What would be shown in it is not shown.
    """
    asked = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if number == signal.SIGHUP:
            _leave_terminal()
        elif asked:
            raise KeyboardInterrupt
        if not asked:
            asked = True
            execution.interrupt()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_terminal() -> None:
    """Write no more to a terminal that is gone: each attempt would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for file in (1, 2):
        if os.isatty(file) or not _writable(file):
            os.dup2(nowhere, file)
    os.close(nowhere)


def _writable(file: int) -> bool:
    try:
        os.write(file, b"")
    except OSError:
        return False
    return True
