"""What happens in a search, as its log tells it. The order of the log is the order in which everything counts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from etude.search.space import Point
from etude.search.trials import Origin, TrialOutcome

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The first line: what is searched for, where and by whom."""

    study: str
    space: Mapping[str, Any]
    goal: Mapping[str, Any]
    seed: int
    sampler: str
    settings: Mapping[str, Any]
    at_s: float
    """Seconds since the epoch."""
    sampler_version: int = 1
    """Of what the sampler proposes; logs from before samplers had versions are of the first."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A driver began to work on the search, or came back to it."""

    driver: int
    lane: int
    """The lowest number that no other living driver has."""
    workers: int
    host: str
    pid: int
    at_s: float
    t: float
    """Seconds since the search began, not counting when no driver worked on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """A result of an earlier table. Its number is negative."""

    number: int
    point: Point
    values: tuple[float, ...] | None
    outcome: TrialOutcome = TrialOutcome.OK
    constraints: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A point is to be tried."""

    number: int
    point: Point
    origin: Origin
    seen: int
    """It follows from this many lines of the log, from the first."""
    driver: int
    suggest_s: float | None
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A worker took a trial on."""

    number: int
    driver: int
    worker: int
    attempt: int
    submitted_s: float
    stale: int
    """Results that came in since the proposal was begun."""
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A running trial told how it does, in the user's sign."""

    number: int
    step: float
    value: float
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """An attempt ended badly; another follows."""

    number: int
    outcome: TrialOutcome
    error: str
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """A trial was stopped with its driver. It goes on when the search does."""

    number: int
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A trial whose driver is gone has another now."""

    number: int
    driver: int
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What became of a trial."""

    number: int
    outcome: TrialOutcome
    values: tuple[float, ...] | None
    """In the user's sign; for a pruned trial what it last reported."""
    constraints: tuple[float, ...]
    error: str
    fingerprint: str
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A driver left, and why: `complete`, `timeout`, `exhausted`, `interrupted` or `failed`."""

    driver: int
    why: str
    t: float


Event = Begun | Opened | Warm | Asked | Started | Reported | Retried | Halted | Taken | Finished | Closed

_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__.lower(): kind
    for kind in (Begun, Opened, Warm, Asked, Started, Reported, Retried, Halted, Taken, Finished, Closed)
}
_TUPLES: Final = ("values", "constraints")


def to_line(event: Event) -> str:
    """One line of the log, without its end."""
    fields: dict[str, object] = {"kind": type(event).__name__.lower()}
    for one in dataclasses.fields(event):
        value = getattr(event, one.name)
        fields[one.name] = round(value, 6) if one.name in ("t", "submitted_s", "suggest_s") and value else value
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_line(line: str) -> Event:
    """The event of a line.

    Raises:
        ValueError: The line is no event.
    """
    try:
        fields = json.loads(line)
        kind = _KINDS[fields.pop("kind")]
        for name in _TUPLES:
            if fields.get(name) is not None:
                fields[name] = tuple(fields[name])
        if "outcome" in fields:
            fields["outcome"] = TrialOutcome(fields["outcome"])
        event: Event = kind(**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no event of a search: {line[:200]!r}") from error
    return event
