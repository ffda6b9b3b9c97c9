"""A breakpoint at a node, with what it reads and gives at hand."""

from __future__ import annotations

import sys
from bdb import BdbQuit
from collections.abc import Mapping


def open_debugger(moment: str, name: str, at_hand: Mapping[str, object]) -> None:
    """Open the debugger that `breakpoint()` opens (PYTHONBREAKPOINT is obeyed).

    The inputs stand in `inputs`, the settings in `settings` and, after the node, its result in `value`. To leave the
    debugger ends the run.
    """
    inputs = {key: item for key, item in at_hand.items() if key not in ("settings", "value")}
    settings, value = at_hand.get("settings"), at_hand.get("value")
    known = f"inputs: {', '.join(inputs) or 'none'}; settings" + ("; value" if moment == "after" else "")
    sys.stderr.write(f"\n{moment} node {name!r}. At hand: {known}. `c` goes on, `q` leaves.\n")
    try:
        breakpoint()
        del settings, value
    except BdbQuit:
        raise KeyboardInterrupt from None
