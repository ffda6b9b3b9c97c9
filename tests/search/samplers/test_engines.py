"""Samplers of other engines keep the contract; each is skipped where its engine is not installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import ClassVar

import pytest

from etude.errors import ConfigError
from etude.search.samplers.factory import make
from search.sampler_contract import SamplerContract
from search_spaces import MINIMISE, MIXED


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


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("tpe", "optuna", "etude[search]"),
        ("rustuna", "rustuna", "etude[search]"),
        ("deephyper", "deephyper", "etude[deephyper]"),
    ],
)
def test_an_engine_that_is_not_installed_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError) as caught:
        make(name, MIXED, MINIMISE, 0)
    assert package in str(caught.value)
    assert extra in str(caught.value)


def test_the_room_of_samplers_imports_no_engine() -> None:
    program = (
        "import sys\n"
        "import etude.search.samplers.gp, etude.search.samplers.optuna, etude.search.samplers.rustuna\n"
        "import etude.search.samplers.deephyper\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"scipy", "sklearn", "optuna", "rustuna", "deephyper", "torch", "pandas"} & set(loaded)
