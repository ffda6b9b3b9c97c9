"""Filters over the token states of each text by frequency along the text.

Shapes: B batch, T tokens, D width, N tokens of one text, F frequencies. The transform of a text is taken over its own
tokens and nothing else, so padding has no part in it; `LegacyFilter` alone takes it over the padded rectangle.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from etude.nn.classifier_spec import SpectralSpec


class SpectralFilter(nn.Module):
    """Real transform along the text, gain per frequency, inverse transform.

    Under `reflect` the transform is that of the text followed by its mirror image, of period 2N: the frequencies are
    k / 2N, those of the cosine transform (DCT-II). Under `circular` they are k / N.
    """

    def __init__(self, spec: SpectralSpec) -> None:
        super().__init__()
        self.spec = spec
        given = [spec.cutoff] if spec.upper is None else [spec.cutoff, spec.upper]
        if spec.learned:
            self.raw = nn.Parameter(torch.tensor([_unbounded(value) for value in given]))
        else:
            self.register_parameter("raw", None)
            self.given = given

    @property
    def cutoffs(self) -> Tensor:
        """In cycles per token, shape (1,) or (2,)."""
        return 0.5 * self.raw.sigmoid() if self.raw is not None else torch.tensor(self.given)

    def forward(self, states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Filtered states of the same shape and type; zeros where the mask is 0."""
        mask = mask_BT.bool()
        filtered = torch.zeros_like(states_BTD)
        length_B = mask.sum(dim=1)
        for length in sorted(set(length_B.tolist())):
            if length:
                of_this_length = mask & (length_B == length).unsqueeze(-1)
                rows_BND = states_BTD[of_this_length].view(-1, length, states_BTD.shape[-1])
                filtered[of_this_length] = self._filtered(rows_BND.float()).flatten(0, 1).to(states_BTD.dtype)
        return filtered

    def _filtered(self, rows_BND: Tensor) -> Tensor:
        length = period = rows_BND.shape[1]
        if self.spec.boundary == "reflect":
            rows_BND, period = torch.cat([rows_BND, rows_BND.flip(1)], dim=1), 2 * length
        spectrum_BFD = torch.fft.rfft(rows_BND, dim=1)
        frequency_F = torch.arange(spectrum_BFD.shape[1], device=rows_BND.device) / period
        gain_F1 = self.gain(frequency_F).unsqueeze(-1)
        again_BND: Tensor = torch.fft.irfft(spectrum_BFD * gain_F1, n=period, dim=1)
        return again_BND[:, :length]

    def gain(self, frequency_F: Tensor) -> Tensor:
        """The factor of each frequency, 0 to 1, shape (F,)."""
        passes = _hard if self.spec.edge == "hard" else _smooth
        cutoffs = self.cutoffs.to(frequency_F.device)
        if self.spec.kind == "low":
            return passes(frequency_F, cutoffs[0], above=False, order=self.spec.order)
        above = passes(frequency_F, cutoffs[0], above=True, order=self.spec.order)
        if self.spec.kind == "high":
            return above
        return above * passes(frequency_F, cutoffs[1], above=False, order=self.spec.order)


class LegacyFilter(nn.Module):
    """A low pass by the complex transform over all positions, padded ones included.

    With S positions and k = max(1, ⌊cutoff · S⌋), the bins 0 … k-1 and S-k+1 … S-1 pass: 2k-1 of S. The share that
    passes depends on S, and padded states leak into those of the text.
    """

    def __init__(self, spec: SpectralSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Filtered states of the same shape and type. The mask is not read."""
        length = states_BTD.shape[1]
        kept = max(1, int(self.spec.cutoff * length))
        place_T = torch.arange(length, device=states_BTD.device)
        passes_T1 = ((place_T < kept) | (place_T > length - kept)).unsqueeze(-1)
        spectrum_BTD = torch.fft.fft(states_BTD.float(), dim=1)
        filtered_BTD: Tensor = torch.fft.ifft(spectrum_BTD * passes_T1, dim=1).real
        return filtered_BTD.to(states_BTD.dtype)


def spectral_filter(spec: SpectralSpec) -> SpectralFilter | LegacyFilter:
    """The module that a spec describes."""
    return LegacyFilter(spec) if spec.kind == "legacy" else SpectralFilter(spec)


def _hard(frequency_F: Tensor, cutoff: Tensor, *, above: bool, order: int) -> Tensor:
    return ((frequency_F > cutoff) if above else (frequency_F <= cutoff)).float()


def _smooth(frequency_F: Tensor, cutoff: Tensor, *, above: bool, order: int) -> Tensor:
    """Butterworth: gain² = 1 / (1 + (f/c)^2n) below, its complement above; by logarithms, so that nothing overflows."""
    rest = frequency_F == 0
    steep_F = 2 * order * (frequency_F.masked_fill(rest, 1.0).log() - cutoff.log())
    gain_F = (0.5 * nn.functional.logsigmoid(steep_F if above else -steep_F)).exp()
    return gain_F.masked_fill(rest, 0.0 if above else 1.0)


def _unbounded(cutoff: float) -> float:
    """The number whose sigmoid is this cut-off's share of 0.5; the ends themselves are out of reach."""
    share = min(max(cutoff / 0.5, 1e-3), 1 - 1e-3)
    return math.log(share / (1 - share))
