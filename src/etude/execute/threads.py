"""How many threads the libraries of a step use: as many cores as the node asks for, or fewer where the user says so."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from etude.environment import are_set, variables, with_variables

COUNTS = (
    "OMP_NUM_THREADS",  # OpenMP: torch, scikit-learn; Arrow's processors too
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",  # tokenizers
    "POLARS_MAX_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0"}
"""Threads with nothing to do sleep: those of GNU and Intel OpenMP spin for up to 0.2 s, and all of that is CPU time."""


def thread_count(cpus: int, environment: Mapping[str, str]) -> int:
    """How many threads a node may use.

    Args:
        cpus: Cores that it asks for.
        environment: Where the user may have set `OMP_NUM_THREADS`; the smaller number holds.
    """
    said = environment.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return max(1, min(cpus, int(said)) if said.isdigit() and int(said) > 0 else cpus)


def thread_variables(cpus: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables by which libraries learn how many threads to use, besides those that the environment has already."""
    count = str(thread_count(cpus, environment))
    waiting = {} if environment.keys() & _WAITING.keys() else _WAITING
    return {**{name: count for name in COUNTS if name not in environment}, **waiting}


def limit_torch(count: int) -> None:
    """Have torch use so many threads if it is loaded, whatever the step before has set."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "set_num_threads"):
        return
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
    if torch.get_num_interop_threads() != count:
        with contextlib.suppress(RuntimeError):  # it can be set once, and before the first use
            torch.set_num_interop_threads(count)


class LoadedLibraries:
    """The libraries that this very process has loaded already: they have read the environment long ago."""

    def __init__(self) -> None:
        self._cpus = 0
        self._count = 0
        self._variables: dict[bytes, bytes] = {}
        self._set = contextlib.ExitStack()
        """Gives the environment back its own values of them."""
        self._limits: Any = None
        self._known: tuple[int, int] = (0, 0)
        self._torch: int | None = None

    @contextlib.contextmanager
    def limited(self, cpus: int) -> Iterator[None]:
        """Limit what is loaded in a block, and by the environment what it loads.

        The environment is left as it is afterwards, for the next of equal needs, and set anew where the block changed
        it: to do so for each costs a fifth of a node that does nothing.
        """
        if cpus != self._cpus or not are_set(self._variables):
            self._set_variables(cpus)
        self._limit(self._count)
        yield

    def _set_variables(self, cpus: int) -> None:
        self._set.close()
        values = thread_variables(cpus, variables())
        self._set.enter_context(with_variables(values))
        self._cpus, self._count = cpus, thread_count(cpus, variables())
        self._variables = {os.fsencode(name): os.fsencode(value) for name, value in values.items()}

    def _limit(self, count: int) -> None:
        torch: Any = sys.modules.get("torch")
        if self._torch is None and hasattr(torch, "get_num_threads"):
            self._torch = torch.get_num_threads()
        known = (count, len([name for name in ("numpy", "scipy", "sklearn", "torch") if name in sys.modules]))
        if known[1] and known != self._known:
            from threadpoolctl import threadpool_limits

            self._restore_limits()
            self._known = known
            self._limits = threadpool_limits(limits=count)
        limit_torch(count)

    def restore(self) -> None:
        """Give the libraries back the threads that they had, and the environment its values."""
        self._set.close()
        self._cpus = 0
        self._restore_limits()

    def _restore_limits(self) -> None:
        if self._limits is not None:
            self._limits.restore_original_limits()
            self._limits, self._known = None, (0, 0)
        torch: Any = sys.modules.get("torch")
        if self._torch is not None and torch.get_num_threads() != self._torch:
            torch.set_num_threads(self._torch)
