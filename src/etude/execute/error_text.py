"""What went wrong with a node, in words: one line, and the traceback from the step's own first line on."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import TypeVar

from etude.errors import EtudeError

T = TypeVar("T")

_LONGEST_LINE = 300
_LONGEST_TRACE = 20_000


def result_or_error(act: Callable[[], T]) -> T | Exception:
    """What a call returns, or the error that it raises: for code that is not étude's own."""
    try:
        return act()
    except Exception as error:  # what is not étude's own may raise anything
        return error


def one_line(error: BaseException) -> str:
    """The kind of an error and the first line of what it says."""
    if isinstance(error, SystemExit):
        return f"the step left Python with SystemExit({error.code})"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full: {error}"
    kind = type(error).__name__
    text = result_or_error(partial(str, error))
    if isinstance(text, Exception):
        return f"{kind}, whose text cannot be had: {type(text).__name__}"
    lines = text.strip().splitlines()
    return f"{kind}: {lines[0][:_LONGEST_LINE]}" if lines else kind


def trace_below(error: BaseException, caller: CodeType) -> str:
    """The traceback of an error from the first frame that `caller` called, with the errors that led to it.

    Whole where `caller` is not among its frames, but empty for what étude itself refuses: there the message says all.
    It is cut in the middle where it is very long.
    """
    calls = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    below = len(calls) - calls[::-1].index(caller) if caller in calls else 0
    if below == 0 and isinstance(error, EtudeError):
        return ""
    told = traceback.TracebackException.from_exception(error, compact=True)
    del told.stack[:below]
    text = "".join(told.format())
    return text if len(text) <= _LONGEST_TRACE else f"{text[: _LONGEST_TRACE // 2]}\n…\n{text[-_LONGEST_TRACE // 2 :]}"
