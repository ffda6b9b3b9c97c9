"""What a step may change of its process and must not leave changed for the next one."""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn


def run_apart(act: Callable[[], Any]) -> Any:
    """Call a function so that the working folder, the import path and context variables are as before afterwards.

    Context variables hold among others the precision of decimals and NumPy's handling of floating-point errors. A
    process that the function forks and lets return, or leave with an error, ends here: it must not go on as a second
    worker.
    """
    process = os.getpid()
    try:
        with _places_kept():
            variables = contextvars.copy_context()
            variables.run(_copy_decimal_context)
            result = variables.run(act)
    except BaseException as error:
        if os.getpid() != process:
            _end_child(error)
        raise
    if os.getpid() != process:
        _end_child(None)
    return result


def _copy_decimal_context() -> None:
    decimal: Any = sys.modules.get("decimal")
    if decimal is not None:
        decimal.setcontext(decimal.getcontext().copy())  # it is changed in place


CALLED_FROM = run_apart.__code__
"""Of the last frame in a traceback before those of the function that `run_apart` calls."""


def _end_child(error: BaseException | None) -> NoReturn:
    """End a forked process as Python itself would."""
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.flush()
    os._exit(code & 0xFF)


@contextlib.contextmanager
def _places_kept() -> Iterator[None]:
    path = list(sys.path)
    folder = _folder()
    try:
        yield
    finally:
        sys.path[:] = path
        if folder is not None and _folder() != folder:
            with contextlib.suppress(OSError):
                os.chdir(folder)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # it was deleted
        return None
