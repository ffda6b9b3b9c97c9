"""Measure a piece of work: `with measure(sampler) as m: ...`, then `m.cost()`.

    with measure(sampler) as m:
        with m.window("prefill"):
            ...
    manifest["cost"] = m.cost().as_json()

What fails in measuring never fails the work: the numbers are then None, with the reason.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar, Token
from types import TracebackType

from etude.errors import MeterError
from etude.meter.accounting.carbon import Footprint
from etude.meter.accounting.cost import Cost
from etude.meter.accounting.costing import cost_of
from etude.meter.accounting.ledger import Ledger, resolve
from etude.meter.sampling.recording import Recording
from etude.meter.sampling.sampler import Sampler, Session
from etude.meter.sampling.windows import RUN, Windows
from etude.meter.sources.clock import SYSTEM_CLOCK, Clock
from etude.meter.sources.meter import Meter, as_meter_error

_NO_WINDOW = -2


class Window:
    """A marked interval, used as a context manager. Its index finds it in the ledger."""

    __slots__ = ("_measurement", "_name", "_token", "index")

    def __init__(self, measurement: Measurement, name: str) -> None:
        self._measurement = measurement
        self._name = name
        self._token: Token[tuple[Measurement, int] | None] | None = None
        self.index = _NO_WINDOW

    def __enter__(self) -> Window:
        measurement = self._measurement
        around = _INNERMOST.get()
        parent = around[1] if around is not None and around[0] is measurement else RUN
        self.index = measurement._begin_window(self._name, parent)
        if self.index >= 0:
            self._token = _INNERMOST.set((measurement, self.index))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is None:
            return
        self._measurement._end_window(self.index)
        try:
            _INNERMOST.reset(self._token)
        except ValueError:
            # Closed in another context than it was opened in (a generator that moved between tasks).
            _INNERMOST.set(None)


_INNERMOST: ContextVar[tuple[Measurement, int] | None] = ContextVar("etude_innermost_window", default=None)
"""The window that a new one is inside of: per thread and per asynchronous task."""


class Measurement:
    """One measured piece of work. Made by `measure`."""

    def __init__(
        self,
        sampler: Sampler,
        *,
        owned: bool = False,
        aligned: bool = False,
        footprint: Footprint | None = None,
        devices: Sequence[str] | None = None,
        settle_share: float = 0.01,
    ) -> None:
        self._sampler = sampler
        self._owned = owned
        self._aligned = aligned
        self._footprint = footprint
        self._devices = devices
        self._settle_share = settle_share
        self._windows = Windows()
        self._session: Session | None = None
        self._recording: Recording | None = None
        self._ledger: Ledger | None = None
        self._fault = ""
        self._start_ns = 0
        self._end_ns = 0

    def __enter__(self) -> Measurement:
        self._start_ns = self._sampler.clock.now_ns()
        try:
            with as_meter_error():
                self._session = self._sampler.begin(aligned=self._aligned, devices=self._devices)
        except MeterError as error:  # the work must run whatever becomes of its measuring
            self._fault = f"measuring did not begin: {error}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        self._end_ns = self._sampler.clock.now_ns()
        try:
            with as_meter_error():
                if session is not None:
                    share = self._settle_share if kind is None else 0.0
                    self._recording = self._sampler.end(session, self._windows, settle_share=share)
                if self._owned:
                    self._sampler.close()
        except MeterError as failure:  # the work's own result or error must get through
            self._fault = f"measuring did not end: {failure}"

    def window(self, name: str) -> Window:
        """Mark an interval: `with m.window("prefill"):`. Windows nest; begin and end together take microseconds.

        Use one name for one kind of thing: windows of a name are added up, and a name tells phases apart below the
        tick of a slow counter. Outside the measured work it marks nothing.
        """
        return Window(self, name)

    def saw_resident(self, bytes_: int | None) -> None:
        """Take note of a process's peak that is known from elsewhere, such as from its exit."""
        if self._session is not None and bytes_ is not None:
            self._session.memory.saw(bytes_)
            self._session.memory.method += "; at least the largest one's own peak"

    @property
    def recording(self) -> Recording:
        """What was noted. MeterError before the end, or if measuring failed."""
        if self._recording is None:
            raise MeterError(self._fault or "the work is still being measured: ask after its block has ended")
        return self._recording

    def ledger(self) -> Ledger:
        """Every meter's account of the work and its windows. MeterError as for `recording`."""
        if self._ledger is None:
            self._ledger = resolve(self.recording)
        return self._ledger

    def cost(self) -> Cost:
        """The record for the manifest. After the block has ended it never raises.

        Raises:
            MeterError: The work is still being measured.
        """
        if self._recording is None and not self._fault:
            raise MeterError("the work is still being measured: ask after its block has ended")
        try:
            with as_meter_error():
                return cost_of(self.ledger(), footprint=self._footprint)
        except MeterError as error:  # a result must not be lost for the sake of its cost
            reason = self._fault or f"the readings could not be resolved: {error}"
            return Cost.unknown(reason, wall_s=(self._end_ns - self._start_ns) / 1e9)

    def cost_so_far(self) -> Cost | None:
        """What the work has cost until now, while it goes on; None before and after, and where it cannot be told.

        May be called from any thread.
        """
        session = self._session
        if session is None:
            return None
        try:
            with as_meter_error():
                so_far = resolve(self._sampler.so_far(session, self._windows.copy()))
                return cost_of(so_far, footprint=self._footprint)
        except MeterError:  # the work goes on, whatever becomes of its measuring
            return None

    def _begin_window(self, name: str, parent: int) -> int:
        if self._session is None:
            return _NO_WINDOW
        sampler = self._sampler
        own = threading.get_ident(), time.thread_time_ns()
        return self._windows.begin(name, parent, sampler.clock.now_ns(), sampler.tree.cpu_ns(), *own)

    def _end_window(self, index: int) -> None:
        if self._session is not None:
            own = threading.get_ident(), time.thread_time_ns()
            self._windows.end(index, self._sampler.clock.now_ns(), self._sampler.tree.cpu_ns(), *own)


def measure(
    meters: Sampler | Sequence[Meter] = (),
    *,
    clock: Clock = SYSTEM_CLOCK,
    aligned: bool = False,
    footprint: Footprint | None = None,
    devices: Sequence[str] | None = None,
    settle_share: float = 0.01,
) -> Measurement:
    """Measure the work in a `with` block.

    Args:
        meters: A sampler that several pieces of work share (cheap: use this for many), or meters to read for this one.
            Without any, time and memory are measured, and energy is None.
        clock: Tells the time, for meters; a sampler has its own.
        aligned: Wait, before and after, for two ticks of every slow counter (up to 0.4 s each): the run's energy is
            then known to a fraction of a per cent even for a second of work. For benchmarks.
        footprint: How energy becomes carbon; None leaves carbon unknown.
        devices: The GPUs that the work was given, by component name or UUID; None for all of the machine.
        settle_share: How long to wait at the end for the closing tick of a slow counter, as a share of the work's time.
    """
    owned = not isinstance(meters, Sampler)
    sampler = meters if isinstance(meters, Sampler) else Sampler(meters, clock=clock)
    return Measurement(
        sampler, owned=owned, aligned=aligned, footprint=footprint, devices=devices, settle_share=settle_share
    )
