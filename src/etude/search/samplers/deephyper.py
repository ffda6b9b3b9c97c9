"""DeepHyper's centralised Bayesian optimisation behind the protocol: a forest with qUCB and periodic decay."""

from __future__ import annotations

import logging
import tempfile
import warnings
from typing import Any

import numpy as np

from etude.search.sampler import TrialResult
from etude.search.samplers.observations import Observations
from etude.search.samplers.quasirandom import new_row
from etude.search.samplers.unit_cube import Array, Encoding, generator
from etude.search.space import Point, Space
from etude.search.trials import Goal


class DeepHyperSampler:
    """A new engine for each proposal, told everything at once: its own state cannot be taken back or seeded by trial.

    It is given the unit cube (choices as categories), so that conditions and logarithms stay ours. Running points are
    told with the worst value so far, failures as failures. It is slow, and meant for parity with work that used it.
    """

    def __init__(
        self,
        space: Space,
        goal: Goal,
        seed: int,
        *,
        initial: int | None = None,
        surrogate: str = "ET",
        kappa: float = 1.96,
        kappa_least: float = 0.01,
        period: int = 10,
        optimizer: str = "sampling",
    ) -> None:
        """Args:
        space: Where to look.
        goal: What to look for.
        seed: Of everything random.
        initial: Results to have before the surrogate is asked; twice the dimensions and one where not given.
        surrogate: The engine's model: ET, RF, GBRT, GP and so on.
        kappa: Mean optimism, in deviations, at the start of a period.
        kappa_least: The same at its end.
        period: Proposals in a period.
        optimizer: How the acquisition is searched: `sampling`, or `mixedga`, which takes longer.
        """
        import deephyper.hpo

        logging.getLogger("deephyper").setLevel(logging.ERROR)
        self._hpo: Any = deephyper.hpo
        self._encoding = Encoding(space)
        self._goal = goal
        self._seed = seed
        self._initial = initial if initial is not None else 2 * len(space.columns) + 1
        self._settings = {"surrogate_model": surrogate, "acq_optimizer": optimizer}
        self._kappas = kappa * (kappa_least / kappa) ** (np.arange(period) / period)
        self._history = Observations(encoding=self._encoding, seed=seed)
        self._folder = tempfile.TemporaryDirectory(prefix="etude-deephyper-")
        self._names = [f"x{index}" for index in range(len(self._encoding.axes))]

    def pend(self, number: int, point: Point) -> None:
        """Keep that a point runs."""
        self._history.pend(number, point)

    def tell(self, number: int, point: Point, result: TrialResult) -> None:
        """Keep what became of a point."""
        self._history.tell(number, point, result)

    def ask(self, number: int) -> Point:
        """The point to try as trial `number`."""
        history, rng = self._history, generator(self._seed, 1, number)
        if history.measured < self._initial:
            return self._encoding.point(new_row(self._encoding, history, rng.random(len(self._names)), rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = self._search(number, int(rng.integers(2**31)))
            search.tell(self._results())
            given = search.ask(1)[0]
        return self._encoding.point(new_row(self._encoding, history, self._unit(given), rng))

    def _search(self, number: int, seed: int) -> Any:
        problem = self._hpo.HpProblem()
        for name, axis in zip(self._names, self._encoding.axes, strict=True):
            options = [str(index) for index in range(len(axis.grid))] if axis.choice and axis.grid is not None else None
            problem.add_hyperparameter(options or (0.0, 1.0), name)
        return self._hpo.CBO(
            problem,
            random_state=seed,
            log_dir=self._folder.name,
            verbose=0,
            checkpoint_history_to_csv=False,
            acq_func="UCBd",
            acq_func_kwargs={
                "kappa": float(self._kappas[number % len(self._kappas)]),
                "scheduler": {"type": "constant"},
            },
            acq_optimizer_kwargs={"max_total_failures": -1},
            multi_point_strategy="qUCBd",
            n_initial_points=1,
            **self._settings,
        )

    def _results(self) -> list[tuple[dict[str, Any], Any]]:
        history, told = self._history, []
        single = len(self._goal.metrics) == 1
        worst = np.max([values for values in history.values if values], axis=0)
        failed = set(history.failed)
        for row, unit in enumerate(history.units):
            feasible = all(over <= 0 for over in history.excess[row])
            value: Any = "F_failed" if row in failed else "F_infeasible"
            if row not in failed and feasible:
                value = -history.values[row][0] if single else tuple(-one for one in history.values[row])
            told.append((self._given(unit), value))
        lie: Any = -float(worst[0]) if single else tuple((-worst).tolist())
        told += [(self._given(unit), lie) for unit in history.pending.values()]
        return told

    def _given(self, unit: Array) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, axis, place in zip(self._names, self._encoding.axes, np.nan_to_num(unit, nan=0.5), strict=True):
            if axis.choice and axis.grid is not None:
                given[name] = str(int(np.abs(axis.grid - place).argmin()))
            else:
                given[name] = float(place)
        return given

    def _unit(self, given: dict[str, Any]) -> Array:
        places = []
        for name, axis in zip(self._names, self._encoding.axes, strict=True):
            value = given[name]
            places.append(axis.grid[int(value)] if axis.choice and axis.grid is not None else float(value))
        return np.array(places)
