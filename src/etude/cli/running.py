"""Runs a prepared study with its progress on show, and with Ctrl-C meaning: stop at a checkpoint; twice: stop now."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

from etude.cli.progress import LiveProgress
from etude.cli.tell import err

if TYPE_CHECKING:
    from etude.cli.searching import SearchProgress
    from etude.execute.events import Event, Tell
    from etude.search.driver import Observe
    from etude.study.execution import Conductor, Execution, Result
    from etude.study.prepare import Options, Prepared


def run_shown(
    prepared: Prepared, options: Options, also: Tell | None = None, conductor: Conductor | None = None
) -> Result:
    """Run what is to be done, showing how it goes; who else listens hears of each event as well."""
    from etude.study.execution import Execution

    moving = options.pause is None
    progress: LiveProgress | SearchProgress = LiveProgress(err(), moving=moving)
    observe: Observe = lambda _event, _history: None  # noqa: E731
    if prepared.searches and prepared.search is not None:
        from etude.cli.searching import SearchProgress

        progress = SearchProgress(err(), prepared.search.search, moving=moving)
        observe = progress.observe
    try:
        with progress:
            execution = Execution(prepared, options, _both(progress, also), conductor, observe)
            with stopping_on_interrupt(execution) if options.pause is None else nullcontext():
                return execution.run()
    except KeyboardInterrupt:
        err().print("[yellow]stopped now[/]; what was done is kept: run the same command again to go on")
        raise


def _both(first: Tell, second: Tell | None) -> Tell:
    def tell(event: Event) -> None:
        first(event)
        if second is not None:
            second(event)

    return tell


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
