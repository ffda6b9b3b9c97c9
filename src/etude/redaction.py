"""Keeps secrets out of everything that is written or shown: logs, events, snapshots, failures, reports, trackers.

Two things are secret: the values of the environment's variables that are named for a secret (`WANDB_API_KEY`,
`HF_TOKEN`, `MLFLOW_TRACKING_PASSWORD`), and text of a form that nothing but a secret has (`https://user:password@host`,
an access token with its issuer's prefix). Secrets belong into the environment; a study that holds one is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

HIDDEN = "(redacted)"
SHORTEST = 6
"""Characters that the value of a variable must have to be looked for: a shorter one is part of too much else."""

_NAME = re.compile(
    r"(^|[_.-])(token|secret|password|passwd|passphrase|credentials?|(api|access|secret|private|auth)[_-]?key)$",
    re.IGNORECASE,
)
_USER = r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/@:'\"<>{$]*):(?P<password>[^\s/@'\"<>{$][^\s/@'\"<>]*)@"
_FORMS = (
    r"\bhf_[A-Za-z0-9]{20,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{20,}",
    r"\bsk-[A-Za-z0-9_-]{20,}",
    r"\bwandb_v1_[A-Za-z0-9_-]{20,}",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*",
)
_URL = re.compile(_USER)
_SHAPES = re.compile("|".join(_FORMS))
_QUERY = re.compile(
    r"(?P<key>[?&](?:api_?key|access_?token|token|password|secret|sig|signature)=)[^&\s'\"{$<>]+", re.IGNORECASE
)


def names_a_secret(name: str) -> bool:
    """Whether a variable, setting or column of this name holds a secret: `HF_TOKEN`, `api_key`, `hub.password`."""
    return bool(_NAME.search(name))


@dataclass(frozen=True, slots=True)
class Redactor:
    """Puts secrets out of sight. Without values it knows them by their form alone."""

    values: tuple[str, ...] = field(default=(), repr=False)
    """Every way in which a known secret may be written, longest first."""
    _pattern: re.Pattern[str] | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        if self.values:
            object.__setattr__(self, "_pattern", re.compile("|".join(map(re.escape, self.values))))

    @staticmethod
    def of(environment: Mapping[str, str]) -> Redactor:
        """What the secrets of this environment are."""
        found = {way for secret in _secrets(environment) for way in _written(secret)}
        return Redactor(tuple(sorted(found, key=lambda way: (-len(way), way))))

    def __call__(self, text: str) -> str:
        """The text with every secret in it replaced."""
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        if "://" in text:
            text = _URL.sub(rf"\g<scheme>{HIDDEN}@", text)
        if "=" in text:
            text = _QUERY.sub(rf"\g<key>{HIDDEN}", text)
        return _SHAPES.sub(HIDDEN, text)

    def within(self, value: Any) -> Any:
        """A JSON value with every secret in its texts and names replaced."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(name) if isinstance(name, str) else name: self.within(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.within(inner) for inner in value]
        return value

    def data(self, data: bytes) -> bytes:
        """Bytes of a text in UTF-8, or nearly so, with every secret replaced; otherwise byte for byte the same."""
        return self(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def file(self, path: Path) -> bool:
        """Replace the secrets in a file, in place, so that a program that still writes to it goes on at its end.

        Returns:
            Whether there were any. A file that does not exist has none.
        """
        try:
            before = path.read_bytes()
        except FileNotFoundError:
            return False
        after = self.data(before)
        if after == before:
            return False
        with path.open("r+b") as file:
            file.write(after)
            file.truncate()
        return True


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if names_a_secret(name) and len(value.strip()) >= SHORTEST:
            yield value.strip()
        for match in _URL.finditer(value):
            if len(match["password"]) >= SHORTEST:
                yield from {match["password"], unquote(match["password"])}


def _written(secret: str) -> Iterator[str]:
    """A secret as it is, as in a URL, and as in JSON or a Python literal."""
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
