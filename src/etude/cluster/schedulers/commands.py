"""Calls a batch system's programs, and tells what comes of it in three kinds: an answer, a refusal, no answer."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from etude.errors import BackendError, JobRefused, SchedulerAway

ANSWER_S = 60.0
"""How long a program may take."""

_LEAKING = ("SLURM_", "SBATCH_", "SRUN_", "SALLOC_", "PBS_", "_CONDOR_")
_KEPT = frozenset({"SLURM_CONF", "PBS_CONF_FILE", "PBS_SERVER", "PBS_DEFAULT", "_CONDOR_CONFIG"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Programs of one batch system, called in one environment."""

    system: str
    """Its name, for messages."""
    environment: Mapping[str, str]
    away: tuple[str, ...]
    """What the programs say, in part, where the batch system does not answer."""
    limit_s: float = ANSWER_S
    _clean: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._clean.update(outside_jobs(self.environment))

    def __call__(self, *words: str, refusable: bool = False) -> str:
        """What a program prints.

        Raises:
            SchedulerAway: It did not answer, or says that the batch system does not.
            JobRefused: It says no, and `refusable` is set.
            BackendError: It is not installed, or says no.
        """
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                env=self._clean,
                timeout=self.limit_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise BackendError(
                f"{words[0]} is not on this machine's PATH, so no job can be handed to {self.system}.\n"
                "    Mend: run this on a login node of the cluster, load its module, or choose another profile."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SchedulerAway(f"{words[0]} did not answer in {self.limit_s:g} s") from error
        if done.returncode == 0:
            return done.stdout
        said = " ".join((done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").split())
        if any(part in said.lower() for part in self.away):
            raise SchedulerAway(f"{words[0]}: {said}")
        raise (JobRefused if refusable else BackendError)(f"{words[0]}: {said}")


def outside_jobs(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what a batch system tells the job that this process may itself be part of.

    A job that is submitted from within another would take over the other's cores, memory and tasks.
    """
    return {name: value for name, value in environment.items() if name in _KEPT or not name.startswith(_LEAKING)}


def user() -> str:
    """The name that the batch system knows this user by."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def chunks(ids: Sequence[str], most: int = 200) -> list[Sequence[str]]:
    """The ids in lots that a command line can hold."""
    return [ids[start : start + most] for start in range(0, len(ids), most)]


def clock_s(text: str) -> float | None:
    """Seconds in `[days-]hours:minutes:seconds`, `minutes:seconds.fraction`; None for anything else."""
    days, dash, rest = text.rpartition("-")
    try:
        parts = [float(part) for part in rest.split(":")]
        total = float(days) * 86400 if dash else 0.0
    except ValueError:
        return None
    if len(parts) not in (2, 3):
        return None
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + part
    return total + seconds
