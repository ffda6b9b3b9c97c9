"""Rustuna's tree-structured Parzen estimator behind the protocol: cheap proposals over many results."""

from __future__ import annotations

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


class RustunaSampler:
    """A Rustuna study in memory; each proposal is drawn through a handle of its own, seeded for it.

    Rustuna does not look at running trials, so only what ended is told. What `ask` tries out ends as a failed trial,
    which it does not look at either.
    """

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        import rustuna
        from rustuna.distributions import Distribution
        from rustuna.samplers import TPESampler
        from rustuna.storages import InMemoryStorage
        from rustuna.trial import TrialState, create_trial

        self._rustuna: Any = rustuna
        self._make: Any = (TPESampler, create_trial, TrialState)
        self._space = space
        self._encoding = Encoding(space)
        self._goal = goal
        self._seed = seed
        self._storage: Any = InMemoryStorage()
        self._study: Any = self._handle(seed, new=True)
        self._distributions = {
            name: _distribution(Distribution, parameter_of(dimension)) for name, dimension in space.dimensions.items()
        }

    def pend(self, number: int, point: Point) -> None:
        """Nothing is kept: the engine does not look at running trials."""

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Add what succeeded."""
        _, create_trial, states = self._make
        if result.values is None or result.outcome not in (TrialOutcome.OK, TrialOutcome.PRUNED):
            return
        self._study.add_trial(
            create_trial(
                state=states.COMPLETE,
                values=list(result.values),
                params={name: inner(self._space.dimensions[name], value) for name, value in point.items()},
                distributions={name: self._distributions[name] for name in point},
            )
        )

    def ask(self, number: int) -> Point:
        """The point to try as trial `number`."""

        def tried(attempt: int) -> Point:
            study = self._handle(int(generator(self._seed, number, attempt).integers(2**31)))
            trial = study.ask()
            point = suggest_point(self._encoding, trial)
            study.tell(trial.number, state=self._make[2].FAIL)
            return point

        return permitted_point(self._space, tried, lambda: self._space.sample(generator(self._seed, number, 99)))

    def _handle(self, seed: int, *, new: bool = False) -> Any:
        return self._rustuna.create_study(
            study_name="search",
            storage=self._storage,
            sampler=self._make[0](seed=seed),
            directions=["minimize"] * len(self._goal.metrics),
            load_if_exists=not new,
        )


def _distribution(distribution: Any, parameter: Parameter) -> Any:
    match parameter:
        case RealParameter(low=low, high=high, log=log):
            return distribution.float(low, high, log=log)
        case WholeParameter(low=first, high=last, log=log):
            return distribution.int(first, last, log=log)
        case ChoiceParameter(count=count):
            return distribution.categorical(list(range(count)))
