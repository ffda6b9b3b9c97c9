"""The native Gaussian process keeps the contract, and its own promises."""

from __future__ import annotations

from search.sampler_contract import SamplerContract


class TestGp(SamplerContract):
    name = "gp"
