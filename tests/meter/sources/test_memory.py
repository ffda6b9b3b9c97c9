from __future__ import annotations

import os
from array import array
from pathlib import Path
from types import SimpleNamespace

import pytest

from etude.meter.sources.memory import MemoryAccount, MemoryGauge
from etude.meter.sources.processes import ProcessTree
from meter_fakes import CpuHand

PID = 100


class Resident:
    """A process's memory in a folder like the kernel's, with a high-water mark that can be set back."""

    def __init__(self, proc: Path, *, settable: bool = True) -> None:
        self.folder = proc / str(PID)
        self.folder.mkdir()
        self.settable = settable
        if settable:
            (self.folder / "clear_refs").write_text("")
        self.now_kb = self.mark_kb = 0
        self.use(1000)

    def use(self, kilobytes: int) -> None:
        self.now_kb, self.mark_kb = kilobytes, max(self.mark(), kilobytes)
        (self.folder / "statm").write_text(f"0 {kilobytes} 0\n")
        (self.folder / "status").write_text(f"VmHWM:\t{self.mark_kb} kB\nVmRSS:\t{kilobytes} kB\n")

    def mark(self) -> int:
        if self.settable and (self.folder / "clear_refs").read_text():
            (self.folder / "clear_refs").write_text("")
            self.mark_kb = self.now_kb
        return self.mark_kb


def gauge(proc: Path, modules: dict[str, object] | None = None) -> MemoryGauge:
    return MemoryGauge(ProcessTree(PID, proc=proc, own_ns=CpuHand()), proc=proc, modules=modules or {}, page=1024)


def test_the_peak_is_that_of_the_work_and_not_of_what_came_before(proc: Path) -> None:
    memory = Resident(proc)
    memory.use(9000)
    memory.use(1000)
    watched = gauge(proc)
    account = watched.open()
    memory.use(3000)
    memory.use(2000)
    watched.close(account)
    assert account.peak_rss_bytes == 3000 * 1024
    assert (account.start_rss_bytes, account.end_rss_bytes) == (1000 * 1024, 2000 * 1024)


def test_work_inside_other_work_does_not_hide_the_outer_peak(proc: Path) -> None:
    memory, watched = Resident(proc), gauge(proc)
    outer = watched.open()
    memory.use(8000)
    memory.use(1000)
    inner = watched.open()
    memory.use(2000)
    watched.close(inner)
    watched.close(outer)
    assert (outer.peak_rss_bytes, inner.peak_rss_bytes) == (8000 * 1024, 2000 * 1024)


def test_where_the_mark_cannot_be_set_back_the_peak_is_sampled_and_labelled(proc: Path) -> None:
    memory = Resident(proc, settable=False)
    memory.use(9000)
    memory.use(1000)
    watched = gauge(proc)
    account = watched.open()
    memory.use(3000)
    watched.sample(5)
    memory.use(2000)
    watched.close(account)
    assert account.peak_rss_bytes == 3000 * 1024
    assert account.method == "sampled"


def test_a_mark_that_cannot_be_set_back_still_tells_a_new_record(proc: Path) -> None:
    memory, watched = Resident(proc, settable=False), gauge(proc)
    account = watched.open()
    memory.use(30_000)
    memory.use(1000)
    watched.close(account)
    assert account.peak_rss_bytes == 30_000 * 1024


def test_the_timeline_has_few_points_and_keeps_the_peaks(proc: Path) -> None:
    memory, watched = Resident(proc), gauge(proc)
    account = watched.open()
    for second in range(200):
        memory.use(5000 if second == 137 else 1000)
        watched.sample(second * 1_000_000_000)
    told = account.timeline(0)
    assert len(told) <= 32
    assert max(most for _, most in told) == 5000 * 1024


