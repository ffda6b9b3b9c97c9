"""How busy the workers were: who ran what when, and which share of them worked, at each moment and over all."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from etude.analysis.search.results import SearchResults, Trial


class TrialSpan(NamedTuple):
    """One trial on one worker."""

    lane: int
    """Numbered from 0: workers in the order of their own numbers, or as many as were busy at once."""
    start_s: float
    end_s: float
    number: int
    outcome: str


class Busy(NamedTuple):
    """From this moment on so many workers were busy, until the next one."""

    time_s: float
    workers: int


class Utilisation(NamedTuple):
    """The use of the workers of one search."""

    spans: tuple[TrialSpan, ...]
    workers: int
    """As many as there were to be busy."""
    start_s: float
    end_s: float
    """From the first start to the last end."""
    busy_s: float
    """Sum of the spans."""
    steps: tuple[Busy, ...]
    lanes_known: bool
    """Whether the table tells the worker of each trial; else spans are laid into as few lanes as hold them."""

    @property
    def overall(self) -> float | None:
        """Share of the workers' time in which they ran a trial; None where no time passed."""
        span_s = (self.end_s - self.start_s) * self.workers
        return self.busy_s / span_s if span_s > 0 else None

    @property
    def until_drain(self) -> float | None:
        """The same until the last trial had started: what is idle after that is no fault of the search."""
        last = max((span.start_s for span in self.spans), default=self.start_s)
        span_s = (last - self.start_s) * self.workers
        busy = sum(max(0.0, min(span.end_s, last) - span.start_s) for span in self.spans)
        return busy / span_s if span_s > 0 else None


def utilisation(results: SearchResults) -> Utilisation:
    """Read spans from the trials that started and ended.

    Workers of several drivers may have one number: where two trials of one worker overlap, lanes are found anew.
    """
    ran = [trial for trial in results.trials if trial.started_s is not None and trial.ended_s is not None]
    known = bool(ran) and all(trial.worker is not None for trial in ran)
    spans = _by_worker(ran) if known else _packed(ran)
    if known and _overlap(spans):
        known, spans = False, _packed(ran)
    lanes = 1 + max((span.lane for span in spans), default=-1)
    return Utilisation(
        spans=tuple(spans),
        workers=max(results.workers or 0, lanes),
        start_s=min((span.start_s for span in spans), default=0.0),
        end_s=max((span.end_s for span in spans), default=0.0),
        busy_s=sum(span.end_s - span.start_s for span in spans),
        steps=_steps(spans),
        lanes_known=known,
    )


def windows(use: Utilisation, count: int) -> tuple[tuple[float, float, float], ...]:
    """Equal parts of the time, each with the share of the workers that was busy: (start, end, share)."""
    length = (use.end_s - use.start_s) / count if count else 0.0
    if length <= 0 or not use.workers:
        return ()
    busy = [0.0] * count
    for span in use.spans:
        first = int((span.start_s - use.start_s) / length)
        for at in range(min(first, count - 1), count):
            left = use.start_s + at * length
            if left >= span.end_s:
                break
            busy[at] += max(0.0, min(span.end_s, left + length) - max(span.start_s, left))
    begin = use.start_s
    return tuple(
        (begin + at * length, begin + (at + 1) * length, share / (length * use.workers))
        for at, share in enumerate(busy)
    )


def _by_worker(ran: Sequence[Trial]) -> list[TrialSpan]:
    lanes = {worker: lane for lane, worker in enumerate(sorted({trial.worker or 0 for trial in ran}))}
    return [_span(trial, lanes[trial.worker or 0]) for trial in sorted(ran, key=_start)]


def _packed(ran: Sequence[Trial]) -> list[TrialSpan]:
    """Each trial into the lane that has been free for the longest, a further one where none is."""
    free: list[tuple[float, int]] = []
    spans = []
    lanes = 0
    for trial in sorted(ran, key=_start):
        if free and free[0][0] <= _start(trial)[0]:
            _, lane = heapq.heappop(free)
        else:
            lane, lanes = lanes, lanes + 1
        spans.append(_span(trial, lane))
        heapq.heappush(free, (trial.ended_s or 0.0, lane))
    return spans


def _overlap(spans: Sequence[TrialSpan]) -> bool:
    ends: dict[int, float] = {}
    for span in spans:
        if span.start_s < ends.get(span.lane, span.start_s):
            return True
        ends[span.lane] = span.end_s
    return False


def _start(trial: Trial) -> tuple[float, int]:
    return trial.started_s or 0.0, trial.number


def _span(trial: Trial, lane: int) -> TrialSpan:
    return TrialSpan(lane, trial.started_s or 0.0, trial.ended_s or 0.0, trial.number, trial.outcome)


def _steps(spans: Sequence[TrialSpan]) -> tuple[Busy, ...]:
    change: Counter[float] = Counter()
    for span in spans:
        change[span.start_s] += 1
        change[span.end_s] -= 1
    busy, steps = 0, []
    for time_s in sorted(change):
        busy += change[time_s]
        steps.append(Busy(time_s, busy))
    return tuple(steps)
