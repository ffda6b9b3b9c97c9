"""The keys of `vary.search`, each with its shape, meaning and an example."""

from __future__ import annotations

from typing import Final

from etude import units
from etude.config.shapes import Anything, Flag, Key, ListOf, MappingOf, Number, OneOf, Quantity, Record, Text, Whole

METRIC: Final = r"[A-Za-z_][A-Za-z0-9_]*(\.[^.\s]+)+"
"""`node.metric`, `node.cost.wall_s`, or `cost.energy_j` for the whole of a trial."""

DURATION: Final = Quantity(
    expected="a duration above 0, such as 90 (seconds), 2h, 1h30m or 01:30:00",
    pattern=r"^([0-9]+(:[0-9]{2}){2}|([0-9]+(\.[0-9]+)?\s*(min|[smhd])\s*)+)$",
    convert=units.seconds,
)
_METRIC: Final = Text(expected="a metric: node.metric, as the records call it", pattern=METRIC)
_DIRECTION: Final = Text(choices=("maximize", "minimize"))
_BOUNDS: Final = ListOf(item=Number(), hint="write [low, high]")

DIMENSION: Final = Record(
    what="a dimension",
    keys={
        "float": Key(shape=_BOUNDS, tells="A real number from low to high, both included.", example=[1e-5, 1e-2]),
        "int": Key(shape=_BOUNDS, tells="A whole number from low to high, both included.", example=[32, 256]),
        "choice": Key(
            shape=ListOf(item=Anything(nan=False), hint="write [{value}]"),
            tells="One of some values without order.",
            example=["hinge", "cross"],
        ),
        "ordinal": Key(
            shape=ListOf(item=Anything(nan=False), hint="write [{value}]"),
            tells="One of some values in this order.",
            example=["small", "large"],
        ),
        "log": Key(shape=Flag(), tells="Whether it is searched on a log axis. Default false.", example=True),
        "step": Key(shape=Number(), tells="Distance of its values, from the lower bound on.", example=0.1),
        "when": Key(
            shape=MappingOf(item=Anything(nan=False)),
            tells="Other dimension → value or values: only there this one counts. Elsewhere the param keeps the "
            "study's own value.",
            example={"loss": ["focal"]},
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

SEARCH: Final = Record(
    what="search",
    keys={
        "space": Key(
            shape=MappingOf(item=DIMENSION),
            tells="Param → where to look for its value: float, int, choice or ordinal.",
            example={"lr": {"float": [1e-5, 1e-2], "log": True}, "loss": {"choice": ["hinge", "cross"]}},
            required=True,
        ),
        "forbidden": Key(
            shape=ListOf(item=MappingOf(item=Anything(nan=False)), hint="write [{value}]"),
            tells="Combinations that no trial may have; a list stands for any of its values.",
            example=[{"loss": "hinge", "width": [32, 33]}],
        ),
        "objective": Key(
            shape=OneOf(
                expected="a metric, a list of metrics, or a mapping from metrics to directions",
                text=_METRIC,
                items=ListOf(item=_METRIC, least=1),
                mapping=MappingOf(item=_DIRECTION, names=METRIC, called="a metric: node.metric"),
            ),
            tells="What is searched for: one metric, or several (a list, or a mapping from metric to direction) of "
            "which the Pareto front is sought. node.cost.wall_s is a cost of a node, cost.energy_j of the whole trial.",
            example="quality.auc",
            required=True,
        ),
        "direction": Key(
            shape=_DIRECTION,
            tells="Whether the best is the largest or the smallest; where it is left out, the smallest of what the "
            "field knows as a loss, an error or a cost (loss, perplexity, latency, energy, …), else the largest.",
            example="minimize",
        ),
        "constraints": Key(
            shape=MappingOf(
                item=Record(
                    what="a constraint",
                    keys={
                        "at_most": Key(shape=Number(), tells="The largest value that will do.", example=500),
                        "at_least": Key(shape=Number(), tells="The smallest value that will do.", example=0.8),
                    },
                )
            ),
            tells="Metric → limit that the best must keep.",
            example={"cost.energy_j": {"at_most": 500}},
        ),
        "trials": Key(
            shape=Whole(least=1),
            tells="How many points are tried, the baseline included. Raise it to go on with a finished search.",
            example=200,
        ),
        "timeout": Key(
            shape=DURATION, tells="How long the search may take in all, over all its runs, such as 2h.", example="2h"
        ),
        "trial_timeout": Key(shape=DURATION, tells="How long one trial may take, such as 10m.", example="10m"),
        "workers": Key(
            shape=Whole(least=1),
            tells="Trials under way at once. Default: as many as the study has workers.",
            example=8,
        ),
        "sampler": Key(
            shape=OneOf(
                expected="a sampler's name, or a mapping with its name and settings",
                text=Text(expected="a sampler's name"),
                mapping=MappingOf(item=Anything(nan=False)),
            ),
            tells="What proposes the points: auto (default), or a name; {name: gp, …} with settings.",
            example="auto",
        ),
        "seed": Key(shape=Whole(least=0, most=2**63 - 1), tells="Seed of the proposals. Default 0.", example=0),
        "baseline": Key(
            shape=OneOf(
                expected="a point of the space, or `params` for the study's own values",
                text=Text(choices=("params",)),
                mapping=MappingOf(item=Anything(nan=False)),
            ),
            tells="The point that is tried first and drawn in every plot. What it leaves out has the study's own "
            "value; `params` stands for all of those.",
            example={"lr": 1e-3, "loss": "hinge"},
        ),
        "warm_start": Key(
            shape=Text(expected="a CSV or Parquet file, or a searched study"),
            tells="Results to learn from before the first trial: a table with a column for each dimension and "
            "objective, or an earlier searched study.",
            example="earlier.csv",
        ),
        "stop_early": Key(
            shape=OneOf(
                expected="asha, median, or a mapping with the method and its settings",
                text=Text(choices=("asha", "median")),
                mapping=Record(
                    what="stop_early",
                    keys={
                        "method": Key(
                            shape=Text(choices=("asha", "median")),
                            tells="asha: at each rung only the best go on. median: what is worse than the median ends.",
                            example="asha",
                            required=True,
                        ),
                        "min_step": Key(shape=Number(), tells="No trial ends before this step. Default 1.", example=1),
                        "reduction": Key(
                            shape=Number(), tells="asha: one in so many goes on from each rung. Default 3.", example=3
                        ),
                        "startup": Key(
                            shape=Whole(least=0), tells="median: so many trials must have ended. Default 5.", example=5
                        ),
                    },
                ),
            ),
            tells="Ends trials that do not promise much, by what steps tell with ctx.report(step, value).",
            example={"method": "asha", "min_step": 1},
        ),
        "retry": Key(
            shape=Record(
                what="retry",
                keys={
                    name: Key(shape=Whole(least=0), tells=f"Further attempts after {tells}.", example=1)
                    for name, tells in (
                        ("preempted", "a worker was taken away (default 10)"),
                        ("out_of_memory", "memory ran out (default 0)"),
                        ("crash", "a step raised (default 0)"),
                        ("timeout", "trial_timeout was exceeded (default 0)"),
                        ("invalid", "an objective was missing, NaN or infinite (default 0)"),
                    )
                },
            ),
            tells="How often a trial is tried again, by what went wrong.",
            example={"preempted": 10, "out_of_memory": 1},
        ),
        "ahead": Key(
            shape=Whole(least=0),
            tells="Proposals kept ready beyond the workers that wait. Default: as many as it takes to keep all busy.",
            example=4,
        ),
        "grace": Key(
            shape=DURATION,
            tells="How long a trial that is asked to stop may take to its next checkpoint. Default 10s.",
            example="30s",
        ),
    },
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
