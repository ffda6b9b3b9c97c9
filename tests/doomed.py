"""A training in a process of its own, which is killed without warning."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etude.nn import fit as fitting
from etude.nn.model_types import Tokens
from etude.text import steps
from step_context import StepContext


class Doomed(StepContext):
    """Kills its process once that much is done."""

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        if done >= self.stop_after:
            os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(tokens: Tokens, scratch: Path, after: int, settings: Mapping[str, Any]) -> None:
    """Train with a checkpoint after every step, and die in the middle of one."""
    fitting.fit.__kwdefaults__["checkpoint_every_s"] = 0.0
    steps.train(tokens, ctx=Doomed(scratch, stop_after=after), **settings)
