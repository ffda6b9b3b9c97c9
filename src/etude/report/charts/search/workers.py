"""What the workers did: each trial as a bar on its worker's line, and the share of the workers that was busy."""

from __future__ import annotations

from etude.analysis.search.failures import failures, outcomes
from etude.analysis.search.results import SearchResults
from etude.analysis.search.utilisation import TrialSpan, Utilisation, utilisation, windows
from etude.digits import number_text
from etude.report.charts.palette import INK, SERIES
from etude.report.charts.plot import Box, Boxes, Dot, Dots, Line, Mark, Panel, Plot, Scale, Words
from etude.report.charts.search.wording import OUTCOME_INKS, span_of, trial_tip

MOST_LANES = 64
"""Of more workers evenly chosen ones are drawn."""
MOST_WINDOWS = 80
HATCHED = {"ok": 0, "pruned": 2, "crash": 1, "timeout": 3, "invalid": 4, "out_of_memory": 5}


def workers(results: SearchResults) -> Plot | None:
    """Gantt chart and utilisation; None where no trial has its times."""
    use = utilisation(results)
    if not use.spans or use.overall is None:
        return None
    unit_s, unit = span_of([results])
    end = use.end_s / unit_s
    across = Scale(min(0.0, use.start_s / unit_s), end * 1.01)
    lanes = _lanes(use)
    upper = Panel(
        across._replace(marks=((0.0, ""),)), Scale(0.0, 1.04, "share busy", marks=_SHARES), _share_marks(use, unit_s)
    )
    label = "worker" if use.lanes_known else "lane"
    ticks = tuple((row + 0.5, str(lane)) for row, lane in enumerate(lanes) if len(lanes) <= 16 or row % 8 == 0)
    lower = Panel(
        across._replace(label=f"time ({unit})"),
        Scale(float(len(lanes)), 0.0, label, marks=ticks),
        _gantt_marks(results, use, lanes, unit_s, unit),
        grid="x",
    )
    shown = f"; {len(lanes)} of {use.workers} workers are drawn" if len(lanes) < use.workers else ""
    drained = (
        f" ({number_text(use.until_drain, digits=3)} until the last trial started)"
        if use.until_drain is not None
        else ""
    )
    unknown = "" if use.lanes_known else "; the workers of trials are not known, so lanes are as few as hold them"
    caption = (
        f"{use.workers} workers were busy for {number_text(use.overall, digits=3)} of their time{drained}; "
        f"{number_text(use.busy_s / unit_s)} worker-{unit} in {len(use.spans)} trials{shown}{unknown}"
    )
    height = min(6.0, max(1.6, 0.22 * len(lanes) + 0.6))
    return Plot("workers", "Use of the workers", caption, (upper, lower), heights=(1.5, height))


def outcome_chart(results: SearchResults) -> Plot | None:
    """Trials by outcome, with what the failed ones cost; None for a search without trials."""
    counts = outcomes(results)
    if not counts:
        return None
    unit_s, unit = span_of([results])
    marks: list[Mark] = []
    most = max(each.trials for each in counts)
    for row, each in enumerate(counts):
        spent = f"{number_text(each.lost_s / unit_s)} worker-{unit}"
        tip = f"{each.outcome}: {each.trials} trials ({each.share:.1%}), {spent}"
        tip += f"; {each.reason}" if each.reason else ""
        box = Box(0.0, float(each.trials), row - 0.34, row + 0.34, tip)
        marks.append(Boxes((box,), OUTCOME_INKS.get(each.outcome, INK), hatch=HATCHED.get(each.outcome, 6)))
        said = f"{each.trials} ({each.share:.1%})"
        said += f", {spent}" if each.lost_s else ""
        marks.append(Words(float(each.trials), float(row), said, aside=6.0))
    names = tuple((float(row), each.outcome.replace("_", " ")) for row, each in enumerate(counts))
    lost = failures(results)
    count = sum(each.trials for each in lost)
    reasons = "; ".join(f"{each.outcome}: {each.reason}" for each in lost if each.reason)
    caption = f"{count} of {len(results.trials)} trials failed ({count / len(results.trials):.1%})"
    panel = Panel(
        Scale(0.0, most * 1.6, "trials"),
        Scale(len(counts) - 0.4, -0.6, marks=names),
        tuple(marks),
        grid="x",
    )
    title = "Trials by outcome"
    caption += f"; commonest reasons – {reasons}" if reasons else ""
    return Plot("outcomes", title, caption, (panel,), height=0.7 + 0.42 * len(counts))


_SHARES = ((0.0, "0"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %"))


def _share_marks(use: Utilisation, unit_s: float) -> tuple[Mark, ...]:
    count = max(1, min(MOST_WINDOWS, len(use.spans) // 2))
    boxes = tuple(
        Box(
            start / unit_s,
            end / unit_s,
            0.0,
            share,
            f"{number_text(start / unit_s)} to {number_text(end / unit_s)}: {share:.1%} busy",
        )
        for start, end, share in windows(use, count)
    )
    assert use.overall is not None
    ends = (use.start_s / unit_s, use.end_s / unit_s)
    mean = Line(((ends[0], use.overall), (ends[1], use.overall)), INK, "", 1.4, dash=1)
    above = -8.0 if use.overall > 0.85 else 8.0
    words = Words(ends[1], use.overall, f"{use.overall:.1%} overall", "end", strong=True, aside=-4.0, above=above)
    return (Boxes(boxes, SERIES[6], opacity=0.45), mean, words)


def _lanes(use: Utilisation) -> list[int]:
    if use.workers <= MOST_LANES:
        return list(range(use.workers))
    return sorted({round(at * (use.workers - 1) / (MOST_LANES - 1)) for at in range(MOST_LANES)})


def _gantt_marks(
    results: SearchResults, use: Utilisation, lanes: list[int], unit_s: float, unit: str
) -> tuple[Mark, ...]:
    row = {lane: at for at, lane in enumerate(lanes)}
    trials = {trial.number: trial for trial in results.trials}
    by: dict[str, list[TrialSpan]] = {each.outcome: [] for each in outcomes(results)}
    for span in use.spans:
        if span.lane in row:
            by[span.outcome].append(span)
    base = results.baseline
    found_at = [span for span in use.spans if base and span.number == base.number and span.lane in row]
    dots = tuple(
        Dot((span.start_s + span.end_s) / 2 / unit_s, row[span.lane] + 0.5, INK, trial_tip(results, base, 6))
        for span in found_at
        if base is not None
    )
    bars = tuple(
        Boxes(
            tuple(
                Box(
                    span.start_s / unit_s,
                    span.end_s / unit_s,
                    row[span.lane] + 0.1,
                    row[span.lane] + 0.9,
                    f"trial {span.number}: {trials[span.number].outcome}, {number_text(span.start_s / unit_s)} to "
                    f"{number_text(span.end_s / unit_s)} {unit}",
                )
                for span in spans
            ),
            OUTCOME_INKS.get(outcome, INK),
            outcome.replace("_", " "),
            hatch=HATCHED.get(outcome, 6),
            apart=True,
        )
        for outcome, spans in by.items()
        if spans
    )
    return (*bars, Dots(dots, 1, 7.0, "baseline", hollow=True)) if dots else bars
