"""How the command line speaks: one console for what is asked for, one for everything else."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from etude.environment import variables

if TYPE_CHECKING:
    from rich.console import Console

    from etude.errors import EtudeError
    from etude.redaction import Redactor


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


def hidden() -> Redactor:
    """Takes the secrets of this process's environment out of what is told."""
    from etude.redaction import Redactor

    return Redactor.of(variables())


def escaped(text: str) -> str:
    """Text that stands in markup as it is."""
    from rich.markup import escape

    return escape(text)


def tell_refusal(error: OSError) -> None:
    """Show what the system refused: the reason, the file, and what can be done in the common cases."""
    import errno

    from rich.text import Text

    mends = {
        errno.ENOSPC: "free some space, or `etude gc`; then run the same command again",
        errno.EDQUOT: "free some space, or `etude gc`; then run the same command again",
        errno.EACCES: "check the permissions of this file and its folder",
        errno.EROFS: "the file system is read-only: choose another folder",
        errno.EMFILE: "raise the limit on open files: ulimit -n 4096",
    }
    text = hidden()(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    err().print(Text.assemble(("error ", "bold red"), text), soft_wrap=True)
    if error.errno in mends:
        err().print(Text(f"    → {mends[error.errno]}", style="green"))


def tell_error(error: EtudeError) -> None:
    """Show an error: every fault of a faulty study with its place, value, reason and mend."""
    from rich.text import Text

    from etude.errors import ConfigError, shown

    console = err()
    if not isinstance(error, ConfigError):
        console.print(Text.assemble(("error ", "bold red"), hidden()(str(error))), soft_wrap=True)
        return
    count = len(error.faults)
    console.print(Text(f"{count} fault{'s' if count > 1 else ''}; nothing was run or written", style="bold red"))
    for fault in error.faults:
        place = f"{fault.file}:{fault.line}" if fault.file and fault.line else fault.file
        head = Text("  ")
        if place:
            head.append(f"{place}  ", style="dim")
        if fault.path:
            head.append(f"{hidden()(fault.path)}  ", style="bold")
        console.print(head, soft_wrap=True)
        reason = Text(f"    {hidden()(fault.reason)}")
        if fault.value is not None:
            reason.append(f" (got {hidden()(shown(fault.value))})", style="yellow")
        console.print(reason, soft_wrap=True)
        if fault.mend:
            console.print(Text(f"    → {hidden()(fault.mend)}", style="green"), soft_wrap=True)
