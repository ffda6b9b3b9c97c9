"""What a search looks like while it goes on and when it is done: a state made of events, and pictures of that state."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etude.cli.console import escape
from etude.cli.run_progress import LiveProgress
from etude.digits import short_text
from etude.execute.run_events import Event as RunEvent
from etude.graph.labels import text_of
from etude.search.spec import NO_LIMIT, Search
from etude.search.trial_events import Asked, Closed, Event, Finished, Halted, Opened, Retried, Started
from etude.search.trial_history import TrialHistory
from etude.search.trials import Goal, Trial, TrialOutcome
from etude.study.prepare import PreparedStudy
from etude.units import readable_seconds


@dataclass(slots=True, kw_only=True)
class SearchView:
    """What is known of a search from its events so far."""

    goal: Goal
    trials: int | None
    """How many are asked for; None where time alone ends the search."""
    timeout_s: float | None
    workers: int = 1
    best: tuple[Trial, ...] = ()
    """The best so far; several where goals compete."""
    baseline: Trial | None = None
    failures: Counter[str] = field(default_factory=Counter)
    done: int = 0
    done_here: int = 0
    """Since this run began."""
    opened_s: float = 0.0
    now_s: float = 0.0
    busy_s: float = 0.0
    running: dict[int, float] = field(default_factory=dict)
    """Trial → when it was taken on."""
    waiting: int = 0
    closed: str = ""
    process: int = 0
    """Of the driver that is looked at; what was logged before it came is no news."""
    driver: int | None = None

    def take(self, event: Event, history: TrialHistory) -> str:
        """Take one event in. A line that is worth keeping on the screen, or nothing."""
        self.now_s = max(self.now_s, getattr(event, "t", 0.0))
        if isinstance(event, Opened) and event.pid == self.process and self.driver is None:
            self.driver, self.opened_s, self.workers = event.driver, event.t, event.workers
            self.catch_up(history)
        return self._news(event, history) if self.driver is not None else ""

    def _news(self, event: Event, history: TrialHistory) -> str:
        match event:
            case Asked():
                self.waiting += 1
            case Started():
                self.waiting -= event.number not in self.running
                self.running[event.number] = event.submitted_s
            case Retried() | Halted():
                self._free(event.number, event.t)
                if isinstance(event, Retried):
                    return f"  [yellow]↻[/] trial {event.number}  {escape(event.outcome)}: {escape(event.error)}"
            case Finished():
                self._free(event.number, event.t)
                self.done += 1
                self.done_here += 1
                return self._ended(history.trials[event.number])
            case Closed() if event.driver == self.driver:
                self.closed = event.why
        return ""

    def catch_up(self, history: TrialHistory) -> None:
        self.failures.clear()
        self.done, self.best = 0, ()
        for number in history.ended:
            self.done += 1
            self._ended(history.trials[number])

    def _free(self, number: int, at_s: float) -> None:
        begun = self.running.pop(number, None)
        if begun is not None:
            self.busy_s += at_s - max(begun, self.opened_s)

    def _ended(self, trial: Trial) -> str:
        if trial.origin == "baseline":
            self.baseline = trial
        if trial.outcome is not TrialOutcome.OK:
            self.failures[str(trial.outcome)] += 1
            if trial.outcome is TrialOutcome.PRUNED:
                return ""
            return f"  [red]✗[/] trial {trial.number}  {escape(trial.outcome)}: {escape(trial.error)}"
        if trial.values is None or not trial.feasible:
            return ""
        if any(self.goal.better(best.values or (), trial.values) or best.values == trial.values for best in self.best):
            return ""
        unbeaten = tuple(best for best in self.best if not self.goal.better(trial.values, best.values or ()))
        self.best = (*unbeaten, trial)
        return f"  [green]★[/] trial {trial.number}  {values_text(self.goal, trial)}  [dim]{point_text(trial.point)}[/]"

    @property
    def elapsed_s(self) -> float:
        """Seconds of this run."""
        return max(self.now_s - self.opened_s, 1e-9)

    @property
    def utilisation(self) -> float:
        """Share of the workers' time in this run in which they had a trial."""
        busy = self.busy_s + sum(self.now_s - max(begun, self.opened_s) for begun in self.running.values())
        return min(1.0, busy / (self.workers * self.elapsed_s))

    def left_s(self) -> float | None:
        """Seconds that are probably left; None where that cannot be known yet."""
        limits_s = []
        if self.trials is not None and self.done_here:
            limits_s.append((self.trials - self.done) * self.elapsed_s / self.done_here)
        if self.timeout_s is not None:
            limits_s.append(self.timeout_s - self.now_s)
        return max(0.0, min(limits_s)) if limits_s else None


