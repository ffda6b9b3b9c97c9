"""Measure any command: what `etude meter -- COMMAND` does, as a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etude.errors import MeterError
from etude.meter.accounting.carbon import Footprint
from etude.meter.accounting.cost import Cost
from etude.meter.discovery import Discovery, discover
from etude.meter.launch import Launch, launch
from etude.meter.measure import measure
from etude.meter.sampling.sampler import Sampler
from etude.meter.sources.clock import SYSTEM_CLOCK, Clock
from etude.meter.sources.memory import MemoryGauge
from etude.meter.sources.processes import ProcessTree, children_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandCost:
    """What a command cost, and how it ended."""

    argv: tuple[str, ...]
    returncode: int
    """As the shell tells it; the negative of a signal's number if one ended it."""
    cost: Cost


def measure_command(
    argv: Sequence[str],
    *,
    discovery: Discovery | None = None,
    footprint: Footprint | None = None,
    aligned: bool = False,
    cwd: Path | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> CommandCost:
    """Run a command with our standard streams, wait for it, and tell what it and its descendants cost.

    CPU time is the command's and that of all descendants that it waited for, exact to the microsecond; memory is the
    most that they had resident together when looked at ten times a second, and at least the largest one's own peak. Of
    a machine's counters, the command's part is by CPU time. What it started and left running is not in it.

    Args:
        argv: The command and its arguments.
        discovery: The meters, from a `discover(tree=command_tree())`; None to look for them.
        footprint: How energy becomes carbon.
        aligned: Wait for two ticks of slow counters before and after.
        cwd: The folder to run in.
        clock: Tells the time.

    Raises:
        MeterError: The command cannot be run at all.
    """
    if not argv:
        raise MeterError("no command was given: write it after `--`")
    discovery = discovery or discover(tree=command_tree(), clock=clock)
    sampler = Sampler(
        discovery.meters,
        beside=discovery.beside,
        absent=discovery.absent,
        clock=clock,
        tree=discovery.tree,
        memory=MemoryGauge(discovery.tree, own=False),
    )
    try:
        with launch(argv, cwd=cwd) as command, measure(sampler, aligned=aligned, footprint=footprint) as measured:
            command.go()
            returncode, peak = _ended(command)
            measured.saw_resident(peak)
    finally:
        sampler.stop()
    return CommandCost(argv=tuple(argv), returncode=returncode, cost=measured.cost())


def command_tree() -> ProcessTree:
    """The descendants of this process without the process itself."""
    return ProcessTree(own_ns=children_ns)


def _ended(command: Launch) -> tuple[int, int | None]:
    while True:
        try:
            return command.wait()
        except KeyboardInterrupt:
            # The command got the interrupt as well; it decides what becomes of it, and we tell what it cost.
            continue
