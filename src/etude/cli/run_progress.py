"""What a run looks like while it runs: a state made of events, and a picture of that state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from etude.cli.console import escape
from etude.digits import number_text
from etude.execute.run_events import Event, EventKind, now
from etude.graph.pipeline import RECORDS
from etude.units import readable_bytes, readable_seconds


@dataclass(slots=True, kw_only=True)
class Active:
    """A node that runs now."""

    label: str
    name: str
    since_s: float
    done: float | None = None
    total: float | None = None
    message: str = ""


@dataclass(slots=True, kw_only=True)
class RunView:
    """What is known of a run from its events so far."""

    study: str = ""
    variants: int = 0
    cached: int = 0
    started_s: float | None = None
    left: dict[str, int] = field(default_factory=dict)
    """Node name → how many of them are still to do."""
    times_s: dict[str, list[float]] = field(default_factory=dict)
    """Node name → seconds that its nodes took, in this run or before."""
    active: dict[str, Active] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    queued: dict[str, str] = field(default_factory=dict)
    """Handed to the cluster, and waiting there."""
    computed: int = 0
    reused: int = 0
    failed: int = 0
    blocked: int = 0
    most_active: int = 1
    stopping: bool = False
    ended: bool = False

    @property
    def todo(self) -> int:
        return sum(self.left.values())

    def take(self, event: Event) -> None:
        """Take one event in."""
        data = event.data or {}
        match event.kind:
            case EventKind.RUN_STARTED:
                self._begin(event, data)
            case EventKind.QUEUED:
                self.waiting.pop(event.fingerprint, None)
                self.queued[event.fingerprint] = event.label
            case EventKind.STARTED:
                self.queued.pop(event.fingerprint, None)
                self.waiting.pop(event.fingerprint, None)
                self.active[event.fingerprint] = Active(label=event.label, name=event.name, since_s=event.time_s)
                self.most_active = max(self.most_active, len(self.active))
            case EventKind.PROGRESS:
                if active := self.active.get(event.fingerprint):
                    active.done, active.total = _number(data.get("done")), _number(data.get("total"))
                    active.message = str(data.get("message") or "")
            case EventKind.DONE | EventKind.REUSED:
                self._finish(event, data)
            case EventKind.WAITING:
                self.waiting[event.fingerprint] = event.label
            case EventKind.FAILED:
                self._drop(event)
                self.failed += 1
            case EventKind.BLOCKED:
                self._drop(event)
                self.blocked += 1
            case EventKind.RETRY | EventKind.STOPPED:
                self.active.pop(event.fingerprint, None)
                self.queued.pop(event.fingerprint, None)
            case EventKind.STOPPING:
                self.stopping = True
            case EventKind.RUN_ENDED:
                self.ended = True

    def _begin(self, event: Event, data: Mapping[str, object]) -> None:
        self.started_s = event.time_s
        self.study = str(data.get("study", ""))
        self.variants = int(_number(data.get("variants")) or 0)
        self.cached = int(_number(data.get("cached")) or 0)
        todo, expected = data.get("todo"), data.get("expected_s")
        self.left = dict(todo) if isinstance(todo, Mapping) else {}
        self.times_s = {name: [time] for name, time in expected.items()} if isinstance(expected, Mapping) else {}

    def _finish(self, event: Event, data: Mapping[str, object]) -> None:
        self._drop(event)
        self.waiting.pop(event.fingerprint, None)
        if event.kind is EventKind.REUSED:
            self.reused += 1
            return
        self.computed += 1
        cost = data.get("cost")
        wall_s = _number(cost.get("wall_s")) if isinstance(cost, Mapping) else None
        if wall_s is not None:
            self.times_s.setdefault(event.name, []).append(wall_s)

    def _drop(self, event: Event) -> None:
        self.active.pop(event.fingerprint, None)
        self.queued.pop(event.fingerprint, None)
        if self.left.get(event.name):
            self.left[event.name] -= 1

    def left_s(self, now_s: float) -> tuple[float, bool]:
        """Seconds that are probably left, and whether some nodes are of a kind whose time is not known yet."""
        total, unknown = 0.0, False
        for name, count in self.left.items():
            times = self.times_s.get(name)
            if times:
                total += count * sum(times) / len(times)
            elif count:
                unknown = unknown or name != RECORDS
        for active in self.active.values():
            total -= min(now_s - active.since_s, _mean(self.times_s.get(active.name)))
        return max(total, 0.0) / self.most_active, unknown


def _mean(values: list[float] | None) -> float:
    return sum(values) / len(values) if values else 0.0


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def picture(view: RunView, now_s: float) -> RenderableType:
    """The state as lines: one for the run, one for each node that runs."""
    done = view.computed + view.reused + view.failed + view.blocked
    total = done + view.todo
    elapsed = now_s - (view.started_s or now_s)
    left_s, unknown = view.left_s(now_s)
    head = Table.grid(padding=(0, 1))
    left = (
        f"{'more than ' if unknown else 'about '}{readable_seconds(left_s)} left"
        if left_s or not unknown
        else "time left not known yet"
    )
    words = f"{done}/{total} nodes, {view.cached} cached · {readable_seconds(elapsed)} · {left}"
    if view.stopping:
        words += " · stopping at the next checkpoint, Ctrl-C again to stop now"
    head.add_row(
        Text(view.study, style="bold"), ProgressBar(total=max(total, 1), completed=done, width=28), Text(words)
    )
    rows = Table.grid(padding=(0, 1))
    for active in view.active.values():
        part = ""
        if active.done is not None:
            part = f"{active.done:g}" + (f"/{active.total:g}" if active.total else "")
        rows.add_row(
            "  ▸", Text(active.label), readable_seconds(now_s - active.since_s), part, Text(active.message, style="dim")
        )
    for label in view.waiting.values():
        rows.add_row("  …", Text(label), "", "another run computes it", "")
    if view.queued:
        rows.add_row("  …", Text(f"{len(view.queued)} node{'s' * (len(view.queued) > 1)}"), "", "in the queue", "")
    return Group(head, rows)


MOST_LINES = 100
"""Of more nodes than that, output that is no terminal gets a line for each tenth of a step's nodes."""
_BY_TENTHS = (EventKind.DONE, EventKind.REUSED, EventKind.WAITING, EventKind.BLOCKED)


