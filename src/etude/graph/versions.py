"""Versions of installed distributions, by the name under which they are imported."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from functools import cache

_DISTRIBUTION = {"sklearn": "scikit-learn", "yaml": "PyYAML", "PIL": "pillow", "cv2": "opencv-python"}
"""Import names that differ from their distribution's and are met often; others are looked up, which is slower."""


@cache
def version_of(package: str) -> str:
    """The version of an installed package by import or distribution name; `absent` where it is not installed."""
    for name in _candidates(package):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "absent"


def _candidates(package: str) -> Iterable[str]:
    yield _DISTRIBUTION.get(package, package)
    yield from _all_distributions().get(package, ())


@cache
def _all_distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Package → version, sorted by name."""
    return {package: version_of(package) for package in sorted(packages)}
