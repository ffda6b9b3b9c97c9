"""Values whose names say that they are secret: a report is mailed and published, so it does not tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etude.redaction.names import names_a_secret

WITHHELD = "(withheld)"


def without_secrets(value: Any) -> Any:
    """The same with every text under a telling name (`api_key`, `hub_token`) put out of sight, at any depth."""
    if isinstance(value, Mapping):
        return {name: WITHHELD if _is_secret(name, inner) else without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(inner) for inner in value]
    return value


def _is_secret(name: object, value: object) -> bool:
    return isinstance(value, str) and bool(value) and names_a_secret(str(name), value)