class LiveProgress:
    """Shows a run on a terminal as it goes, and as plain lines where there is none."""

    def __init__(self, console: Console, *, moving: bool = True, verbose: bool = False) -> None:
        self.console = console
        self.view = RunView()
        self._moving = moving and console.is_terminal
        self._verbose = verbose
        self._totals: dict[str, int] = {}
        """Of a long run without a terminal: node as written → how many of it are to do."""
        self._done: dict[str, int] = {}
        self._live: Live | None = None

    def __enter__(self) -> LiveProgress:
        if self._moving:
            self._live = Live(get_renderable=self._picture, console=self.console, refresh_per_second=4, transient=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        self.view.take(event)
        if self._live is not None and not self._live.is_started:
            self._live.start()
        if event.kind is EventKind.RUN_STARTED:
            plain = not self._moving and not self._verbose
            self._totals = dict(self.view.left) if plain and self.view.todo > MOST_LINES else {}
            self._done = {}
        if line := self._line(event):
            self.console.print(line, soft_wrap=True)

    def _line(self, event: Event) -> str:
        if self._verbose and event.kind is EventKind.STARTED:
            return f"  [dim]▸ {escape(event.label)}[/]"
        if self._totals and event.kind in _BY_TENTHS:
            return self._tenth_line(event)
        return line_of(event, self.view)

    def _tenth_line(self, event: Event) -> str:
        """A line where another tenth of a step's results is there; empty elsewhere."""
        total = self._totals.get(event.name, 0)
        if event.kind not in (EventKind.DONE, EventKind.REUSED) or event.name == RECORDS or not total:
            return ""
        done = self._done[event.name] = self._done.get(event.name, 0) + 1
        if 10 * done // total == 10 * (done - 1) // total:
            return ""
        left_s, unknown = self.view.left_s(event.time_s)
        left = f"{self.view.todo} nodes left" + ("" if unknown else f", about {readable_seconds(left_s)}")
        return f"  [green]✓[/] {escape(event.name)}  {done} of {total}  [dim]{left}[/]"

    def _picture(self) -> RenderableType:
        return picture(self.view, now())


def line_of(event: Event, view: RunView) -> str:
    """What is printed of an event for good; empty for what the moving picture alone shows."""
    data = event.data or {}
    label, error = escape(event.label), escape(data.get("error"))
    match event.kind:
        case EventKind.RUN_STARTED:
            study = escape(view.study)
            return f"[bold]{study}[/]: {view.variants} variants, {view.todo} nodes to run, {view.cached} cached"
        case EventKind.DONE:
            if event.name == RECORDS:
                return ""
            return f"  [green]✓[/] {label}  [dim]{_cost_text(data.get('cost'))}[/]"
        case EventKind.REUSED:
            return f"  [cyan]=[/] {label}  [dim]{escape(data.get('how') or 'found done')}[/]"
        case EventKind.WAITING:
            return f"  [yellow]…[/] {label}  [dim]another run computes it ({escape(data.get('holder'))})[/]"
        case EventKind.FAILED:
            return f"  [red]✗[/] {label}  {error}"
        case EventKind.RETRY:
            return f"  [yellow]↻[/] {label}  {error}; once more in {data.get('wait_s')} s"
        case EventKind.BLOCKED if not view.stopping:
            return f"  [dim]- {label}  not run: it reads {escape(data.get('because'))}[/]"
        case EventKind.STOPPED:
            return f"  [yellow]■[/] {label}  stopped at a checkpoint"
        case EventKind.JOB:
            return _job_line(data)
        case EventKind.STOPPING:
            return "[yellow]Stopping: running nodes go on to their next checkpoint. Ctrl-C again stops them now.[/]"
        case _:
            return ""


def _job_line(data: Mapping[str, object]) -> str:
    """A line for what becomes of a batch job; none for what only its account says."""
    state, reason = str(data.get("state")), escape(data.get("reason") or "")
    if state == "accounted":
        return ""
    if "id" not in data:
        return f"  [yellow]![/] {state}  [dim]{reason}[/]"
    colour = {"done": "green", "failed": "red", "lost": "yellow"}.get(state, "dim")
    attempt = f" (attempt {data['attempt']})" if data.get("attempt") not in (1, None) else ""
    what = f"job {data['id']} {escape(data.get('variant'))}{attempt}"
    return f"  [{colour}]⇢[/] [dim]{what}[/] [{colour}]{state}[/]  [dim]{reason}[/]".rstrip()


def _cost_text(cost: object) -> str:
    if not isinstance(cost, Mapping):
        return ""
    parts = []
    if (wall_s := _number(cost.get("wall_s"))) is not None:
        parts.append(readable_seconds(wall_s))
    if (peak := _number(cost.get("peak_rss_bytes"))) is not None:
        parts.append(readable_bytes(peak))
    if (energy_j := _number(cost.get("energy_j"))) is not None and energy_j >= 1:
        about = "" if cost.get("energy_quality") in ("measured", "integrated") else "≈"
        parts.append(f"{about}{number_text(energy_j, digits=2)} J")
    return ", ".join(parts)
