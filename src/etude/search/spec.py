"""A search as a study file says it, and the limits that its driver keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, get_args

from etude.keys import (
    DURATION,
    Anything,
    Either,
    FileKey,
    Flag,
    Integer,
    ListOf,
    MappingOf,
    Numeric,
    Section,
    SectionText,
    Text,
    section_of,
    spec_of,
)
from etude.search.early_stopping import Asha, EarlyStop, MedianRule, NeverStop
from etude.search.space import Point, Space
from etude.search.trials import Direction, Goal, TrialOutcome

RETRIES: Final[Mapping[TrialOutcome, int]] = MappingProxyType(
    {
        TrialOutcome.PREEMPTED: 10,
        TrialOutcome.OUT_OF_MEMORY: 0,
        TrialOutcome.CRASH: 0,
        TrialOutcome.TIMEOUT: 0,
        TrialOutcome.INVALID: 0,
    }
)
"""How often a trial is tried again after each kind of failure, unless the study says otherwise: a worker that was taken
away says nothing of the point, all else would most likely come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a search."""

    trials: int
    """How many points are tried in all, the baseline included."""
    workers: int
    """How many trials this driver has under way at once."""
    timeout_s: float | None = None
    """How long the search may take in all, over all its runs."""
    trial_timeout_s: float | None = None
    """How long one attempt at a trial may take."""
    retry: Mapping[TrialOutcome, int] = field(default_factory=lambda: RETRIES)
    ahead: int | None = None
    """Proposals kept ready beyond the workers that wait; None to choose by what proposals and trials take."""
    grace_s: float = 10.0
    """How long a trial that is asked to stop may take to its next checkpoint."""
    baseline: Point | None = None
    """The point that is tried first, and that all others are compared with."""
    first: tuple[Point, ...] = ()
    """Further points to try before the sampler is asked."""


NO_LIMIT = 10**9
"""Trials of a search that is limited by time alone."""


METRIC: Final = r"[A-Za-z_][A-Za-z0-9_]*(\.[^.\s]+)+"
"""`node.metric`, `node.cost.wall_s`, or `cost.energy_j` for the whole of a trial."""

_METRIC: Final = Text(expected="a metric: node.metric, as the records call it", pattern=METRIC)
_DIRECTION: Final = Text(choices=get_args(Direction))
_BOUNDS: Final = ListOf(item=Numeric(), hint="write [low, high]")
_OPTIONS: Final = ListOf(item=Anything(nan=False), hint="write [{value}]")
_VALUES: Final = MappingOf(item=Anything(nan=False))

_DIMENSION: Final = Section(
    what="a dimension",
    keys={
        "float": FileKey("A real number from low to high, both included.", [1e-5, 1e-2], type=_BOUNDS),
        "int": FileKey("A whole number from low to high, both included.", [32, 256], type=_BOUNDS),
        "choice": FileKey("One of some values without order.", ["hinge", "cross"], type=_OPTIONS),
        "ordinal": FileKey("One of some values in this order.", ["small", "large"], type=_OPTIONS),
        "log": FileKey("Whether it is searched on a log axis. Default false.", True, type=Flag()),
        "step": FileKey("Distance of its values, from the lower bound on.", 0.1, type=Numeric()),
        "when": FileKey(
            "Other dimension → value or values: only there this one counts. Elsewhere the param keeps the "
            "study's own value.",
            {"loss": ["focal"]},
            type=_VALUES,
        ),
    },
    elsewhere={
        "uniform": "write float: [low, high]",
        "loguniform": "write float: [low, high] and log: true",
        "log_uniform": "write float: [low, high] and log: true",
        "integer": "write int: [low, high]",
        "categorical": "write choice: […]",
        "values": "write choice: […] or ordinal: […]",
        "low": "write float: [low, high]",
        "min": "write float: [low, high]",
        "type": "write float, int, choice or ordinal as the key, with the bounds or options",
        "condition": "write when: {other: value}",
        "q": "write step",
    },
)
"""The keys of the four classes in `dimensions.py`."""

_RETRY: Final = Section(
    what="retry",
    keys={
        outcome.value: FileKey(
            f"Further attempts after {event} (default {RETRIES[outcome]}).", 1, type=Integer(least=0)
        )
        for outcome, event in (
            (TrialOutcome.PREEMPTED, "a worker was taken away"),
            (TrialOutcome.OUT_OF_MEMORY, "memory ran out"),
            (TrialOutcome.CRASH, "a step raised"),
            (TrialOutcome.TIMEOUT, "trial_timeout was exceeded"),
            (TrialOutcome.INVALID, "an objective was missing, NaN or infinite"),
        )
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEarly:
    """The rule by which trials are stopped by what they report. Never identity."""

    SECTION: ClassVar = SectionText(what="stop_early")

    method: Annotated[
        str,
        Text(choices=("asha", "median")),
        FileKey("asha: at each rung only the best go on. median: what is worse than the median ends.", "asha"),
    ]
    min_step: Annotated[float, Numeric(), FileKey("No trial ends before this step. Default {default}.", 1)] = 1.0
    reduction: Annotated[
        float, Numeric(), FileKey("asha: one in so many goes on from each rung. Default {default}.", 3)
    ] = 3.0
    startup: Annotated[
        int, Integer(least=0), FileKey("median: so many trials must have ended. Default {default}.", 5)
    ] = 5

    def made(self) -> EarlyStop:
        """The rule, before any report."""
        if self.method == "asha":
            return Asha(min_step=self.min_step, reduction=self.reduction)
        return MedianRule(startup=self.startup, min_step=self.min_step)


def stop_early_of(read: str | Mapping[str, Any]) -> StopEarly | None:
    """What `stop_early` says, once its form is checked; None where it lacks the method."""
    if isinstance(read, str):
        return StopEarly(method=read)
    return spec_of(StopEarly, read) if "method" in read else None


def retries_of(read: Mapping[str, int]) -> Mapping[TrialOutcome, int]:
    """What `retry` says, once its form is checked, beside what it leaves as it is."""
    return {**RETRIES, **{TrialOutcome(name): tries for name, tries in read.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """`vary: {search: …}`."""

    SECTION: ClassVar = SectionText(
        what="search",
        elsewhere={
            "metric": "write objective",
            "objectives": "write objective",
            "n_trials": "write trials",
            "max_evals": "write trials",
            "budget": "write trials or timeout",
            "algorithm": "write sampler",
            "pruner": "write stop_early",
            "mode": "write direction",
            "parallel": "write workers",
            "num_workers": "write workers",
            "conditions": "write when: {other: value} in the dimension",
        },
    )

    space: Annotated[
        Space,
        FileKey(
            "Param → where to look for its value: float, int, choice or ordinal.",
            {"lr": {"float": [1e-5, 1e-2], "log": True}, "loss": {"choice": ["hinge", "cross"]}},
            type=MappingOf(item=_DIMENSION),
        ),
        FileKey(
            "Combinations that no trial may have; a list stands for any of its values.",
            [{"loss": "hinge", "width": [32, 33]}],
            name="forbidden",
            type=ListOf(item=_VALUES, hint="write [{value}]"),
            required=False,
        ),
    ]
    goal: Annotated[
        Goal,
        FileKey(
            "What is searched for: one metric, or several (a list, or a mapping from metric to direction) of "
            "which the Pareto front is sought. node.cost.wall_s is a cost of a node, cost.energy_j of the whole trial.",
            "quality.auc",
            name="objective",
            type=Either(
                expected="a metric, a list of metrics, or a mapping from metrics to directions",
                text=_METRIC,
                items=ListOf(item=_METRIC, least=1),
                mapping=MappingOf(item=_DIRECTION, names=METRIC, called="a metric: node.metric"),
            ),
        ),
        FileKey(
            "Whether the best is the largest or the smallest; where it is left out, the smallest of what the "
            "field knows as a loss, an error or a cost (loss, perplexity, latency, energy, …), else the largest.",
            "minimize",
            name="direction",
            type=_DIRECTION,
            required=False,
        ),
        FileKey(
            "Metric → limit that the best must keep.",
            {"cost.energy_j": {"at_most": 500}},
            name="constraints",
            type=MappingOf(
                item=Section(
                    what="a constraint",
                    keys={
                        "at_most": FileKey("The largest value that will do.", 500, type=Numeric()),
                        "at_least": FileKey("The smallest value that will do.", 0.8, type=Numeric()),
                    },
                )
            ),
            required=False,
        ),
    ]
    trials: Annotated[
        int,
        Integer(least=1),
        FileKey("How many points are tried, the baseline included. Raise it to go on with a finished search.", 200),
    ] = NO_LIMIT
    timeout_s: Annotated[
        float | None, DURATION, FileKey("How long the search may take in all, over all its runs, such as 2h.", "2h")
    ] = None
    trial_timeout_s: Annotated[float | None, DURATION, FileKey("How long one trial may take, such as 10m.", "10m")] = (
        None
    )
    workers: Annotated[
        int | None, Integer(least=1), FileKey("Trials under way at once. Default: as many as the study has workers.", 8)
    ] = None
    sampler: Annotated[
        str,
        Either(
            expected="a sampler's name, or a mapping with its name and settings",
            text=Text(expected="a sampler's name"),
            mapping=_VALUES,
        ),
        FileKey("What proposes the points: {default} (default), or a name; {name: gp, …} with settings.", "auto"),
    ] = "auto"
    settings: Mapping[str, object] = field(default_factory=dict)
    """The sampler's own."""
    seed: Annotated[int, Integer(least=0, most=2**63 - 1), FileKey("Seed of the proposals. Default {default}.", 0)] = 0
    baseline: Annotated[
        Point | None,
        Either(
            expected="a point of the space, or `params` for the study's own values",
            text=Text(choices=("params",)),
            mapping=_VALUES,
        ),
        FileKey(
            "The point that is tried first and drawn in every plot. What it leaves out has the study's own "
            "value; `params` stands for all of those.",
            {"lr": 1e-3, "loss": "hinge"},
        ),
    ] = None
    warm_start: Annotated[
        str | None,
        Text(expected="a CSV or Parquet file, or a searched study"),
        FileKey(
            "Results to learn from before the first trial: a table with a column for each dimension and "
            "objective, or an earlier searched study.",
            "earlier.csv",
        ),
    ] = None
    stop_early: Annotated[
        StopEarly | None,
        Either(
            expected="asha, median, or a mapping with the method and its settings",
            text=Text(choices=("asha", "median")),
            mapping=section_of(StopEarly),
        ),
        FileKey(
            "Ends trials that do not promise much, by what steps tell with ctx.report(step, value).",
            {"method": "asha", "min_step": 1},
            convert=stop_early_of,
        ),
    ] = None
    retry: Annotated[
        Mapping[TrialOutcome, int],
        _RETRY,
        FileKey(
            "How often a trial is tried again, by what went wrong.",
            {"preempted": 10, "out_of_memory": 1},
            convert=retries_of,
        ),
    ] = field(default_factory=lambda: RETRIES)
    ahead: Annotated[
        int | None,
        Integer(least=0),
        FileKey("Proposals kept ready beyond the workers that wait. Default: as many as it takes to keep all busy.", 4),
    ] = None
    grace_s: Annotated[
        float,
        DURATION,
        FileKey("How long a trial that is asked to stop may take to its next checkpoint. Default {default}.", "30s"),
    ] = 10.0

    def limits(self, workers: int, first: tuple[Point, ...] = ()) -> Limits:
        """The limits of its driver."""
        return Limits(
            trials=self.trials,
            workers=self.workers or workers,
            timeout_s=self.timeout_s,
            trial_timeout_s=self.trial_timeout_s,
            retry=self.retry,
            ahead=self.ahead,
            grace_s=self.grace_s,
            baseline=self.baseline,
            first=first,
        )

    def early_stop(self) -> EarlyStop:
        """The rule of early stopping, before any report."""
        return self.stop_early.made() if self.stop_early else NeverStop()
