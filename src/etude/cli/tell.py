"""How the command line speaks: one console for what is asked for, one for everything else."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from etude.errors import EtudeError


@cache
def out() -> Console:
    """Where results go: standard output."""
    from rich.console import Console

    return Console(highlight=False)


@cache
def err() -> Console:
    """Where progress and errors go: standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def tell_error(error: EtudeError) -> None:
    """Show an error: every fault of a faulty study with its place, value, reason and mend."""
    from rich.text import Text

    from etude.errors import ConfigError, shown

    console = err()
    if not isinstance(error, ConfigError):
        console.print(Text.assemble(("error ", "bold red"), str(error)), soft_wrap=True)
        return
    count = len(error.faults)
    console.print(Text(f"{count} fault{'s' if count > 1 else ''}; nothing was run or written", style="bold red"))
    for fault in error.faults:
        place = f"{fault.file}:{fault.line}" if fault.file and fault.line else fault.file
        head = Text("  ")
        if place:
            head.append(f"{place}  ", style="dim")
        if fault.path:
            head.append(f"{fault.path}  ", style="bold")
        console.print(head, soft_wrap=True)
        reason = Text(f"    {fault.reason}")
        if fault.value is not None:
            reason.append(f" (got {shown(fault.value)})", style="yellow")
        console.print(reason, soft_wrap=True)
        if fault.mend:
            console.print(Text(f"    → {fault.mend}", style="green"), soft_wrap=True)
