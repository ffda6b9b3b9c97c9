"""The batch systems that tests run jobs on, behind one face: a real SLURM, and stand-ins of PBS Pro and HTCondor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cluster.slurm_bed import NODES, SlurmBed
from cluster.standin_pool import StandinPool
from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.schedulers import scheduler_of
from etude.cluster.schedulers.scheduler import Scheduler
from etude.cluster.scripts import render_job


@dataclass
class Site:
    """One batch system."""

    kind: str
    stage: SlurmBed | StandinPool
    profile: Profile = field(init=False)

    def __post_init__(self) -> None:
        self.profile = Profile(name="site", scheduler=self.kind, walltime_s=600, poll_s=0.3, grace_s=5)

    @property
    def environment(self) -> Mapping[str, str]:
        return self.stage.environment

    @property
    def scheduler(self) -> Scheduler:
        return scheduler_of(self.kind, self.environment)

    def hold_back(self) -> None:
        """Let nothing start from now on."""
        if isinstance(self.stage, SlurmBed):
            for node in NODES:
                self.stage.drain(node)
        else:
            self.stage.scene("waiting", "no machine is free")

    def let_go(self) -> None:
        """Let what waits start."""
        if isinstance(self.stage, SlurmBed):
            for node in NODES:
                self.stage.resume(node)
        else:
            self.stage.scene("waiting", None)

    def script(self, folder: Path, command: str, **asked: Any) -> Path:
        """A batch script in a folder; what is to be submitted."""
        folder.mkdir(exist_ok=True)
        output = str(folder / ("output.{task}" if "array" in asked else "output"))
        job = Job(**{"name": "try", "command": command, "stdout": output, "stderr": output, "walltime_s": 600, **asked})
        script = folder / "job.sh"
        made = render_job(replace(self.profile, walltime_s=job.walltime_s), job, str(script))
        script.write_text(made.script)
        if made.description is None:
            return script
        (folder / "job.submit").write_text(made.description)
        return folder / "job.submit"
