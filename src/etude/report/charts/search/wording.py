"""What the charts of a search have in common: how trials, outcomes and the baseline are told and inked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from etude.analysis.search.results import Dimension, SearchResults, Trial
from etude.digits import number_text, short_text
from etude.report.charts.chart_names import label_of, one_line, scale_of
from etude.report.charts.palette import FAINT, SERIES
from etude.report.charts.plot import Rule, time_scale

if TYPE_CHECKING:
    from etude.analysis.search.recommendation import Recommendation

OUTCOME_INKS = {
    "ok": SERIES[0],
    "pruned": SERIES[6],
    "invalid": SERIES[4],
    "crash": SERIES[1],
    "timeout": SERIES[3],
    "out_of_memory": SERIES[7],
    "preempted": SERIES[2],
    "cancelled": FAINT,
}
BETTER = SERIES[1]
"""The ink of what is better than the baseline."""
MOST_PARAMS_TOLD = 24


def shown_value(results: SearchResults, value: float, at: int = 0) -> float:
    """A metric's value in the unit that its label names."""
    return value * scale_of(results.metrics[at])


def goal_label(results: SearchResults, at: int = 0) -> str:
    """A metric on an axis, with its unit."""
    return label_of(results.metrics[at])


def better_word(results: SearchResults, at: int = 0) -> str:
    """Which way is better."""
    return "more is better" if results.maximise[at] else "less is better"


def baseline_value(results: SearchResults, at: int = 0) -> float | None:
    """The baseline's value as it is shown; None where there is none."""
    base = results.baseline
    return None if base is None or base.values is None else shown_value(results, base.values[at], at)


def baseline_rule(results: SearchResults, at: int = 0, *, level: bool = True) -> tuple[Rule, ...]:
    """The baseline across a panel; nothing where there is none."""
    value = baseline_value(results, at)
    return () if value is None else (Rule(value, f"baseline {number_text(value)}", level),)


def no_baseline(results: SearchResults) -> str:
    """A sentence for captions where no baseline can be drawn."""
    if results.baseline is not None:
        return ""
    return "; the baseline has no value" if results.baseline_number is not None else "; the search has no baseline"


def trial_tip(results: SearchResults, trial: Trial, most: int = MOST_PARAMS_TOLD) -> str:
    """A trial with its values and its point."""
    if trial.values is None:
        value = trial.outcome
    else:
        value = ", ".join(
            f"{goal_label(results, at)} {number_text(shown_value(results, each, at))}"
            for at, each in enumerate(trial.values)
        )
    point = ", ".join(f"{name}={value_text(each)}" for name, each in list(trial.point.items())[:most])
    return f"trial {trial.number} ({trial.origin}): {value}{'' if trial.feasible else ', not feasible'}; {point}"


def count_text(number: int, name: str) -> str:
    """A number of things: `1 trial`, `2 trials`."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def value_text(value: object) -> str:
    """A param's value as a chart tells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return short_text(value)
    return one_line(str(value), 24)


def option_texts(dimension: Dimension, most: int = 12) -> list[str]:
    """The options of a dimension as ticks: whole words, `…` for those left out, in full where that tells two apart.

    Of long ones the words that all have at their start or end are left out first, then those behind the first, or
    before the last, that do not fit.
    """
    texts = [value_text(option) for option in dimension.options]
    if all(len(text) <= most for text in texts):
        return texts
    words = [[word for word in _WORDS.findall(text) if word] for text in texts]
    least = min(map(len, words))
    head = min(_shared(words), least - 1)
    tail = min(_shared([each[::-1] for each in words]), least - 1 - head)
    for side in ("first", "last"):
        cut = [_cut(each, head, len(each) - tail, most, side) for each in words]
        if len({text.strip("…") for text in cut}) == len(cut):
            return cut
    return texts


_WORDS = re.compile(r"[^-_/. ]*[-_/. ]*")


def _shared(words: Sequence[Sequence[str]]) -> int:
    """How many first words all have in common; none of one."""
    columns = enumerate(zip(*words, strict=False)) if len(words) > 1 else iter([(0, ("", "other"))])
    return next((at for at, column in columns if len(set(column)) > 1), min(map(len, words)))


def _cut(words: Sequence[str], start: int, end: int, most: int, side: str) -> str:
    """As many of these words as fit, at least one, the first or the last ones."""
    while end - start > 1 and len(_marked(words, start, end)) > most:
        start, end = (start, end - 1) if side == "first" else (start + 1, end)
    return _marked(words, start, end)


def _marked(words: Sequence[str], start: int, end: int) -> str:
    """Some of the words, with a mark where others are left out."""
    inner = "".join(words[start:end])
    return f"{'…' if start else ''}{inner if end == len(words) else inner.rstrip('-_/. ') + '…'}"


def span_of(results: Sequence[SearchResults]) -> tuple[float, str]:
    """What the times of some searches are divided by, and their unit."""
    return time_scale(max((trial.ended_s or 0.0 for each in results for trial in each.trials), default=0.0))


def recommendation_text(advice: Recommendation, results: SearchResults) -> str:
    """Which trial a model of all values recommends, and what it makes of the best value seen, in a sentence."""
    mean, low, high = (number_text(shown_value(results, value)) for value in (advice.mean, advice.low, advice.high))
    told = f"expected {mean} [{low}, {high}] by a model of all trials"
    noise = number_text(shown_value(results, advice.noise_sd))
    if advice.expected.number == advice.observed.number:
        return (
            f"The best value seen is also the best to expect: trial {advice.expected.number}, {told} (noise {noise})."
        )
    seen = number_text(shown_value(results, advice.observed_mean))
    return (
        f"Best to expect: trial {advice.expected.number}, {told}; of trial {advice.observed.number}, the best value "
        f"seen, it expects {seen} (noise {noise})."
    )
