"""Settings that a study can give by one word, so that a table of variants stays readable."""

from __future__ import annotations

from etude.nn.classifier_spec import SpectralSpec, spectral_spec
from etude.text import steps
from etude.text.types import Splits


def test_a_filter_by_name_cuts_at_four_tenths_of_a_cycle() -> None:
    assert spectral_spec("low") == SpectralSpec(kind="low", cutoff=0.4)
    assert spectral_spec("legacy") == SpectralSpec(kind="legacy", cutoff=0.4)
    assert spectral_spec(None) is None
    assert spectral_spec(SpectralSpec(kind="high", cutoff=0.1)) == SpectralSpec(kind="high", cutoff=0.1)


def test_no_noise_leaves_the_splits_as_they_are(splits: Splits) -> None:
    assert steps.add_noise(splits, family="none", seed=0) == splits
