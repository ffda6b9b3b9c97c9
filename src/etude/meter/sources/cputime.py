"""The meter for machines without an energy counter: CPU time as the counter, watts per busy thread as its unit.

CPU time adds up over processes and windows and does not depend on how often it is read. What others do on the machine
moves it where work waits for memory: by a factor of 1.06 to 1.27 beside neighbours that use memory heavily. It gives
the *marginal* energy of computing: what an idle machine draws anyway is told beside it and never added, and memory,
board, fans and losses of the power supply are not in it.
"""

from __future__ import annotations

import os
from pathlib import Path

from etude.meter.sources.cpu_power import CpuPower
from etude.meter.sources.meter import Traits
from etude.meter.sources.processes import ProcessTree


class CpuTimeMeter:
    """Estimated energy of a process tree: its CPU nanoseconds times the watts of a busy thread."""

    __slots__ = ("_machine", "_power", "tree")

    def __init__(self, tree: ProcessTree, power: CpuPower) -> None:
        self.tree = tree
        self._power = power
        self._machine = machine_id()

    @property
    def traits(self) -> Traits:
        return Traits(
            component="cpu",
            source="cpu-time",
            device=f"process:{self._machine}:{self.tree.pid}",
            method=self._power.method,
            quality=self._power.quality,
            unit_j=self._power.watts_per_thread / 1e9,
            scope="process",
            may_rest=True,
            at_marks=True,
            factor=self._power.factor,
            idle_w=self._power.idle_w,
        )

    def read(self) -> int:
        return self.tree.cpu_ns()

    def close(self) -> None:
        """Nothing to let go of."""


def machine_id(boot_id: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """A text that two processes share if they run on one machine since one boot."""
    try:
        return boot_id.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return os.uname().nodename if hasattr(os, "uname") else "this machine"
