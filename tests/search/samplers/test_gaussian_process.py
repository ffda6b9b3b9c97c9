"""The numbers under the Gaussian-process sampler, each against an independent reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from etude.search.samplers.acquisition import log_improvement, log_tail, log_tail_and_slope, log_within
from etude.search.samplers.matern import JITTER, fit, loss_and_slope, natural_scale, start
from etude.search.samplers.posterior import Posterior
from etude.search.samplers.unit_cube import Array, Encoding
from etude.search.space import Space
from search_spaces import CONDITIONAL, spaces

THETA = np.array([0.7, -0.4, 1.2, 0.3, np.log(0.02)])


def data(count: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    points = rng.random((count, 3))
    values = np.sin(5 * points[:, 0]) + points[:, 1] ** 2 + 0.05 * rng.standard_normal(count)
    return points, (values - values.mean()) / values.std()


def reference(points: Array, values: Array) -> GaussianProcessRegressor:
    kernel = ConstantKernel(np.exp(THETA[-2])) * Matern(np.exp(-0.5 * THETA[:-2]), nu=2.5)
    noise = float(np.exp(THETA[-1])) + JITTER
    return GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(points, values)


def test_predictions_are_those_of_scikit_learn() -> None:
    points, values = data(30)
    others = np.random.default_rng(1).random((12, 3))
    mean, variance = Posterior(points, values, natural_scale(THETA), 0).predict(others)
    their_mean, their_deviation = reference(points, values).predict(others, return_std=True)
    assert mean == pytest.approx(their_mean, abs=1e-9)
    assert np.sqrt(variance) == pytest.approx(their_deviation, abs=1e-7)


@pytest.mark.parametrize("widening", [False, True])
def test_the_slope_of_the_likelihood_is_that_of_its_differences(widening: bool) -> None:
    points, values = data(25)
    _, slope = loss_and_slope(THETA, points, values, widening=widening)
    assert slope == pytest.approx(
        approx_fprime(THETA, lambda at: loss_and_slope(at, points, values, widening=widening)[0], 1e-7), abs=1e-4
    )


def test_of_many_features_those_without_effect_get_the_longest_lengths_where_lengths_widen() -> None:
    points = np.random.default_rng(5).random((40, 20))
    values = np.sin(6 * points[:, 3])
    values = (values - values.mean()) / values.std()
    fitted = fit(points, values, start(20, widening=True), 40, widening=True)
    lengths = np.exp(-0.5 * fitted[:-2])
    assert lengths[3] < 0.25 * np.delete(lengths, 3).min()


def test_slopes_of_mean_and_variance_are_those_of_their_differences() -> None:
    points, values = data(25)
    posterior, at = Posterior(points, values, natural_scale(THETA), 0), np.array([0.31, 0.62, 0.17])
    mean, variance, by_mean, by_variance = posterior.slope(at)
    assert mean == pytest.approx(float(posterior.predict(at[None])[0][0]))
    assert variance == pytest.approx(float(posterior.predict(at[None])[1][0]))
    assert by_mean == pytest.approx(approx_fprime(at, lambda x: posterior.predict(x[None])[0][0], 1e-7), abs=1e-4)
    assert by_variance == pytest.approx(approx_fprime(at, lambda x: posterior.predict(x[None])[1][0], 1e-7), abs=1e-4)


def test_points_appended_one_by_one_give_what_all_at_once_give() -> None:
    points, values = data(40)
    others = np.random.default_rng(1).random((9, 3))
    grown = Posterior(points[:25], values[:25], natural_scale(THETA), 15)
    grown.watch(others)
    for point, value in zip(points[25:], values[25:], strict=True):
        grown.append(point, float(value))
    whole = Posterior(points, values, natural_scale(THETA), 0)
    for ours, theirs in ((grown.predict(others), whole.predict(others)), (grown.watched(), whole.predict(others))):
        assert ours[0] == pytest.approx(theirs[0], abs=1e-9)
        assert ours[1] == pytest.approx(theirs[1], abs=1e-9)
    assert grown.full


def test_a_believed_point_changes_no_expectation_and_takes_the_variance_away() -> None:
    points, values = data(25)
    others, believed = np.random.default_rng(1).random((9, 3)), np.array([0.4, 0.4, 0.4])
    posterior = Posterior(points, values, natural_scale(THETA), 1)
    before = posterior.predict(np.vstack([others, believed]))
    posterior.append(believed)
    after = posterior.predict(np.vstack([others, believed]))
    assert after[0] == pytest.approx(before[0], abs=1e-9)
    assert (after[1] <= before[1] + 1e-12).all()
    noise = float(np.exp(THETA[-1])) + JITTER
    assert after[1][-1] == pytest.approx(before[1][-1] * noise / (before[1][-1] + noise))


def test_points_believed_from_the_start_are_those_believed_later() -> None:
    points, values = data(25)
    others, running = np.random.default_rng(1).random((9, 3)), np.random.default_rng(2).random((4, 3))
    at_once = Posterior(np.vstack([points, running]), values, natural_scale(THETA), 0)
    later = Posterior(points, values, natural_scale(THETA), 4)
    for point in running:
        later.append(point)
    assert at_once.predict(others)[0] == pytest.approx(later.predict(others)[0], abs=1e-9)
    assert at_once.predict(others)[1] == pytest.approx(later.predict(others)[1], abs=1e-9)


def test_a_believed_point_that_comes_true_counts_as_if_it_had_been_observed() -> None:
    points, values = data(26)
    others = np.random.default_rng(1).random((9, 3))
    posterior = Posterior(points[:25], values[:25], natural_scale(THETA), 1)
    place = posterior.append(points[25])
    posterior.revalue(place, float(values[25]))
    assert posterior.predict(others)[0] == pytest.approx(
        Posterior(points, values, natural_scale(THETA), 0).predict(others)[0], abs=1e-9
    )


def test_the_expected_values_at_observations_lie_between_them_and_the_mean() -> None:
    points, values = data(30)
    posterior = Posterior(points, values, natural_scale(THETA), 0)
    assert posterior.smoothed == pytest.approx(posterior.predict(points)[0], abs=1e-6)


def test_the_fit_finds_which_features_matter() -> None:
    points, values = data(80)
    theta = fit(points, values, start(3), 40)
    assert theta[0] > theta[2] + 2, "the third feature does nothing"
    assert theta == pytest.approx(np.round(theta * 256) / 256)


@given(st.floats(-30, 8))
def test_the_log_of_the_tail_is_that_of_the_textbook_where_that_can_be_computed(z: float) -> None:
    plain = norm.pdf(z) + z * norm.cdf(z)
    if z > -8:
        assert float(log_tail(np.array(z))) == pytest.approx(np.log(plain), rel=1e-6, abs=1e-9)
    value, slope = log_tail_and_slope(z)
    assert value == pytest.approx(float(log_tail(np.array(z))), rel=2e-2 if z < -25 else 1e-4, abs=1e-9)
    assert slope > 0


def test_the_log_of_the_improvement_falls_forever_and_never_breaks() -> None:
    means = np.concatenate([np.linspace(0, 50, 100), 10.0 ** np.arange(2, 12)])
    scores = log_improvement(means, np.full(len(means), 0.01), 0.0)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) < 0).all()


def test_a_normal_value_far_above_nought_is_within_with_a_finite_log_probability() -> None:
    assert log_within(np.array([0.0, 40.0]), np.ones(2)) == pytest.approx([np.log(0.5), norm.logcdf(-40.0)])


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_rows_are_snapped_as_the_space_snaps_them(space: Space, seed: int) -> None:
    encoding, rng = Encoding(space), np.random.default_rng(seed)
    rows = encoding.snap(rng.random((20, len(space.columns))))
    for row in rows:
        back = space.to_unit(space.from_unit(row))
        assert back == pytest.approx(row, abs=1e-6, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_features_are_finite_and_tell_different_points_apart(space: Space, seed: int) -> None:
    encoding, rng = Encoding(space), np.random.default_rng(seed)
    rows = encoding.snap(rng.random((20, len(space.columns))))
    features = encoding.features(rows)
    assert features.shape == (20, encoding.width)
    assert ((features >= 0) & (features <= 1)).all()
    for row, feature in zip(rows[1:], features[1:], strict=True):
        alike = space.from_unit(row) == space.from_unit(rows[0])
        assert alike or not np.array_equal(feature, features[0]) or np.isnan(row).any()


def test_what_does_not_count_is_masked_two_levels_down() -> None:
    encoding = Encoding(CONDITIONAL)
    row = CONDITIONAL.to_unit({"kind": "net", "layers": 1, "lr": 0.1})
    masked = encoding.snap(np.nan_to_num(row, nan=0.5)[None, :])[0]
    assert np.isnan(masked).tolist() == [False, True, False, True, False]
