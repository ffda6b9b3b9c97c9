"""Versions of packages, asked for by the name under which they are imported or installed."""

from __future__ import annotations

import importlib.metadata

import pytest

from etude.graph.versions import version_of, versions_of


@pytest.mark.parametrize(
    ("asked", "distribution"),
    [("numpy", "numpy"), ("yaml", "PyYAML"), ("sklearn", "scikit-learn"), ("_pytest", "pytest"), ("PyYAML", "PyYAML")],
)
def test_a_package_is_found_by_either_name(asked: str, distribution: str) -> None:
    assert version_of(asked) == importlib.metadata.version(distribution)


def test_what_is_not_installed_is_absent() -> None:
    assert version_of("no_such_package_at_all") == "absent"


def test_versions_are_sorted_by_name() -> None:
    assert list(versions_of(["pytest", "numpy"])) == ["numpy", "pytest"]
