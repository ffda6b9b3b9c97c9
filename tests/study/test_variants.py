"""`vary`: list × grid × repeat."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etude.study.study import Study, Vary
from etude.study.variants import points, variants, varied

axes = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.integers(), min_size=1, max_size=3, unique=True).map(tuple), max_size=3
)


@given(axes, st.lists(st.integers(), min_size=1, max_size=3, unique=True).map(tuple))
def test_there_is_a_point_for_every_combination_and_none_twice(
    grid: dict[str, tuple[int, ...]], seeds: tuple[int, ...]
) -> None:
    found = points(Vary(grid=grid, repeat={"seed": seeds}))
    count = len(seeds)
    for values in grid.values():
        count *= len(values)
    assert len(found) == count == len({tuple(sorted(point.items())) for point in found})


def test_without_vary_there_is_one_variant_with_the_params_as_they_are() -> None:
    (only,) = variants(Study(name="s", params={"x": 1}))
    assert (only.label, dict(only.params)) == ("only", {"x": 1})


def test_listed_points_are_crossed_with_the_grid() -> None:
    vary = Vary(points=({"x": 1}, {"x": 2}), grid={"y": (3, 4)})
    assert points(vary) == [{"x": 1, "y": 3}, {"x": 1, "y": 4}, {"x": 2, "y": 3}, {"x": 2, "y": 4}]
    assert varied(vary) == ("x", "y")


def test_a_variant_is_labelled_by_what_sets_it_apart() -> None:
    study = Study(name="s", params={"x": 1, "z": 0}, vary=Vary(grid={"x": (None, True)}))
    assert [variant.label for variant in variants(study)] == ["x=null", "x=true"]