class FakeCuda:
    """torch.cuda, as far as it is asked."""

    def __init__(self, *, initialized: bool = True) -> None:
        self.initialized = initialized
        self.peaks = {0: 100, 1: 200}
        self.fault: Exception | None = None

    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        if self.fault:
            raise self.fault
        return 2

    def max_memory_allocated(self, index: int) -> int:
        return self.peaks[index]

    def max_memory_reserved(self, index: int) -> int:
        return 2 * self.peaks[index]

    def reset_peak_memory_stats(self, index: int) -> None:
        self.peaks[index] = 0


def test_torchs_peaks_are_those_of_the_work(proc: Path) -> None:
    Resident(proc)
    cuda = FakeCuda()
    watched = gauge(proc, {"torch": SimpleNamespace(cuda=cuda)})
    account = watched.open()
    cuda.peaks[0] = 50
    watched.close(account)
    assert account.devices["cuda:0"].allocated_bytes == 50
    assert account.devices["cuda:0"].reserved_bytes == 100
    assert account.devices["cuda:1"].allocated_bytes == 0


def test_torch_that_is_loaded_but_uses_no_device_is_not_woken(proc: Path) -> None:
    Resident(proc)
    watched = gauge(proc, {"torch": SimpleNamespace(cuda=FakeCuda(initialized=False))})
    account = watched.open()
    watched.close(account)
    assert account.devices == {}


def test_a_lost_device_does_not_fail_the_work(proc: Path) -> None:
    Resident(proc)
    cuda = FakeCuda()
    watched = gauge(proc, {"torch": SimpleNamespace(cuda=cuda)})
    account = watched.open()
    cuda.fault = RuntimeError("CUDA error: device lost")
    watched.close(account)
    assert account.peak_rss_bytes == 1000 * 1024


def test_this_process_has_a_peak_by_the_kernel() -> None:
    watched = MemoryGauge(ProcessTree())
    account = watched.open()
    block = bytearray(40_000_000)
    del block
    watched.close(account)
    assert account.peak_rss_bytes is not None
    assert account.start_rss_bytes is not None
    assert account.peak_rss_bytes >= account.start_rss_bytes


def test_the_peak_between_two_moments_is_that_of_the_samples_between_them() -> None:
    account = MemoryAccount(ns=array("q", [10, 20, 30, 40]), rss_bytes=array("q", [5, 9, 7, 8]))
    assert account.peak_between(25, 40) == 8
    assert account.peak_between(10, 30) == 9
    assert account.peak_between(11, 19) is None


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="this kernel tells no proportional sizes")
def test_forked_children_that_share_a_block_have_it_once() -> None:
    block = bytearray(b"x" * 100_000_000)
    tree = ProcessTree()
    watched = MemoryGauge(tree)
    account = watched.open()
    go, done = os.pipe(), []
    for _ in range(4):
        if (pid := os.fork()) == 0:
            os.close(go[1])
            os.read(go[0], 1)
            os._exit(len(block) % 2)
        done.append(pid)
    tree.scan()
    tree.look_at_memory()
    watched.sample(1)
    os.close(go[1])
    for pid in done:
        os.waitpid(pid, 0)
    os.close(go[0])
    watched.close(account)
    assert account.rss_bytes[0] < (account.start_rss_bytes or 0) + 100_000_000
    assert "shared pages counted once (PSS)" in account.method


def test_without_descendants_nothing_is_said_of_shared_pages(proc: Path) -> None:
    Resident(proc)
    watched = gauge(proc)
    account = watched.open()
    watched.sample(1)
    watched.close(account)
    assert account.method == "high-water mark of the kernel"


def test_a_command_of_which_no_process_was_seen_has_no_memory_rather_than_none_at_all(proc: Path) -> None:
    Resident(proc)
    tree = ProcessTree(PID, proc=proc, own_ns=CpuHand())
    watched = MemoryGauge(tree, proc=proc, own=False)
    account = watched.open()
    watched.sample(1)
    watched.close(account)
    assert account.peak_rss_bytes is None
