"""What running a node took: wall and CPU time, and peak memory of the process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@contextmanager
def measured() -> Iterator[dict[str, float | int | None]]:
    """Measure a block. The mapping is filled in when the block ends, however it ends.

    `wall_s` and `cpu_s` (user and system, children that were waited for included) are in seconds; `peak_rss_bytes` is
    the highest resident size of this process during the block, None where the system does not tell it.
    """
    cost: dict[str, float | int | None] = {}
    resettable = _reset_peak()
    wall, cpu = time.perf_counter(), _cpu_s()
    try:
        yield cost
    finally:
        cost["wall_s"] = time.perf_counter() - wall
        cost["cpu_s"] = _cpu_s() - cpu
        cost["peak_rss_bytes"] = _peak_rss_bytes() if resettable else None


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _reset_peak() -> bool:
    with suppress(OSError):
        descriptor = os.open(_CLEAR, os.O_WRONLY)
        try:
            os.write(descriptor, b"5")
        finally:
            os.close(descriptor)
        return True
    return False


def _peak_rss_bytes() -> int | None:
    with suppress(OSError):
        for line in _STATUS.read_bytes().splitlines():
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
