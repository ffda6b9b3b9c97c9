from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etude.meter.sampling.windows import RUN, CpuTime, Segment, Windows, cpu_times, segments


def marked(*marks: tuple[str, int, int, int]) -> Windows:
    """Windows from (name, parent, start, end); the marks happen in the order of time."""
    windows = Windows()
    order = sorted(
        [(start, 1, index) for index, (_, _, start, _) in enumerate(marks)]
        + [(end, 0, index) for index, (_, _, _, end) in enumerate(marks)]
    )
    for ns, begins, index in order:
        name, parent, _, _ = marks[index]
        if begins:
            assert windows.begin(name, parent, ns, ns) == index
        else:
            windows.end(index, ns, ns)
    return windows


def test_a_run_without_windows_is_one_piece_of_its_own() -> None:
    assert segments(Windows(), 0, 100) == [Segment(start_ns=0, end_ns=100, owners=(RUN,))]


def test_the_innermost_window_owns_a_piece() -> None:
    windows = marked(("batch", RUN, 10, 90), ("prefill", 0, 20, 40), ("decode", 0, 40, 80))
    assert [(piece.start_ns, piece.end_ns, piece.owners) for piece in segments(windows, 0, 100)] == [
        (0, 10, (RUN,)),
        (10, 20, (0,)),
        (20, 40, (1,)),
        (40, 80, (2,)),
        (80, 90, (0,)),
        (90, 100, (RUN,)),
    ]


def test_windows_that_overlap_without_nesting_own_their_common_piece_together() -> None:
    windows = marked(("a", RUN, 10, 50), ("b", RUN, 30, 70))
    assert [piece.owners for piece in segments(windows, 0, 100)] == [(RUN,), (0,), (0, 1), (1,), (RUN,)]


def test_a_child_that_outlives_its_parent_keeps_its_own_time() -> None:
    windows = marked(("parent", RUN, 10, 50), ("child", 0, 20, 70))
    assert [piece.owners for piece in segments(windows, 0, 100)] == [(RUN,), (0,), (1,), (1,), (RUN,)]


def test_a_window_left_open_ends_with_the_run() -> None:
    windows = Windows()
    windows.begin("open", RUN, 10, 0)
    assert windows.close_all(100, 7) == 1
    assert windows.wall_s(0) == 90 / 1e9


def test_a_path_is_the_names_from_the_outside_in() -> None:
    windows = marked(("batch", RUN, 10, 90), ("prefill", 0, 20, 40), ("batch", RUN, 91, 99), ("prefill", 2, 92, 95))
    assert windows.paths() == (["batch", "batch/prefill"], [0, 1, 0, 1])


@st.composite
def trees(draw: st.DrawFn) -> Windows:
    """Windows opened and closed at random, each inside the innermost that is open, some closed in the wrong order."""
    windows = Windows()
    stack: list[int] = []
    at = 0
    for opens, waits, wrongly in draw(
        st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.booleans()), max_size=40)
    ):
        at += waits
        if opens or not stack:
            stack.append(windows.begin("w", stack[-1] if stack else RUN, at, at))
        else:
            windows.end(stack.pop(0 if wrongly else -1), at, at)
    windows.close_all(at + 5, at + 5)
    return windows


@given(trees())
def test_the_pieces_tile_the_run_and_each_has_an_owner(windows: Windows) -> None:
    end = max([*windows.end_ns, 1]) + 3
    pieces = segments(windows, 0, end)
    assert pieces[0].start_ns == 0
    assert pieces[-1].end_ns == end
    assert all(piece.owners for piece in pieces)
    assert all(before.end_ns == after.start_ns for before, after in pairwise(pieces))


@given(trees())
def test_a_piece_belongs_only_to_windows_that_are_open_then(windows: Windows) -> None:
    for piece in segments(windows, 0, max([*windows.end_ns, 1]) + 3):
        for owner in set(piece.owners) - {RUN}:
            assert windows.start_ns[owner] <= piece.start_ns
            assert windows.end_ns[owner] >= piece.end_ns


