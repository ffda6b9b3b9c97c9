"""A filter passes the frequencies that it says, over each text's own tokens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import fft, signal
from torch import Tensor

from etude.nn.classifier_spec import SpectralSpec
from etude.nn.randomness import fixed_seed
from etude.nn.spectral import LegacyFilter, SpectralFilter

WIDTH = 5


def states(length: int, seed: int = 0) -> Tensor:
    with fixed_seed(seed):
        return torch.randn(1, length, WIDTH)


def apply(found: Tensor, **spec: Any) -> Tensor:
    module = SpectralFilter(SpectralSpec(**spec))
    return module(found, torch.ones(found.shape[:2]))


cutoffs = st.floats(0.02, 0.5)
boundaries = st.sampled_from(["reflect", "circular"])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), cutoffs, boundaries, st.integers(0, 100))
def test_what_is_low_and_what_is_high_make_up_the_whole(length: int, cutoff: float, boundary: str, seed: int) -> None:
    found = states(length, seed)
    parts = [apply(found, kind=kind, cutoff=cutoff, boundary=boundary) for kind in ("low", "high")]
    torch.testing.assert_close(parts[0] + parts[1], found, atol=1e-5, rtol=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), cutoffs, cutoffs, boundaries)
def test_a_band_is_what_is_low_of_what_is_high(length: int, first: float, second: float, boundary: str) -> None:
    lower, upper = sorted((first, second))
    assume(lower < upper)
    found = states(length)
    high = apply(found, kind="high", cutoff=lower, boundary=boundary)
    expected = apply(high, kind="low", cutoff=upper, boundary=boundary)
    band = apply(found, kind="band", cutoff=lower, upper=upper, boundary=boundary)
    torch.testing.assert_close(band, expected, atol=1e-5, rtol=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), cutoffs, st.sampled_from(["low", "high"]), boundaries)
def test_filtering_twice_by_a_hard_edge_is_filtering_once(length: int, cutoff: float, kind: str, boundary: str) -> None:
    once = apply(states(length), kind=kind, cutoff=cutoff, boundary=boundary)
    torch.testing.assert_close(apply(once, kind=kind, cutoff=cutoff, boundary=boundary), once, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, 2, 7, 16])
def test_reflected_it_is_the_cosine_transform_with_some_coefficients_left_out(length: int) -> None:
    found = states(length)
    coefficients = fft.dct(found[0].numpy(), axis=0)
    coefficients[np.arange(length) / (2 * length) > 0.2] = 0
    expected = torch.from_numpy(fft.idct(coefficients, axis=0))
    torch.testing.assert_close(apply(found, kind="low", cutoff=0.2)[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("frequency", "passes"), [(0.0, True), (0.125, True), (0.25, True), (0.375, False)])
def test_a_wave_passes_a_low_pass_whole_or_not_at_all(frequency: float, passes: bool) -> None:
    wave = torch.cos(2 * math.pi * frequency * torch.arange(16))[None, :, None].expand(1, 16, WIDTH)
    found = apply(wave, kind="low", cutoff=0.25, boundary="circular")
    torch.testing.assert_close(found, wave if passes else torch.zeros_like(wave), atol=1e-5, rtol=0)


@pytest.mark.parametrize("boundary", ["reflect", "circular"])
def test_a_low_pass_leaves_the_mean_of_a_text_alone_and_a_high_pass_takes_it_away(boundary: str) -> None:
    found = states(9)
    for edge in ("hard", "smooth"):
        low = apply(found, kind="low", cutoff=0.2, boundary=boundary, edge=edge)
        high = apply(found, kind="high", cutoff=0.2, boundary=boundary, edge=edge)
        torch.testing.assert_close(low.mean(dim=1), found.mean(dim=1), atol=1e-6, rtol=0)
        torch.testing.assert_close(high.mean(dim=1), torch.zeros(1, WIDTH), atol=1e-6, rtol=0)


def test_the_ends_of_a_text_stay_apart_where_it_is_reflected() -> None:
    step = torch.cat([torch.zeros(1, 16, 1), torch.ones(1, 16, 1)], dim=1)
    reflected, circular = (apply(step, kind="low", cutoff=0.1, boundary=kind) for kind in ("reflect", "circular"))
    assert abs(reflected[0, 0].item()) < 0.1
    assert circular[0, 0].item() > 0.3


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.floats(0.05, 0.45), st.booleans())
def test_the_smooth_edge_is_butterworths(order: int, cutoff: float, high: bool) -> None:
    module = SpectralFilter(SpectralSpec(kind="high" if high else "low", cutoff=cutoff, edge="smooth", order=order))
    frequency = torch.linspace(0.01, 0.5, 40)
    poles = signal.butter(order, 2 * math.pi * cutoff, btype="high" if high else "low", analog=True, output="zpk")
    _, response = signal.freqs_zpk(*poles, worN=2 * math.pi * frequency.numpy())
    expected = torch.from_numpy(np.abs(response)).float()
    torch.testing.assert_close(module.gain(frequency), expected, atol=1e-4, rtol=1e-3)


def test_at_the_cutoff_a_smooth_edge_passes_half_the_power() -> None:
    module = SpectralFilter(SpectralSpec(kind="low", cutoff=0.2, edge="smooth", order=6))
    assert module.gain(torch.tensor([0.2])).item() ** 2 == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("kind", ["low", "high"])
def test_learned_cutoffs_begin_where_they_are_put_and_have_a_gradient(kind: str) -> None:
    module = SpectralFilter(SpectralSpec(kind=kind, cutoff=0.2, edge="smooth", learned=True))  # type: ignore[arg-type]
    assert module.cutoffs.item() == pytest.approx(0.2, abs=1e-6)
    module(states(9), torch.ones(1, 9)).square().sum().backward()
    assert module.raw is not None
    assert module.raw.grad is not None
    assert module.raw.grad.isfinite().all()
    assert module.raw.grad.abs().item() > 0


def test_a_learned_low_pass_opens_where_that_fits_the_target_better() -> None:
    module = SpectralFilter(SpectralSpec(kind="low", cutoff=0.1, edge="smooth", learned=True))
    optimiser = torch.optim.Adam(module.parameters(), lr=0.1)
    found = states(24)
    for _ in range(30):
        optimiser.zero_grad()
        (module(found, torch.ones(1, 24)) - found).square().mean().backward()
        optimiser.step()
    assert module.cutoffs.item() > 0.3


@pytest.mark.parametrize("share", [0.1, 0.4, 0.5])
@pytest.mark.parametrize("length", [1, 4, 16, 33])
def test_the_legacy_filter_keeps_the_bins_that_it_says(share: float, length: int) -> None:
    found = states(length)
    kept = max(1, int(share * length))
    spectrum = np.fft.fft(found[0].numpy(), axis=0)
    mask = np.zeros((length, 1))
    mask[:kept] = 1
    if kept > 1:
        mask[length - kept + 1 :] = 1
    expected = torch.from_numpy(np.fft.ifft(spectrum * mask, axis=0).real).float()
    module = LegacyFilter(SpectralSpec(kind="legacy", cutoff=share))
    torch.testing.assert_close(module(found, torch.ones(1, length))[0], expected, atol=1e-5, rtol=0)


def test_the_strength_of_the_legacy_filter_depends_on_the_length() -> None:
    shares = {}
    for length in (4, 8, 16, 64, 512):
        impulse = torch.zeros(1, length, 1)
        impulse[0, 0] = 1.0
        passed = LegacyFilter(SpectralSpec(kind="legacy", cutoff=0.4))(impulse, torch.ones(1, length))
        shares[length] = passed[0, 0, 0].item()
    assert shares == pytest.approx({4: 0.25, 8: 0.625, 16: 0.6875, 64: 0.765625, 512: 0.794921875}, abs=1e-5)


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("cutoff", {"kind": "low", "cutoff": 0.0}),
        ("cutoff", {"kind": "low", "cutoff": 0.6}),
        ("upper", {"kind": "band", "cutoff": 0.2}),
        ("upper", {"kind": "low", "cutoff": 0.2, "upper": 0.3}),
        ("upper", {"kind": "band", "cutoff": 0.3, "upper": 0.2}),
        ("learned", {"kind": "low", "cutoff": 0.2, "learned": True}),
        ("length", {"kind": "low", "cutoff": 0.2, "length": 64}),
        ("order", {"kind": "low", "cutoff": 0.2, "edge": "smooth", "order": 0}),
        ("kind legacy", {"kind": "legacy", "cutoff": 0.4, "edge": "smooth"}),
    ],
)
def test_a_senseless_filter_is_refused_by_field(field: str, spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}"):
        SpectralSpec(**spec)
