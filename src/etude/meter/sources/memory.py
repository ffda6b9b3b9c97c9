"""Memory of a piece of work: the kernel's own high-water mark, a timeline of what was resident, and torch's peaks.

They are different numbers and stay apart: *resident* is what the kernel keeps in RAM for the process (shared libraries
included); *allocated* is what torch's tensors hold on a device; *reserved* is what torch's allocator keeps of it.
"""

from __future__ import annotations

import os
import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.meter.sources.processes import PROC, ProcessTree, kernel_text

_TIMELINE_POINTS = 32
_KERNEL = "high-water mark of the kernel"
_SAMPLED = "sampled"
_OTHERS = "all processes together, sampled"
_ONCE = "shared pages counted once (PSS)"
_IN_EACH = "shared pages counted in each process (RSS)"


@dataclass(slots=True, kw_only=True)
class DevicePeak:
    """Peaks of torch's allocator on one device."""

    allocated_bytes: int = 0
    reserved_bytes: int = 0


@dataclass(slots=True, kw_only=True)
class MemoryAccount:
    """Memory while one piece of work was measured."""

    start_rss_bytes: int | None = None
    end_rss_bytes: int | None = None
    own_peak_bytes: int | None = None
    """The process's own peak."""
    method: str = ""
    """How the peak was got."""
    ns: array[int] = field(default_factory=lambda: array("q"))
    rss_bytes: array[int] = field(default_factory=lambda: array("q"))
    """Resident memory of the process and its descendants at those moments."""
    devices: dict[str, DevicePeak] = field(default_factory=dict)
    _mark_bytes: int | None = None
    _once: bool | None = None
    """Whether shared pages counted once wherever descendants were seen; None where none were."""

    @property
    def peak_rss_bytes(self) -> int | None:
        """The most that was resident, descendants included as far as they were seen."""
        seen = [*self.rss_bytes, *(own for own in (self.own_peak_bytes,) if own is not None)]
        return max(seen, default=None)

    def timeline(self, start_ns: int) -> list[list[float]]:
        """[seconds since the start, most bytes since the point before], at most 32 of them."""
        count = len(self.ns)
        step = max(1, -(-count // _TIMELINE_POINTS))
        points = []
        for at in range(0, count, step):
            last = min(at + step, count) - 1
            seconds = max(0.0, round((self.ns[last] - start_ns) / 1e9, 3))
            points.append([seconds, float(max(self.rss_bytes[at : at + step]))])
        return points

    def peak_between(self, start_ns: int, end_ns: int) -> int | None:
        """The most that was resident at the samples between two moments; None where there is none."""
        first, last = bisect_left(self.ns, start_ns), bisect_right(self.ns, end_ns)
        return max(self.rss_bytes[first:last], default=None)

    def saw(self, bytes_: int | None) -> None:
        """Take a reading of the process's own high-water mark into account."""
        if bytes_ is not None:
            self.own_peak_bytes = max(bytes_, self.own_peak_bytes or 0)


class MemoryGauge:
    """Reads the memory of this process, for any number of accounts open at once."""

    __slots__ = ("_modules", "_open", "_own", "_page", "_proc", "_tree")

    def __init__(
        self,
        tree: ProcessTree,
        *,
        proc: Path = PROC,
        modules: Mapping[str, Any] | None = None,
        page: int | None = None,
        own: bool = True,
    ) -> None:
        """Sampler this process.

        Args:
            tree: The process and its descendants.
            proc: Where the kernel shows processes.
            modules: Where to look for torch once it is loaded; None for `sys.modules`. It is never imported.
            page: Bytes in a page; None for the machine's.
            own: Whether the process itself counts; False for its descendants alone.
        """
        self._tree = tree
        self._proc = proc / "self" if proc == PROC else proc / str(tree.pid)
        self._modules = sys.modules if modules is None else modules
        self._page = page or (os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096)
        self._own = own
        self._open: list[MemoryAccount] = []

    def open(self) -> MemoryAccount:
        """Begin an account. The kernel's mark is set back to what is resident now; open accounts keep what they saw."""
        if self._open:
            self._fold(self._status()[1])
        account = MemoryAccount(start_rss_bytes=self._rss() if self._own else None, method=_KERNEL)
        if not self._own:
            account.method = _OTHERS
        elif not self._set_back():
            account.method = _SAMPLED
            account._mark_bytes = self._status()[1] or 0
        self._fold_devices(set_back=True)
        self._open.append(account)
        return account

    def sample(self, now_ns: int) -> None:
        """Take a point of the timeline for every open account."""
        resident = self._rss()
        if resident is None:
            return
        once = self._tree.shared_counts_once
        if once is None and not self._own:
            return  # no process of the command was seen: that is not 0 bytes
        if once is not None:
            resident += self._tree.children_bytes - (self._tree.own_shared_bytes if self._own else 0)
        for account in self._open:
            if once is not None:
                account._once = once and account._once is not False
            account.ns.append(now_ns)
            account.rss_bytes.append(resident)

    def close(self, account: MemoryAccount) -> None:
        """End an account."""
        resident, mark = self._status()
        self._fold(mark)
        account.end_rss_bytes = resident if self._own else None
        self._fold_devices(set_back=False)
        account.saw(account.start_rss_bytes)
        account.saw(account.end_rss_bytes)
        if account._once is not None:
            together = "; with its descendants as sampled" if self._own else ""
            account.method += f"{together}, {_ONCE if account._once else _IN_EACH}"
        self._open.remove(account)

    def _fold(self, mark: int | None) -> None:
        for account in self._open:
            if account._mark_bytes is None or (mark or 0) > account._mark_bytes:
                account.saw(mark)

    def _rss(self) -> int | None:
        if not self._own:
            return 0
        try:
            return int(kernel_text(f"{self._proc}/statm").split()[1]) * self._page
        except (OSError, ValueError, IndexError):
            return _rss_by_psutil(self._tree.pid) if not self._proc.is_dir() else None

    def _status(self) -> tuple[int | None, int | None]:
        """Resident bytes now, and the most since the mark was last set back."""
        if not self._own:
            return 0, None
        try:
            text = kernel_text(f"{self._proc}/status")
        except OSError:
            return self._rss(), None
        found = {key: int(kilobytes) * 1024 for key, kilobytes in re.findall(rb"(VmHWM|VmRSS):\s*(\d+) kB", text)}
        return found.get(b"VmRSS"), found.get(b"VmHWM")

    def _set_back(self) -> bool:
        """Set the kernel's high-water mark to what is resident now (Linux 4.0, proc(5), clear_refs)."""
        try:
            file = os.open(f"{self._proc}/clear_refs", os.O_WRONLY)
        except OSError:
            return False
        try:
            return os.write(file, b"5") == 1
        except OSError:
            return False
        finally:
            os.close(file)

    def _fold_devices(self, *, set_back: bool) -> None:
        cuda = getattr(self._modules.get("torch"), "cuda", None)
        if cuda is None or not cuda.is_initialized():
            return
        # A device that was lost must not take the measured work down with it: its peaks are then simply not told.
        with suppress(RuntimeError):
            for index in range(cuda.device_count()):
                allocated, reserved = cuda.max_memory_allocated(index), cuda.max_memory_reserved(index)
                for account in self._open:
                    peak = account.devices.setdefault(f"cuda:{index}", DevicePeak())
                    peak.allocated_bytes = max(peak.allocated_bytes, allocated)
                    peak.reserved_bytes = max(peak.reserved_bytes, reserved)
                if set_back:
                    cuda.reset_peak_memory_stats(index)


def _rss_by_psutil(pid: int) -> int | None:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