def threaded(*marks: tuple[int, int, int, int, int]) -> tuple[Windows, list[CpuTime]]:
    """Windows from (thread, parent, start, end, CPU time of its thread meanwhile), in seconds, and their CPU times."""
    windows = Windows()
    order = sorted(
        [(start, 1, index) for index, (_, _, start, _, _) in enumerate(marks)]
        + [(end, 0, index) for index, (_, _, _, end, _) in enumerate(marks)]
    )
    for at, begins, index in order:
        thread, parent, _, _, own = marks[index]
        ns = at * 10**9
        if begins:
            assert windows.begin(f"w{index}", parent, ns, 4 * ns, thread, 0) == index
        else:
            windows.end(index, ns, 4 * ns, thread, own * 10**9)
    return windows, cpu_times(windows, segments(windows, 0, 100 * 10**9))


def test_a_window_alone_has_the_cpu_time_of_all_processes() -> None:
    _, (only,) = threaded((1, RUN, 10, 20, 3))
    assert only == CpuTime(seconds=40.0)


def test_windows_of_threads_side_by_side_have_each_their_threads_own() -> None:
    _, told = threaded((1, RUN, 10, 20, 3), (2, RUN, 12, 18, 5))
    assert [time.seconds for time in told] == [3.0, 5.0]
    assert all("its own thread alone" in time.method for time in told)


def test_a_window_inside_another_of_its_thread_takes_nothing_from_it() -> None:
    _, told = threaded((1, RUN, 10, 20, 8), (2, RUN, 11, 19, 5), (1, 0, 12, 18, 3))
    assert [time.seconds for time in told] == [8.0, 5.0, 3.0]


def test_a_window_around_windows_of_other_threads_has_all_processes_where_nothing_is_beside_it() -> None:
    _, told = threaded((1, RUN, 10, 20, 1), (2, 0, 11, 19, 5), (3, 0, 12, 18, 4))
    assert [time.seconds for time in told] == [40.0, 5.0, 4.0]


def test_beside_others_it_has_its_thread_and_those_of_the_windows_inside() -> None:
    _, told = threaded((1, RUN, 10, 20, 1), (9, RUN, 10, 20, 7), (2, 0, 11, 19, 5), (3, 0, 12, 18, 4))
    assert [time.seconds for time in told] == [10.0, 7.0, 5.0, 4.0]


def test_windows_that_overlap_in_one_thread_have_none_and_say_why() -> None:
    _, told = threaded((1, RUN, 10, 20, 8), (1, RUN, 15, 25, 8))
    assert [time.seconds for time in told] == [None, None]
    assert "overlapped in its thread" in told[0].method


def test_a_window_closed_in_another_thread_beside_others_is_not_known() -> None:
    windows = Windows()
    windows.begin("a", RUN, 10, 10, thread=1)
    windows.begin("b", RUN, 11, 11, thread=2)
    windows.end(0, 20, 20, thread=3, thread_cpu_ns=99)
    windows.end(1, 21, 21, thread=2, thread_cpu_ns=7)
    told = cpu_times(windows, segments(windows, 0, 30))
    assert [time.seconds for time in told] == [None, 7 / 1e9]


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 50), st.integers(1, 50)).map(lambda m: (m[0], m[1], m[1] + m[2])),
        min_size=1,
        max_size=8,
    )
)
def test_threads_side_by_side_never_add_up_to_more_than_all_processes(marks: list[tuple[int, int, int]]) -> None:
    # Each of four threads computes all the time, so the processes together do at four times the pace.
    marks = sorted(marks, key=lambda mark: mark[1])
    _, told = threaded(*[(thread, RUN, start, end, end - start) for thread, start, end in marks])
    alone = [time.seconds for time in told if not time.method]
    shared = [time.seconds for time in told if "own thread" in time.method]
    covered = {second for _, start, end in marks for second in range(start, end)}
    assert sum(filter(None, alone)) + sum(filter(None, shared)) <= 4 * len(covered)
