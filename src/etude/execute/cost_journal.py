"""What earlier attempts at a node cost: kept beside its scratch folder, and part of what its result cost.

An attempt that is killed tells nothing any more, so a running one writes down every few seconds what it has cost.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from etude.errors import MeterError
from etude.meter.accounting.carbon import Footprint
from etude.meter.accounting.cost import Cost
from etude.meter.accounting.merge import merge_attempts, merge_ranks
from etude.store.store import Store

FIRST_S = 1.0
"""After so long a running attempt writes its cost down for the first time, and then every `EVERY_S`."""
EVERY_S = 5.0
_CUT = f"an attempt was killed: what it spent after it last told its cost, at most about {EVERY_S:g} s, is not in this"


def new_attempt_id() -> str:
    """A name that sorts by time."""
    return f"{time.time_ns():020d}"


def attempt_file(store: Store, fingerprint: str, attempt: str = "", rank: int = 0) -> Path:
    """Where an attempt writes down what it costs.

    Args:
        store: Of the node's result.
        fingerprint: The node.
        attempt: Its name; empty for a new one.
        rank: Which of the attempt's processes this is.
    """
    return store.attempts(fingerprint) / f"{attempt or new_attempt_id()}.{rank}.json"


def write_cost(file: Path, cost: Cost, *, ended: bool) -> None:
    """Write an attempt's cost down. Where that cannot be done, nothing is lost but the cost."""
    if not file.parent.parent.parent.parent.is_dir():
        return  # the store is gone: nothing is made in its place
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(f".{os.getpid()}.tmp")
        aside.write_text(json.dumps({"ended": ended, "cost": cost.as_json()}), encoding="utf-8")
        aside.replace(file)


def cost_with_earlier_attempts(
    cost: Cost, store: Store, fingerprint: str, this: Path, number: int, by: Footprint | None
) -> Cost:
    """The cost of an attempt that succeeded, with that of those before it.

    Args:
        cost: Of all its ranks.
        store: Of the node's result.
        fingerprint: The node.
        this: The attempt's own file.
        number: Which attempt this is, as far as the run knows.
        by: How energy becomes carbon.
    """
    earlier = _earlier(store.attempts(fingerprint), this.name.partition(".")[0], by)
    whole = merge_attempts([*earlier, cost], footprint=by)
    untold = number - 1 - len(earlier)
    if untold <= 0:
        return whole
    some = "1 earlier attempt" if untold == 1 else f"{untold} earlier attempts"
    note = f"{some} ended before it was told what it cost: that is not in this"
    return replace(whole, attempts=number, warnings=(*whole.warnings, note))


def _earlier(folder: Path, this: str, by: Footprint | None) -> list[Cost]:
    attempts: dict[str, list[Cost]] = {}
    with suppress(FileNotFoundError):
        for file in sorted(folder.iterdir()):
            name = file.name.partition(".")[0]
            if file.suffix != ".json" or name == this:
                continue
            with suppress(OSError, ValueError, KeyError, TypeError, MeterError):
                written = json.loads(file.read_text(encoding="utf-8"))
                cost = Cost.from_json(written["cost"])
                if not written["ended"]:
                    cost = replace(cost, warnings=(*cost.warnings, _CUT))
                attempts.setdefault(name, []).append(cost)
    return [merge_ranks(ranks, footprint=by) for ranks in attempts.values()]