def values_text(goal: Goal, trial: Trial) -> str:
    """A trial's objectives: `quality.auc 0.912`."""
    values = trial.values or ()
    return "  ".join(
        f"[bold]{escape(metric)} {short_text(value, 6)}[/]" for metric, value in zip(goal.metrics, values, strict=True)
    )


def point_text(point: Mapping[str, object]) -> str:
    """A point in one line, numbers cut to four digits."""
    return " ".join(
        f"{escape(name)}={short_text(value) if isinstance(value, float) else escape(text_of(value))}"
        for name, value in point.items()
    )


class SearchProgress:
    """Shows a search as it happens, and after it the rest of the run."""

    def __init__(self, console: Console, search: Search, *, moving: bool = True) -> None:
        trials = None if search.trials == NO_LIMIT else search.trials
        self.console = console
        self.view = SearchView(goal=search.goal, trials=trials, timeout_s=search.timeout_s, process=os.getpid())
        self._rest = LiveProgress(console, moving=False)
        self._moving = moving and console.is_terminal
        self._live: Live | None = None
        self._opened: float | None = None

    def __enter__(self) -> SearchProgress:
        if self._moving:
            self._live = Live(get_renderable=self._picture, console=self.console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: RunEvent) -> None:
        """Take an event of the run: those of single nodes are of interest once the search is over."""
        if self.view.closed or not event.label:
            self._rest(event)

    def observe(self, event: Event, history: TrialHistory) -> None:
        """Take an event of the search."""
        line = self.view.take(event, history)
        if self.view.driver is not None and self._opened is None:
            self._opened = time.monotonic()
        if line:
            self.console.print(line, soft_wrap=True)
        if self.view.closed and self._live is not None:
            self._live.stop()

    def _picture(self) -> RenderableType:
        if self._opened is not None and not self.view.closed:
            since_s = time.monotonic() - self._opened
            self.view.now_s = max(self.view.now_s, self.view.opened_s + since_s)
        return picture(self.view)


def picture(view: SearchView) -> RenderableType:
    """The state as a few lines."""
    bar = Table.grid(padding=(0, 1))
    if view.trials is not None:
        bar.add_row(
            ProgressBar(total=view.trials, completed=view.done, width=30), f"{view.done} of {view.trials} trials"
        )
    else:
        bar.add_row(f"{view.done} trials")
    rate = 3600 * view.done_here / view.elapsed_s
    left = view.left_s()
    parts = [
        f"{len(view.running)} of {view.workers} workers busy",
        f"utilisation {view.utilisation:.0%}",
        f"{rate:.0f} trials an hour" if view.done_here else "",
        f"about {readable_seconds(left)} left" if left is not None else "",
    ]
    lines: list[RenderableType] = [bar, Text("  ".join(part for part in parts if part), style="dim")]
    if view.best:
        best = view.best[-1]
        alone = len(view.best) == 1
        values = values_text(view.goal, best) if alone else f"{len(view.best)} trials on the Pareto front"
        lines.append(Text.from_markup(f"best: {values}  [dim]{point_text(best.point) if alone else ''}[/]"))
    if view.failures:
        lines.append(Text("failed: " + ", ".join(f"{count} {cause}" for cause, count in view.failures.most_common())))
    return Group(*lines)


def search_lines(prepared: PreparedStudy) -> list[str]:
    """What a search has come to, in a few lines of markup; none where there is none."""
    state = prepared.search
    if state is None or state.history.begun is None:
        return []
    view = SearchView(goal=state.search.goal, trials=None, timeout_s=state.search.timeout_s)
    view.catch_up(state.history)
    ends = {"exhausted": "every point has been", "interrupted": "stopped"}
    why = f" ({ends[state.history.closed]})" if state.history.closed in ends else ""
    lines = [f"{escape(state.left)}{why} in {readable_seconds(state.history.last_t)}"]
    if len(view.best) == 1:
        best = view.best[0]
        lines.append(f"best: trial {best.number}  {values_text(view.goal, best)}  [dim]{point_text(best.point)}[/]")
    elif view.best:
        lines.append(f"{len(view.best)} trials on the Pareto front: etude top {escape(prepared.study.file)}")
    if view.baseline is not None and view.baseline.values is not None and view.baseline not in view.best:
        lines.append(f"baseline: {values_text(view.goal, view.baseline)}")
    if view.failures:
        lines.append("not ok: " + ", ".join(f"{count} {escape(cause)}" for cause, count in view.failures.most_common()))
    return lines
