"""How the command line speaks: one console for what is asked for, one for everything else."""

from __future__ import annotations

import errno
import sys
from functools import cache
from typing import TYPE_CHECKING

from etude.environment import variables
from etude.errors import ConfigError, EtudeError, value_text
from etude.redaction import Redactor

if TYPE_CHECKING:
    from rich.console import Console

MENDS = {
    errno.ENOSPC: "free some space, or `etude gc`; then run the same command again",
    errno.EDQUOT: "free some space, or `etude gc`; then run the same command again",
    errno.EACCES: "check the permissions of this file and its folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EMFILE: "raise the limit on open files: ulimit -n 4096",
}
"""What can be done about what the system refuses, in the common cases."""


@cache
def out() -> Console:
    """Where results go: standard output."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def err() -> Console:
    """Where progress and errors go: the process's own standard error, while a step's output goes to its log."""
    from rich.console import Console

    return Console(file=sys.__stderr__, stderr=True, highlight=False)


def redactor() -> Redactor:
    """Takes the secrets of this process's environment out of what is told."""
    return Redactor.of(variables())


def escape(value: object) -> str:
    """Text that stands in markup as it is."""
    from rich.markup import escape

    return escape(str(value))


def print_refusal(error: OSError) -> None:
    """Show what the system refused: the reason, the file, and what can be done in the common cases."""
    from rich.text import Text

    text = redactor()(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    err().print(Text.assemble(("error ", "bold red"), text), soft_wrap=True)
    if error.errno in MENDS:
        err().print(Text(f"    → {MENDS[error.errno]}", style="green"))


def print_error(error: EtudeError) -> None:
    """Show an error: every fault of a faulty study with its place, value, reason and mend."""
    from rich.text import Text

    redact, console = redactor(), err()
    if not isinstance(error, ConfigError):
        console.print(Text.assemble(("error ", "bold red"), redact(str(error))), soft_wrap=True)
        return
    count = len(error.faults)
    console.print(Text(f"{count} fault{'s' if count > 1 else ''}; nothing was run or written", style="bold red"))
    for fault in error.faults:
        place = f"{fault.file}:{fault.line}" if fault.file and fault.line else fault.file
        head = Text("  ")
        if place:
            head.append(f"{place}  ", style="dim")
        if fault.path:
            head.append(f"{redact(fault.path)}  ", style="bold")
        console.print(head, soft_wrap=True)
        reason = Text(f"    {redact(fault.reason)}")
        if fault.value is not None:
            reason.append(f" (got {redact(value_text(fault.value))})", style="yellow")
        console.print(reason, soft_wrap=True)
        if fault.mend:
            console.print(Text(f"    → {redact(fault.mend)}", style="green"), soft_wrap=True)
