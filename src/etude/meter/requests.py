"""A batch's energy divided over its requests, with padding and idling as accounts of their own.

Prefill goes by useful FLOPs: a prompt twice as long pays for its length, and what padding computed is padding's.
Decoding goes by active rows: each step costs all rows of the batch, and a row that has ended, or never held a request,
is padding's. So requests, padding and idling add up to the run, and no request pays for another's waiting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etude.errors import MeterError


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request's part of one batch."""

    request: str
    prefill_flops: float
    """Useful FLOPs of its own prompt, 0 or more."""
    decode_steps: int
    """Steps in which a token was made for it, 0 or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch: what its two phases used, and who was in it."""

    prefill_j: float | None
    decode_j: float | None
    rows: tuple[Row, ...]
    issued_flops: float
    """FLOPs of the prefill as computed, padding included: at least the rows' useful ones."""
    issued_steps: int
    """Rows of the batch times its decode steps: at least the rows' own."""

    def __post_init__(self) -> None:
        useful = math.fsum(row.prefill_flops for row in self.rows)
        steps = sum(row.decode_steps for row in self.rows)
        if any(row.prefill_flops < 0 or row.decode_steps < 0 for row in self.rows):
            raise MeterError("a batch's rows: expected FLOPs and steps of 0 or more")
        if useful > self.issued_flops * (1 + 1e-9):
            raise MeterError(f"issued_flops: expected at least the {useful:g} useful ones, got {self.issued_flops:g}")
        if steps > self.issued_steps:
            raise MeterError(f"issued_steps: expected at least the {steps} active ones, got {self.issued_steps}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """A run's energy, all of it, by who it was spent for."""

    requests: Mapping[str, float | None]
    """Joules of each request, over all batches it was in; None where one of those is not known."""
    padding_j: float | None
    idle_j: float | None
    """What was spent while no batch ran; None if any batch is not known."""
    run_j: float
    closure_error: float | None
    """|run - (requests + padding + idle)| / run; None where a part is not known."""


def divide(run_j: float, batches: Sequence[Batch]) -> Shares:
    """Divide a run over its requests.

    Args:
        run_j: Joules of the run, 0 or more.
        batches: All that ran in it. What they do not account for is idling between them.

    Raises:
        MeterError: The batches used more than the run: they are not of this run.
    """
    spent: dict[str, list[float] | None] = {}
    padding: list[float] = []
    known: list[float] = []
    for batch in batches:
        if batch.prefill_j is None or batch.decode_j is None:
            spent.update({row.request: None for row in batch.rows})
            continue
        known += [batch.prefill_j, batch.decode_j]
        _divide_batch(batch, batch.prefill_j, batch.decode_j, spent, padding)
    complete = len(known) == 2 * len(batches)
    idle = run_j - math.fsum(known)
    if idle < -1e-9 * max(run_j, 1e-12):
        raise MeterError(f"the batches used {math.fsum(known):g} J, more than the run's {run_j:g} J: not of this run")
    requests = {name: None if parts is None else math.fsum(parts) for name, parts in spent.items()}
    if not complete:
        return Shares(requests=requests, padding_j=None, idle_j=None, run_j=run_j, closure_error=None)
    whole = [*(value for value in requests.values() if value is not None), *padding, idle]
    error = abs(run_j - math.fsum(whole)) / max(run_j, 1e-12)
    return Shares(requests=requests, padding_j=math.fsum(padding), idle_j=idle, run_j=run_j, closure_error=error)


def _divide_batch(
    batch: Batch, prefill_j: float, decode_j: float, spent: dict[str, list[float] | None], padding: list[float]
) -> None:
    flops = [row.prefill_flops for row in batch.rows]
    steps = [float(row.decode_steps) for row in batch.rows]
    prefill, prefill_padding = _by_weight(prefill_j, flops, batch.issued_flops)
    decode, decode_padding = _by_weight(decode_j, steps, float(batch.issued_steps))
    padding += [prefill_padding, decode_padding]
    for row, *parts in zip(batch.rows, prefill, decode, strict=True):
        account = spent.setdefault(row.request, [])
        if account is not None:
            account += parts


def _by_weight(joules: float, weights: Sequence[float], whole: float) -> tuple[list[float], float]:
    """Parts in proportion to weights out of a whole, and the remainder, which takes the rounding."""
    if whole <= 0:
        return [0.0] * len(weights), joules
    parts = [joules * weight / whole for weight in weights]
    return parts, joules - math.fsum(parts)
