"""`vary`: list × grid × repeat."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.study.study import PlaceSettings, Study, Vary
from etude.study.variants import points, too_many, variants, varied_params

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
    assert varied_params(vary) == ("x", "y")


def test_a_variant_is_labelled_by_what_sets_it_apart() -> None:
    study = Study(name="s", params={"x": 1, "z": 0}, vary=Vary(grid={"x": (None, True)}))
    assert [variant.label for variant in variants(study)] == ["x=null", "x=true"]


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        (Vary(grid={"x": tuple(range(1000)), "y": tuple(range(1000))}), "1,000,000 variants (x 1,000 × y 1,000)"),
        (Vary(grid={name: tuple(range(1000)) for name in "xyz"}), "1,000,000,000 variants"),
        (Vary(grid={f"x{number}": (1, 2) for number in range(9000)}), "about 1e2709 variants (x0 2 × x1 2"),
        (
            Vary(grid={"x": tuple(range(400))}, repeat={"seed": tuple(range(400))}),
            "160,000 variants (x 400 × seed 400)",
        ),
        (Vary(points=({"x": 1},) * 200, grid={"y": tuple(range(1000))}), "200,000 variants (list 200 × y 1,000)"),
    ],
)
def test_a_study_too_large_to_lay_out_is_told_with_its_count_and_what_to_do(vary: Vary, words: str) -> None:
    fault = too_many(Study(name="s", vary=vary))
    assert fault is not None
    assert words in fault.reason
    assert "search" in fault.mend
    assert ("most_variants" in fault.mend) == ("about" not in fault.reason)


def test_a_study_may_allow_itself_more_variants_or_fewer() -> None:
    grid = Vary(grid={"x": tuple(range(400)), "y": tuple(range(400))})
    assert too_many(Study(name="s", vary=grid, place=PlaceSettings(most_variants=160_000))) is None
    assert too_many(Study(name="s", vary=grid, place=PlaceSettings(most_variants=159_999))) is not None
    assert too_many(Study(name="s", vary=Vary(grid={"x": (1, 2)}))) is None


@pytest.mark.parametrize(("axes", "words"), [(14, "has 100,000,000,000,000 variants"), (15, "has about 1e15 variants")])
def test_a_count_of_sixteen_digits_is_told_by_its_power_of_ten(axes: int, words: str) -> None:
    fault = too_many(Study(name="s", vary=Vary(grid={f"x{axis}": tuple(range(10)) for axis in range(axes)})))
    assert fault is not None
    assert words in fault.reason
