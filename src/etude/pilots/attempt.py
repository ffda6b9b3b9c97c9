"""What a worker on a cluster reports of one attempt at a node, besides its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from etude.execute.task import Outcome


class Cut(StrEnum):
    """Why an attempt was cut short by where it ran, not by the node."""

    NO_TIME = "no_time"
    """Its job had no time left for it; nothing was done."""
    BLOCK_END = "block_end"
    """The time of its job was up, or the scheduler wanted the machine back."""
    ELSEWHERE = "elsewhere"
    """Another worker computes the node already; nothing was done."""
    NOT_BEGUN = "not_begun"
    """It came with others that took longer than they were thought to; nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a node."""

    outcome: Outcome
    cut: Cut | None = None
    host: str = ""
    block: str = ""
    devices: tuple[str, ...] = ()
    whole_block: bool = False
    """Whether it had its job's time from the start: it will not get more in another one."""
