"""The random sampler keeps the contract."""

from __future__ import annotations

from search.sampler_contract import SamplerContract


class TestRandom(SamplerContract):
    name = "random"
