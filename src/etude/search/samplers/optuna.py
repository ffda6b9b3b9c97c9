"""Optuna's samplers (TPE, Gaussian process, CMA-ES, NSGA-II and III) behind the protocol."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from etude.search.sampler import TrialResult
from etude.search.samplers.define_by_run import (
    ChoiceParameter,
    Parameter,
    RealParameter,
    WholeParameter,
    inner,
    parameter_of,
    permitted_point,
    suggest_point,
)
from etude.search.samplers.unit_cube import Encoding, generator
from etude.search.space import Point, Space
from etude.search.trials import Goal, TrialOutcome


class OptunaSampler:
    """An Optuna study in memory that is told everything, and asked through a sampler seeded anew each time.

    Optuna's trials cannot be taken back. What `ask` tries out therefore ends as a failed trial, which its samplers do
    not look at, and what pends is added as a running one.
    """

    def __init__(self, space: Space, goal: Goal, seed: int, *, kind: str = "tpe") -> None:
        """Args:
        space: Where to look.
        goal: What to look for.
        seed: Of everything random.
        kind: `tpe`, `gp`, `cmaes` or `nsga` (II for up to three objectives, III for more).
        """
        import optuna

        if kind in NEEDED and importlib.util.find_spec(NEEDED[kind]) is None:
            raise ImportError(f"its {kind} sampler needs {NEEDED[kind]}")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._space = space
        self._encoding = Encoding(space)
        self._goal = goal
        self._seed = seed
        self._kind = kind
        self._distributions = {
            name: _distribution(optuna, parameter_of(dimension)) for name, dimension in space.dimensions.items()
        }
        self._study = optuna.create_study(directions=["minimize"] * len(goal.metrics))
        self._count = 0
        self._running: dict[int, int] = {}
        self._excess: dict[int, tuple[float, ...]] = {}
        self._proposed: tuple[int, Point, Mapping[str, Any]] | None = None
        """The latest proposal, its number and what the sampler wrote down with it."""

    def pend(self, number: int, point: Point) -> None:
        """Add a running trial."""
        notes: Mapping[str, Any] = {}
        if self._kind in KEEPING_NOTES:
            proposed = self._proposal(number)
            notes = proposed[1] if dict(proposed[0]) == dict(point) else {}
        self._running[number] = self._added(point, notes)
        self._proposed = None

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """End a running trial, or add one that was never asked for."""
        trial = self._running.pop(number, None)
        self._proposed = None
        if trial is None:
            trial = self._added(point, {})
        self._excess[trial] = result.constraints
        values = result.values if result.outcome in (TrialOutcome.OK, TrialOutcome.PRUNED) else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if values is None:
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            else:
                self._study.tell(trial, list(values))

    def ask(self, number: int) -> Point:
        """The point to try as trial `number`."""
        return self._proposal(number)[0]

    def _proposal(self, number: int) -> tuple[Point, Mapping[str, Any]]:
        if self._proposed is not None and self._proposed[0] == number:
            return self._proposed[1:]
        notes: dict[str, Any] = {}

        def tried(attempt: int) -> Point:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._study.sampler = self._sampler(int(generator(self._seed, number, attempt).integers(2**31)))
                trial = self._study.ask()
                self._count += 1
                point = suggest_point(self._encoding, trial)
                ended = self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                notes.clear()
                notes.update(ended.system_attrs)
            return point

        point = permitted_point(self._space, tried, lambda: self._space.sample(generator(self._seed, number, 99)))
        self._proposed = (number, point, dict(notes))
        return self._proposed[1:]

    def _added(self, point: Point, notes: Mapping[str, Any]) -> int:
        trial = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING,
            params={name: inner(self._space.dimensions[name], value) for name, value in point.items()},
            distributions={name: self._distributions[name] for name in point},
            system_attrs=dict(notes),
        )
        self._study.add_trial(trial)
        self._count += 1
        return self._count - 1

    def _sampler(self, seed: int) -> Any:
        samplers = self._optuna.samplers
        constraints: Callable[[Any], tuple[float, ...]] | None = None
        if self._goal.constraints:
            constraints = self._constraints
        match self._kind:
            case "tpe":
                return samplers.TPESampler(seed=seed, constraints_func=constraints)
            case "gp":
                return samplers.GPSampler(seed=seed, constraints_func=constraints)
            case "cmaes":
                return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
            case _:
                made = (
                    samplers.NSGAIISampler if len(self._goal.metrics) <= MOST_FOR_CROWDING else samplers.NSGAIIISampler
                )
                return made(seed=seed, constraints_func=constraints)

    def _constraints(self, trial: Any) -> tuple[float, ...]:
        return self._excess[trial.number]


KEEPING_NOTES = ("cmaes", "nsga")
"""Kinds whose state is what they wrote down with earlier proposals."""
NEEDED = {"gp": "torch", "cmaes": "cmaes"}
"""Packages that Optuna takes up only where it proposes."""
MOST_FOR_CROWDING = 3
"""With more objectives, crowding distances tell little, and NSGA-III's reference directions are used."""


def _distribution(optuna: Any, parameter: Parameter) -> Any:
    match parameter:
        case RealParameter(low=low, high=high, log=log):
            return optuna.distributions.FloatDistribution(low, high, log=log)
        case WholeParameter(low=first, high=last, log=log):
            return optuna.distributions.IntDistribution(first, last, log=log)
        case ChoiceParameter(count=count):
            return optuna.distributions.CategoricalDistribution(list(range(count)))
