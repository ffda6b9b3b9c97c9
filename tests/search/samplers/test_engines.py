"""Samplers of other engines keep the contract; each is skipped where its engine is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest

from search.sampler_contract import SamplerContract


class TestTpe(SamplerContract):
    name = "tpe"

    @pytest.fixture(autouse=True)
    def engine(self) -> None:
        pytest.importorskip("optuna")


@pytest.mark.slow
class TestOptunaGp(SamplerContract):
    name = "optuna_gp"
    asks = 14

    @pytest.fixture(autouse=True)
    def engine(self) -> None:
        pytest.importorskip("optuna")
        pytest.importorskip("torch")


class TestCmaes(SamplerContract):
    name = "cmaes"
    several_goals = False

    @pytest.fixture(autouse=True)
    def engine(self) -> None:
        pytest.importorskip("optuna")
        pytest.importorskip("cmaes")


class TestNsga(SamplerContract):
    name = "nsga"

    @pytest.fixture(autouse=True)
    def engine(self) -> None:
        pytest.importorskip("optuna")


class TestRustuna(SamplerContract):
    name = "rustuna"

    @pytest.fixture(autouse=True)
    def engine(self) -> None:
        pytest.importorskip("rustuna")


@pytest.mark.slow
class TestDeepHyper(SamplerContract):
    name = "deephyper"
    settings: ClassVar[Mapping[str, object]] = {"initial": 6}
    asks = 12

    @pytest.fixture(autouse=True)
    def engine(self) -> None:
        pytest.importorskip("deephyper")
