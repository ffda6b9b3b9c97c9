from __future__ import annotations

import numpy as np
import pytest

from etude.errors import MeterError
from etude.meter.stopping import AdaptiveStop


def stopped(seed: int, r: float, spread: float = 0.1) -> AdaptiveStop:
    """Observations around 1 until there are enough."""
    chance = np.random.default_rng(seed)
    stop, value = AdaptiveStop(relative_half_width=0.02, most=5000), chance.normal()
    while not stop.add(1.0 + spread * value):
        value = r * value + np.sqrt(1 - r * r) * chance.normal()
    return stop


@pytest.mark.parametrize("r", [0.0, 0.5])
def test_the_mean_it_stops_at_is_right_as_often_as_it_says(r: float) -> None:
    held = 0
    for seed in range(300):
        told = stopped(seed, r).estimate
        assert told.lo is not None
        assert told.hi is not None
        held += told.lo <= 1.0 <= told.hi
    assert held / 300 >= 0.93


def test_it_stops_when_the_interval_is_as_narrow_as_asked() -> None:
    stop = stopped(1, 0.0)
    assert stop.converged
    assert stop.estimate.relative_half_width <= 0.021


def test_it_takes_far_fewer_observations_than_a_fixed_thousand() -> None:
    taken = [len(stopped(seed, 0.0).sample) for seed in range(50)]
    assert np.mean(taken) <= 0.6 * 1000


def test_resembling_neighbours_need_more_observations() -> None:
    def taken(r: float) -> float:
        return float(np.mean([len(stopped(seed, r).sample) for seed in range(30)]))

    assert taken(0.5) > 2 * taken(0.0)


def test_it_gives_up_at_the_most_and_says_that_it_did_not_converge() -> None:
    stop = AdaptiveStop(relative_half_width=0.0001, least=4, most=20)
    chance = np.random.default_rng(0)
    while not stop.add(float(chance.exponential())):
        pass
    assert len(stop.sample) == 20
    assert not stop.converged


@pytest.mark.parametrize("options", [{"relative_half_width": 0.0}, {"least": 2}, {"least": 50, "most": 40}])
def test_what_cannot_be_asked_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(MeterError, match="adaptive stop"):
        AdaptiveStop(**options)  # type: ignore[arg-type]
