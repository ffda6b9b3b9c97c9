"""A sampler reads the meters of one process: one background thread, shared by all work that is measured.

The thread starts with the first piece of work, reads each counter ten times a second while something is measured, and
ends by itself after half a minute without work. A short piece of work is framed by two readings and needs no thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from etude.errors import MeterError
from etude.meter.sampling.channel import LOOK_S, Channel
from etude.meter.sampling.log import Log
from etude.meter.sampling.recording import MeterReadings, Recording
from etude.meter.sampling.windows import Windows
from etude.meter.sources.clock import SYSTEM_CLOCK, Clock
from etude.meter.sources.cputime import machine_id
from etude.meter.sources.memory import MemoryAccount, MemoryGauge
from etude.meter.sources.meter import Meter, Occupied, Traits
from etude.meter.sources.processes import ProcessTree, busy_cpu_ns

_BEFORE_NS = 2_000_000_000
"""How much of the log before the work is kept: it tells the power outside."""
_OTHERS_S = 1.0
_SCAN_SHARE = 0.005
"""Looking at descendants may take this part of the time; the more there are, the less often."""
_IDLE_S = 30.0
_CLOSELY_AFTER_S = 0.5
"""Work shorter than this is not worth looking for ticks."""


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """One piece of work while it is measured."""

    memory: MemoryAccount
    channels: tuple[Channel, ...]
    """The meters that count for it."""
    aligned: bool
    started_utc: float
    busy_ns: int | None
    start_ns: int = 0
    start_cpu_ns: int = 0
    foreign: dict[str, set[int]] = field(default_factory=dict)
    unmetered: tuple[str, ...] = ()
    """GPUs that it was given and that no meter goes by."""


class Sampler:
    """The meters of one process, read in the background while something is measured."""

    def __init__(
        self,
        meters: Sequence[Meter] = (),
        *,
        beside: Sequence[Meter] = (),
        absent: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        tree: ProcessTree | None = None,
        memory: MemoryGauge | None = None,
        period_s: float = 0.1,
        threaded: bool = True,
    ) -> None:
        """Sample these meters.

        Args:
            meters: In order of trust: of several sources for one component, the first one's figures count, the others'
                are told beside them.
            beside: Further meters, read for comparison: their figures are told beside the others and never counted.
            absent: Component → why no meter serves it.
            clock: Tells the time.
            tree: The processes whose CPU time counts; None for this one and its descendants.
            memory: Reads memory; None for this process's.
            period_s: How often counters are read, in seconds.
            threaded: False to call `step` by hand.
        """
        self.clock = clock
        self.tree = tree or ProcessTree()
        self.memory = memory or MemoryGauge(self.tree)
        self.channels = [Channel(meter=meter, traits=meter.traits) for meter in meters]
        self.channels += [Channel(meter=meter, traits=meter.traits, beside=True) for meter in beside]
        self.absent = dict(absent or {})
        self.period_s = period_s
        self._threaded = threaded
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._sessions: list[Session] = []
        self._pid = os.getpid()
        self._machine = machine_id()
        self._sample_due_ns = 0
        self._scan_due_ns = 0
        self._others_due_ns = 0
        self._idle_since_ns = 0
        self._shares_machine = any(channel.traits.scope == "machine" for channel in self.channels)
        self._every_s = period_s * max(1.0, sum(channel.ticks_slowly for channel in self.channels) / 2)

    def begin(self, *, aligned: bool = False, devices: Sequence[str] | None = None) -> Session:
        """Begin to measure: read every counter once, then mark the start.

        Args:
            aligned: Wait first for two ticks of every slow counter.
            devices: The GPUs that count, by component name or UUID; None for all.
        """
        if os.getpid() != self._pid:
            self._begin_anew()
        self.tree.scan_if_any()
        session = Session(
            memory=self.memory.open(),
            channels=tuple(channel for channel in self.channels if _counts(channel.traits, devices)),
            aligned=aligned,
            started_utc=self.clock.utc_s(),
            busy_ns=busy_cpu_ns(self.tree.proc),
            start_ns=self.clock.now_ns(),
            unmetered=self._unmetered(devices or ()),
        )
        with self._lock:
            self._sessions.append(session)
            self._wake()
        try:
            self._read(session.channels)
            if aligned:
                self._align(session.channels)
        except BaseException:
            self._leave(session)
            raise
        session.start_cpu_ns = self.tree.cpu_ns()
        session.start_ns = self.clock.now_ns()
        return session

    def end(self, session: Session, windows: Windows, *, settle_share: float = 0.01) -> Recording:
        """End it: mark the end, read every counter once more, and hand over what was noted.

        Args:
            session: From `begin`.
            windows: The windows that were marked.
            settle_share: How long to wait for the tick that closes the last interval of a slow counter, as a share of
                the work's own time; 0 for not at all. Aligned work waits for two ticks whatever they take.
        """
        end_ns = self.clock.now_ns()
        self.tree.scan_if_any()
        end_cpu_ns = self.tree.cpu_ns()
        unclosed = windows.close_all(end_ns, end_cpu_ns)
        try:
            self._read(session.channels)
            if session.aligned:
                self._align(session.channels)
            elif settle_share > 0:
                self._settle(session.channels, settle_share * (end_ns - session.start_ns) / 1e9)
            busy_ns = busy_cpu_ns(self.tree.proc)
            if end_ns - session.start_ns > _CLOSELY_AFTER_S * 1e9:
                self._look_for_others()
        finally:
            self._leave(session)
        warnings = (f"{unclosed} windows were still open at the end",) if unclosed else ()
        return self._recording(session, windows, end_ns, end_cpu_ns, busy_ns, warnings)

    def so_far(self, session: Session, windows: Windows) -> Recording:
        """What was noted of work that goes on: its last counter readings may be a period old."""
        end_ns, end_cpu_ns = self.clock.now_ns(), self.tree.cpu_ns()
        windows.close_all(end_ns, end_cpu_ns)
        busy_ns = busy_cpu_ns(self.tree.proc)
        return self._recording(session, windows, end_ns, end_cpu_ns, busy_ns, ())

    def _recording(
        self,
        session: Session,
        windows: Windows,
        end_ns: int,
        end_cpu_ns: int,
        busy_ns: int | None,
        warnings: tuple[str, ...],
    ) -> Recording:
        return Recording(
            start_ns=session.start_ns,
            end_ns=end_ns,
            started_utc=session.started_utc,
            start_cpu_ns=session.start_cpu_ns,
            end_cpu_ns=end_cpu_ns,
            busy_ns=None if busy_ns is None or session.busy_ns is None else busy_ns - session.busy_ns,
            cores=os.cpu_count() or 1,
            machine=self._machine,
            windows=windows,
            meters=tuple(self._recorded(channel, session) for channel in session.channels),
            memory=session.memory,
            absent=self.absent
            | dict.fromkeys(session.unmetered, "it was given to the work, and no meter has this name"),
            warnings=warnings,
        )

    def step(self) -> float:
        """Read what is due. Returns the seconds until something is due again."""
        now_ns = self.clock.now_ns()
        sessions = tuple(self._sessions)
        if not sessions:
            return self.period_s
        channels = dict.fromkeys(channel for session in sessions for channel in session.channels)
        closely = any(session.aligned or now_ns - session.start_ns > _CLOSELY_AFTER_S * 1e9 for session in sessions)
        for channel in channels:
            if channel.due_ns <= self.clock.now_ns():
                channel.read_and_plan(
                    self.clock, every_s=self._every_s if channel.ticks_slowly else self.period_s, closely=closely
                )
        if self._sample_due_ns <= now_ns:
            self._look_at_processes(now_ns)
        if self._others_due_ns <= now_ns:
            self._look_for_others()
            self._forget(min(session.start_ns for session in sessions))
            self._others_due_ns = now_ns + round(_OTHERS_S * 1e9)
        due_ns = min([self._sample_due_ns, *(channel.due_ns for channel in channels)])
        return max(LOOK_S / 3, (due_ns - self.clock.now_ns()) / 1e9)

    def stop(self) -> None:
        """Stop the thread; the meters stay open for another sampler."""
        self._closing.set()
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join(timeout=2.0)

    def close(self) -> None:
        """Stop the thread and close the meters."""
        self.stop()
        for channel in self.channels:
            with suppress(MeterError, OSError):
                channel.meter.close()

    def __enter__(self) -> Sampler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unmetered(self, devices: Sequence[str]) -> tuple[str, ...]:
        """GPUs that no meter goes by, such as a part of a board; none where it is said of all GPUs."""
        known = {name for channel in self.channels for name in (channel.traits.component, channel.traits.device)}
        return () if "gpu" in self.absent else tuple(name for name in devices if name not in {*known, *self.absent})

    def _leave(self, session: Session) -> None:
        with self._lock:
            self._sessions.remove(session)
            self._idle_since_ns = self.clock.now_ns()
        self.memory.close(session.memory)

    def _recorded(self, channel: Channel, session: Session) -> MeterReadings:
        with channel.lock:
            kept = Log() if channel.traits.at_marks else channel.log.since(session.start_ns - _BEFORE_NS)
        seen = session.foreign.get(channel.traits.device)
        return MeterReadings(
            traits=channel.traits,
            log=kept,
            period_s=channel.period_s,
            foreign=None if seen is None else frozenset(seen),
            beside=channel.beside,
        )

    def _look_at_processes(self, now_ns: int) -> None:
        if self._scan_due_ns <= now_ns:
            began_ns = self.clock.now_ns()
            self.tree.scan()
            self.tree.look_at_memory()
            took_ns = self.clock.now_ns() - began_ns
            self._scan_due_ns = now_ns + round(took_ns / _SCAN_SHARE)
        self.memory.sample(now_ns)
        self._sample_due_ns = now_ns + round(self.period_s * 1e9)

    def _read(self, channels: Sequence[Channel]) -> None:
        for channel in channels:
            if not channel.traits.at_marks:
                channel.read(self.clock)

    def _align(self, channels: Sequence[Channel]) -> None:
        """Wait until every slow counter has been caught ticking twice, or has had the time to."""
        slow = [channel for channel in channels if channel.ticks_slowly and not channel.failing]
        wanted = [(channel, channel.clean + 2) for channel in slow]
        longest_s = max((channel.traits.period_s for channel in slow), default=0.0)
        self._poll_until(lambda: all(channel.clean >= clean for channel, clean in wanted), slow, 4 * longest_s)

    def _settle(self, channels: Sequence[Channel], limit_s: float) -> None:
        """Wait for the tick after the end, but no longer than this."""
        slow = [channel for channel in channels if channel.ticks_slowly and not channel.failing]
        if slow:
            before = [(channel, channel.log.raws[-1] if len(channel.log) else None) for channel in slow]
            longest_s = max(channel.traits.period_s for channel in slow)
            self._poll_until(
                lambda: all(len(channel.log) and channel.log.raws[-1] != raw for channel, raw in before),
                slow,
                min(limit_s, 1.5 * longest_s),
            )

    def _poll_until(self, done: Callable[[], bool], slow: Sequence[Channel], limit_s: float) -> None:
        until_ns = self.clock.now_ns() + round(limit_s * 1e9)
        while not done() and self.clock.now_ns() < until_ns:
            self.clock.sleep(LOOK_S)
            for channel in slow:
                channel.read(self.clock)

    def _look_for_others(self) -> None:
        """Note processes of others on the devices. Ids that this machine does not show are not believed."""
        for channel in self.channels:
            if isinstance(channel.meter, Occupied):
                if (users := channel.meter.users()) is None:
                    continue
                others = {pid for pid in users - self.tree.pids if self.tree.shows(pid)}
                for session in tuple(self._sessions):
                    session.foreign.setdefault(channel.traits.device, set()).update(others)

    def _forget(self, oldest_ns: int) -> None:
        for channel in self.channels:
            with channel.lock:
                channel.log.forget_before(oldest_ns - _BEFORE_NS)

    def _begin_anew(self) -> None:
        """In a forked child: the parent's thread, sessions and process tree are not ours."""
        self._pid = os.getpid()
        self.tree.begin_anew()
        self.memory = MemoryGauge(self.tree)
        self._thread, self._sessions = None, []
        self._lock, self._closing = threading.Lock(), threading.Event()
        self.channels = [
            Channel(meter=channel.meter, traits=channel.meter.traits, beside=channel.beside)
            for channel in self.channels
        ]

    def _wake(self) -> None:
        if self._threaded and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._run, name="etude-meter", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        closing = self._closing
        while not closing.wait(self.step()):
            with self._lock:
                if not self._sessions and self.clock.now_ns() - self._idle_since_ns > _IDLE_S * 1e9:
                    self._thread = None
                    return


def _counts(traits: Traits, devices: Sequence[str] | None) -> bool:
    """Whether a meter counts for work that was given these GPUs. A GPU that it was not given idles for others."""
    if devices is None or not traits.component.startswith("gpu"):
        return True
    return traits.component in devices or traits.device in devices
