"""CPU time of a tree of processes, from a folder like the kernel's: what moves between accounts is never lost."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from etude.meter.sources.processes import ProcessTree, busy_cpu_ns
from meter_fakes import CpuHand

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
TOP = 100


def show(proc: Path, pid: int, *, ticks: int = 0, reaped: int = 0, pages: int = 0, children: str = "") -> None:
    """A process with its CPU ticks, those of the children it has reaped, and its living children."""
    folder = proc / str(pid) / "task" / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    fields = f"{pid} (a) b) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 0 {reaped} 0 20 0 1 0 1"
    (proc / str(pid) / "stat").write_text(fields + "\n")
    (proc / str(pid) / "statm").write_text(f"{2 * pages} {pages} 0 0 0 0 0\n")
    (folder / "children").write_text(children)


def hide(proc: Path, pid: int) -> None:
    (proc / str(pid) / "stat").unlink()


def test_a_living_child_counts_from_the_scan_that_finds_it(proc: Path) -> None:
    tree = ProcessTree(TOP, proc=proc, own_ns=CpuHand())
    show(proc, TOP, children="101 ")
    show(proc, 101, ticks=7)
    tree.scan()
    assert tree.cpu_ns() == 7 * TICK_NS


def test_descendants_are_followed_all_the_way_down(proc: Path) -> None:
    tree = ProcessTree(TOP, proc=proc, own_ns=CpuHand())
    show(proc, TOP, children="101 102 ")
    show(proc, 101, ticks=1, children="103 ")
    show(proc, 102, ticks=2)
    show(proc, 103, ticks=4)
    tree.scan()
    assert tree.cpu_ns() == 7 * TICK_NS
    assert tree.pids == {TOP, 101, 102, 103}


def test_a_child_that_ends_between_scans_is_not_lost_and_not_counted_twice(proc: Path) -> None:
    cpu = CpuHand()
    tree = ProcessTree(TOP, proc=proc, own_ns=cpu)
    show(proc, TOP, children="101 ")
    show(proc, 101, ticks=7)
    tree.scan()
    show(proc, TOP)
    hide(proc, 101)
    cpu.reaped_ns = 9 * TICK_NS
    assert tree.cpu_ns() == 9 * TICK_NS


def test_a_child_that_ends_during_the_scan_is_not_counted_twice(proc: Path) -> None:
    reaped = iter([0, 0, 0, 9 * TICK_NS, 9 * TICK_NS, 9 * TICK_NS, 9 * TICK_NS])
    tree = ProcessTree(TOP, proc=proc, own_ns=lambda: (0, next(reaped)))
    show(proc, TOP, children="101 ")
    show(proc, 101, ticks=9)
    tree.scan()
    assert tree.cpu_ns() == 9 * TICK_NS
    show(proc, TOP)
    hide(proc, 101)
    assert tree.cpu_ns() == 9 * TICK_NS
    assert tree.cpu_ns() == 9 * TICK_NS


def test_what_a_grandchild_used_stays_with_the_child_that_reaped_it(proc: Path) -> None:
    tree = ProcessTree(TOP, proc=proc, own_ns=CpuHand())
    show(proc, TOP, children="101 ")
    show(proc, 101, ticks=1, reaped=5)
    tree.scan()
    assert tree.cpu_ns() == 6 * TICK_NS


def test_a_process_that_vanishes_during_a_scan_is_passed_over(proc: Path) -> None:
    tree = ProcessTree(TOP, proc=proc, own_ns=CpuHand())
    show(proc, TOP, children="101 102 ")
    show(proc, 102, ticks=2)
    tree.scan()
    assert tree.cpu_ns() == 2 * TICK_NS


def test_another_process_is_read_from_the_kernels_figures(proc: Path) -> None:
    show(proc, TOP, ticks=3, reaped=4)
    assert ProcessTree(TOP, proc=proc).cpu_ns() == 7 * TICK_NS


def test_the_memory_of_descendants_is_added_up(proc: Path) -> None:
    tree = ProcessTree(TOP, proc=proc, own_ns=CpuHand())
    show(proc, TOP, children="101 102 ")
    show(proc, 101, pages=10)
    show(proc, 102, pages=5)
    tree.scan()
    assert tree.children_bytes == 15 * os.sysconf("SC_PAGE_SIZE")


def test_pages_that_descendants_share_count_once_where_the_kernel_tells(proc: Path) -> None:
    tree = ProcessTree(TOP, proc=proc, own_ns=CpuHand())
    page = os.sysconf("SC_PAGE_SIZE")
    show(proc, TOP, pages=10, children="101 102 ")
    for pid in (101, 102):
        show(proc, pid, pages=10)
    for pid in (TOP, 101, 102):
        (proc / str(pid) / "smaps_rollup").write_text(
            f"5-6 ---p\nRss: 1 kB\nPss:   {4 * page // 1024} kB\nPss_Anon: 9 kB\n"
        )
    tree.scan()
    assert tree.shared_counts_once is False
    tree.look_at_memory()
    assert tree.shared_counts_once is True
    assert (tree.children_bytes, tree.own_shared_bytes) == (8 * page, 6 * page)


def test_what_no_proportional_size_is_told_of_counts_in_full(proc: Path) -> None:
    tree = ProcessTree(TOP, proc=proc, own_ns=CpuHand())
    show(proc, TOP, children="101 ")
    show(proc, 101, pages=10)
    tree.scan()
    tree.look_at_memory()
    assert tree.shared_counts_once is False
    assert tree.children_bytes == 10 * os.sysconf("SC_PAGE_SIZE")


@given(st.lists(st.tuples(st.sampled_from(["own", "child", "reap"]), st.integers(0, 50)), max_size=30))
def test_the_counter_never_falls(events: list[tuple[str, int]]) -> None:
    cpu = CpuHand()
    tree = ProcessTree(TOP, proc=Path("/nowhere-at-all"), own_ns=cpu)
    seen = [0]
    for kind, ticks in events:
        if kind == "own":
            cpu.own_ns += ticks
        elif kind == "child":
            tree._seen = {101: (ticks, 0)}, cpu.reaped_ns
        else:
            cpu.reaped_ns += ticks
        seen.append(tree.cpu_ns())
    assert seen == sorted(seen)


def test_the_machines_busy_time_leaves_out_idling_and_waiting(proc: Path) -> None:
    (proc / "stat").write_text("cpu  1 2 3 1000 500 4 5 600 0 0\ncpu0 9 9 9\n")
    assert busy_cpu_ns(proc) == (1 + 2 + 3 + 4 + 5) * TICK_NS


def test_a_machine_that_does_not_tell_has_no_busy_time(proc: Path) -> None:
    assert busy_cpu_ns(proc) is None


def test_this_process_has_used_cpu_time_and_shows_itself() -> None:
    tree = ProcessTree()
    before = tree.cpu_ns()
    sum(range(200_000))
    assert tree.cpu_ns() > before
    assert tree.shows(os.getpid())
