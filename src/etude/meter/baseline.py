"""What a machine draws without the work, kept apart by what is meant: three baselines and a net that is never clamped.

- *machine*: nothing of ours is loaded;
- *loaded*: the model's weights and the device's context are in memory, and nothing is computed (the device idles at a
  higher state than before);
- *serving*: the loop waits for the next request.

Gross energy is always told. Net energy needs a baseline, and a net below zero says that the baseline is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from etude.errors import MeterError
from etude.meter.accounting.ledger import Account
from etude.meter.latency import mean_interval
from etude.meter.sources.quantity import Quality, Quantity, worst

Kind = Literal["machine", "loaded", "serving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Power of one component without the work."""

    kind: Kind
    component: str
    power_w: Quantity
    seconds: float
    """How long it was measured."""
    at_utc: float
    """When, in seconds since 1970."""


def baseline(kind: Kind, accounts: Sequence[Account], *, seconds: float, at_utc: float) -> Baseline:
    """A baseline from stretches of idling that were measured like any other work.

    Args:
        kind: What was loaded meanwhile.
        accounts: One component's accounts of stretches of equal length, two or more; the interval of the mean power
            allows for their being alike one after the other.
        seconds: Length of each stretch.
        at_utc: When the first began.

    Raises:
        MeterError: Fewer than two stretches, more than one component, or energy that is not known.
    """
    if len(accounts) < 2 or seconds <= 0:
        raise MeterError("a baseline needs two stretches or more, each longer than 0 s, to know how sure it is")
    components = {account.traits.component for account in accounts}
    if len(components) > 1:
        raise MeterError(f"a baseline is of one component, got {sorted(components)}")
    unknown = next((account.gross for account in accounts if account.gross.value is None), None)
    if unknown is not None:
        raise MeterError(f"a baseline of {components.pop()} cannot be told: {unknown.reason}")
    told = mean_interval([(account.gross.value or 0.0) / seconds for account in accounts])
    power = Quantity(
        value=told.value,
        unit="watts",
        quality=worst(account.gross.quality for account in accounts),
        method=f"{kind} baseline over {len(accounts)} × {seconds:g} s, {accounts[0].traits.method}",
        lo=told.lo,
        hi=told.hi,
    )
    return Baseline(
        kind=kind, component=components.pop(), power_w=power, seconds=seconds * len(accounts), at_utc=at_utc
    )


def net(gross: Quantity, baseline: Baseline, wall_s: float) -> Quantity:
    """Energy above a baseline.

    Returns:
        Gross less the baseline's power times the time, with both intervals. None, with the figures, where that is below
        zero beyond doubt: then the baseline was taken in another state than the work began from.
    """
    power = baseline.power_w
    if gross.value is None or power.value is None:
        return Quantity.absent(gross.unit, gross.reason or power.reason, method=gross.method)
    method = f"{gross.method} less {power.value:.3g} W ({baseline.kind})"
    lo = None if gross.lo is None or power.hi is None else gross.lo - power.hi * wall_s
    hi = None if gross.hi is None or power.lo is None else gross.hi - power.lo * wall_s
    value = gross.value - power.value * wall_s
    if value < 0 and (hi is None or hi < 0):
        reason = (
            f"net would be {value:.3g} J: the {baseline.kind} baseline of {power.value:.3g} W is more than the "
            f"{gross.value / wall_s:.3g} W that the work drew. Mend: take the baseline again, just before the work."
        )
        return Quantity.absent(gross.unit, reason, method=method)
    quality = worst((gross.quality, power.quality, Quality.MEASURED))
    return replace(gross, value=value, lo=lo, hi=hi, method=method, quality=quality)
