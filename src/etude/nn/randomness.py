"""Random numbers and threads of an interval: set at its start, put back at its end."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def fixed_seed(seed: int, *, threads: int | None = None) -> Iterator[None]:
    """Run an interval with every generator seeded, and leave the generators and the thread count as they were.

    Args:
        seed: For Python, NumPy and torch on all devices.
        threads: Threads of torch's CPU operations; None to leave them alone.
    """
    before, threads_before = random_state(), torch.get_num_threads()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        set_random_state(before)
        torch.set_num_threads(threads_before)


def random_state() -> dict[str, Any]:
    """The state of all generators as plain values and tensors, so that a checkpoint needs no pickled objects."""
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, np.asarray(keys).tolist(), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Go on with the random numbers where `random_state` was taken."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, np.asarray(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
