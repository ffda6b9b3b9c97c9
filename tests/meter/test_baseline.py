from __future__ import annotations

from pathlib import Path

import pytest

from etude.errors import MeterError
from etude.meter.accounting.ledger import Account
from etude.meter.baseline import Baseline, baseline, net
from etude.meter.measure import measure
from etude.meter.sources.clock import ManualClock
from etude.meter.sources.quantity import Quality, Quantity
from meter_fakes import LiveBoard, quiet_sampler


def idle_accounts(clock: ManualClock, proc: Path, count: int, watts: float) -> list[Account]:
    board = LiveBoard(clock, idle_w=watts)
    sampler = quiet_sampler([board], clock, proc=proc)
    accounts = []
    for _ in range(count):
        with measure(sampler, aligned=True) as m:
            clock.sleep(2.0)
        account = m.ledger().of("gpu0")
        assert account is not None
        accounts.append(account)
    return accounts


def made(watts: float, lo: float, hi: float) -> Baseline:
    power = Quantity(value=watts, unit="watts", quality=Quality.MEASURED, method="baseline", lo=lo, hi=hi)
    return Baseline(kind="loaded", component="gpu0", power_w=power, seconds=10.0, at_utc=0.0)


GROSS = Quantity(value=1000.0, unit="joules", quality=Quality.MEASURED, method="counter", lo=990.0, hi=1010.0)


def test_a_baseline_is_the_mean_power_of_idling_with_its_interval(clock: ManualClock, proc: Path) -> None:
    found = baseline("machine", idle_accounts(clock, proc, 5, 70.0), seconds=2.0, at_utc=0.0)
    assert found.power_w.value == pytest.approx(70.0, rel=0.01)
    assert found.power_w.lo is not None
    assert found.power_w.lo <= 70.0 * 1.01


def test_a_baseline_of_one_stretch_cannot_say_how_sure_it_is(clock: ManualClock, proc: Path) -> None:
    with pytest.raises(MeterError, match="two stretches"):
        baseline("machine", idle_accounts(clock, proc, 1, 70.0), seconds=2.0, at_utc=0.0)


def test_net_is_gross_less_the_baseline_and_says_which() -> None:
    told = net(GROSS, made(50.0, 48.0, 52.0), 10.0)
    assert told.value == pytest.approx(500.0)
    assert (told.lo, told.hi) == (pytest.approx(470.0), pytest.approx(530.0))
    assert "50 W (loaded)" in told.method


def test_net_below_zero_is_unknown_and_blames_the_baseline() -> None:
    told = net(GROSS, made(150.0, 148.0, 152.0), 10.0)
    assert told.value is None
    assert "take the baseline again" in told.reason


def test_net_around_zero_is_told_and_never_clamped() -> None:
    told = net(GROSS, made(100.2, 98.0, 102.4), 10.0)
    assert told.value == pytest.approx(-2.0)


def test_net_of_unknown_gross_is_unknown() -> None:
    assert net(Quantity.absent("joules", "gone"), made(50.0, 48.0, 52.0), 10.0).reason == "gone"
