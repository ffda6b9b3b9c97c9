"""Other search engines as their users drive them: their own ask and tell, one engine object for the whole search."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any

from etude.search.sampler import TrialResult
from etude.search.space import Choice, Float, Int, Point, Space


class OptunaPeer:
    """Optuna 5: define-by-run `ask`, `suggest_*`, `tell`."""

    def __init__(self, space: Space, seed: int, kind: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", module="optuna")
        sampler = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}[kind](seed=seed)
        self.space = space
        self.fail = optuna.trial.TrialState.FAIL
        self.study = optuna.create_study(sampler=sampler)
        self.running: dict[int, Any] = {}

    def ask(self, number: int) -> Point:
        trial = self.running[number] = self.study.ask()
        return _defined_by_run(self.space, trial)

    def pend(self, number: int, point: Point) -> None:
        """A trial that was asked for is running."""

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        trial = self.running.pop(number)
        if result.values is None:
            self.study.tell(trial, state=self.fail)
        else:
            self.study.tell(trial, result.values[0])


class RustunaPeer:
    """Rustuna: the same interface, written in Rust."""

    def __init__(self, space: Space, seed: int) -> None:
        import rustuna

        self.space = space
        self.rustuna = rustuna
        self.study = rustuna.create_study(sampler=rustuna.samplers.TPESampler(seed=seed))
        self.running: dict[int, Any] = {}

    def ask(self, number: int) -> Point:
        trial = self.running[number] = self.study.ask()
        return _defined_by_run(self.space, trial)

    def pend(self, number: int, point: Point) -> None:
        """A trial that was asked for is running."""

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        trial = self.running.pop(number)
        if result.values is None:
            self.study.tell(trial.number, state=self.rustuna.trial.TrialState.FAIL)
        else:
            self.study.tell(trial.number, result.values[0])


class DeepHyperPeer:
    """DeepHyper's centralised Bayesian optimisation; it maximises, and a failure is told as text."""

    def __init__(self, space: Space, seed: int, **settings: Any) -> None:
        logging.getLogger("deephyper").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore")
        from deephyper.hpo import CBO, HpProblem

        problem = HpProblem()
        made = {}
        for name, dimension in space.dimensions.items():
            if isinstance(dimension, Float | Int) and getattr(dimension, "step", 1) in (None, 1):
                bounds = (dimension.low, dimension.high)
                made[name] = problem.add_hyperparameter((*bounds, "log-uniform") if dimension.log else bounds, name)
            elif isinstance(dimension, Float):
                values = [dimension.from_unit((i + 0.5) / (dimension.count or 1)) for i in range(dimension.count or 1)]
                made[name] = problem.add_hyperparameter(values, name)
            else:
                made[name] = problem.add_hyperparameter(list(dimension.options), name)
        conditions = {}
        for one in space.conditions:
            from ConfigSpace import InCondition

            conditions[one.dimension] = InCondition(made[one.dimension], made[one.on], list(one.values))
        if conditions:
            problem.add_conditions(list(conditions.values()))
        self.space = space
        self.folder = tempfile.mkdtemp(prefix="deephyper-")
        self.search = CBO(
            problem, random_state=seed, log_dir=self.folder, verbose=0, checkpoint_history_to_csv=False, **settings
        )
        self.running: dict[int, dict[str, Any]] = {}

    def ask(self, number: int) -> Point:
        given = self.running[number] = self.search.ask(1)[0]
        values = {}
        for name, dimension in self.space.dimensions.items():
            if name not in given or given[name] is None:
                continue
            value = given[name]
            if isinstance(dimension, Int):
                value = int(value)
            elif isinstance(dimension, Float):
                value = min(max(float(value), dimension.low), dimension.high)
            else:
                value = next(one for one in dimension.options if str(one) == str(value))
            values[name] = value
        return self.space.trimmed(values)

    def pend(self, number: int, point: Point) -> None:
        """A trial that was asked for is running."""

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        given = self.running.pop(number)
        self.search.tell([(given, "F_failed" if result.values is None else -result.values[0])])


def _defined_by_run(space: Space, trial: Any) -> Point:
    point: dict[str, object] = {}
    for name in space._order:
        dimension = space.dimensions[name]
        if name not in space.active(point):
            continue
        if isinstance(dimension, Float):
            more = {"log": True} if dimension.log else {"step": dimension.step} if dimension.step else {}
            point[name] = float(trial.suggest_float(name, dimension.low, dimension.high, **more))
            if dimension.step:
                point[name] = dimension.read(point[name])
        elif isinstance(dimension, Int):
            point[name] = int(trial.suggest_int(name, dimension.low, dimension.high, log=dimension.log))
        elif isinstance(dimension, Choice):
            point[name] = trial.suggest_categorical(name, list(dimension.options))
        else:
            point[name] = dimension.options[trial.suggest_int(name, 0, len(dimension.options) - 1)]
    return space.trimmed(point)


PEERS: Mapping[str, Any] = {
    "optuna tpe": lambda space, seed: OptunaPeer(space, seed, "tpe"),
    "optuna gp": lambda space, seed: OptunaPeer(space, seed, "gp"),
    "rustuna tpe": RustunaPeer,
    "deephyper cbo": DeepHyperPeer,
    "deephyper qucb": lambda space, seed: DeepHyperPeer(
        space,
        seed,
        acq_func="UCBd",
        acq_optimizer="sampling",
        multi_point_strategy="qUCBd",
        acq_func_kwargs={"kappa": 1.96, "scheduler": {"type": "periodic-exp-decay", "period": 25, "kappa_final": 0.1}},
    ),
}
"""Name → how an engine is made from (space, seed)."""

SLOW = frozenset({"optuna gp", "deephyper cbo"})
"""Engines that need most of a second for each suggestion."""

os.environ.setdefault("OPTUNA_DISABLE_TELEMETRY", "1")
