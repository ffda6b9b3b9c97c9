"""Which skipped tests are in order where the suite must run whole: those that no installation could make run."""

from __future__ import annotations

import re
from collections.abc import Iterable

IN_ORDER = (
    r"BANKING77 is not there",
    r"root may read everything",
    r"the superuser may read everything",
    r"needs the syntax of Python 3\.12",
    r"needs Python 3\.12",
    r"sys\.monitoring",
    r"this kernel tells no proportional sizes",
    r"needs the kernel's high-water mark",
    r"how a command is started elsewhere differs",
    r"only root can be two users",
    r"only the superuser can become somebody else",
    r"this user may not mount",
    r"this system does not fork",
    r"it draws nothing at random",
    r"it takes one goal",
    r"SLURM ends jobs by the minute",
    r"HTCondor orders jobs in a graph of its own",
    r"Python itself waits for such a child",
    r"in a session of its own it is not the worker's",
)
"""Reasons that name data which may not be handed on, another system, or a case that the contract does not have."""


def missing_tools(reasons: Iterable[str]) -> list[str]:
    """The reasons, once each and sorted, that an installation would remove."""
    return sorted({reason for reason in reasons if not any(re.search(each, reason) for each in IN_ORDER)})
