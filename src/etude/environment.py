"""The environment of this process: no other module reads or sets its variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def variables() -> Mapping[str, str]:
    """All variables as they are whenever one is looked up."""
    return os.environ


def variables_copy() -> dict[str, str]:
    """All variables as they are now."""
    return dict(os.environ)


def variable(name: str, default: str = "") -> str:
    """The value of one variable."""
    return os.environ.get(name, default)


def are_set(values: Mapping[bytes, bytes]) -> bool:
    """Whether all these variables have these values. It passes by what watches over look-ups, and costs as little."""
    data: Mapping[bytes, bytes] = os.environ._data  # type: ignore[attr-defined,unused-ignore]
    return all(data.get(name) == value for name, value in values.items())


def set_variables(values: Mapping[str, str]) -> None:
    """Set variables for this process and all that it starts from now on."""
    os.environ.update(values)


def take_variable(name: str) -> str:
    """The value of a variable, which no code after this sees.

    Raises:
        KeyError: It is not set.
    """
    return os.environ.pop(name)


@contextmanager
def with_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the length of a block; each has its own value again afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def variable_mappings() -> tuple[object, object]:
    """The two objects by which code of this process looks variables up, as text and as bytes."""
    return os.environ, os.environb
