"""What a batch system or a job's shell says when a profile does not fit, in plain words with what to change."""

from __future__ import annotations

import re

KNOWN = (
    (r"invalid partition(?: name)? specified(?:: *(\S+))?", "there is no partition {0}", "partition"),
    (r"unknown queue(?:: *| )?(\S+)?", "there is no queue {0}", "queue"),
    (r"invalid account(?: or account/partition combination)? specified", "the account may not use it", "account"),
    (r"invalid qos specification", "there is no such quality of service", "options"),
    (r"requested time limit is invalid|exceeds .*walltime", "the walltime is longer than allowed", "walltime"),
    (r"requested node configuration is not available", "no machine has what is asked for", "gpus, cpus and memory"),
    (r"no module named ['\"]?(etude|parsl)", "the Python of its jobs has no package {0}", "python and setup"),
    (r"(\S*python\S*): (?:command not found|no such file or directory)", "its jobs find no {0}", "python and setup"),
    (r"(\S*python\S*): not found", "its jobs find no {0}", "python and setup"),
)
"""Pattern, what it means, and the keys of a profile that mend it.

Sources: the messages of SLURM's slurm_errno.c, of PBS Pro's error list, and of POSIX shells and Python.
"""


def refusal(words: str, profile: str) -> str | None:
    """One sentence on why a profile's jobs do not run, and the mend; None where the words are not known.

    Args:
        words: What the scheduler, the engine or a job's shell said, in full.
        profile: The profile's name.
    """
    for pattern, meaning, keys in KNOWN:
        match = re.search(pattern, words, re.IGNORECASE)
        if match:
            named = next((group for group in match.groups() if group), "of that name").strip("'\".,;)")
            said = f"the jobs of profile {profile!r} do not run: {meaning.format(named)}"
            return f"{said}. Mend: set {keys} in the profile; `etude cluster check {profile}` tries it"
    return None
