from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etude.meter.windows import RUN, Segment, Windows, segments


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
    assert segments(Windows(), 0, 100) == [Segment(0, 100, (RUN,))]


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
