"""What a job is told to do: a document in its folder, written by the driver and read by the job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from etude.batch.run_folder import JOB
from etude.errors import BackendError
from etude.execute.node_metering import MeterSettings

BEACON = "runs"
"""Kind of the note by which a job knows the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """All that a job knows besides the nodes and sources of its run."""

    etude: str
    """The version that planned it."""
    name: str
    label: str
    study: str
    run: str
    project: str
    store: str
    logs: str
    digests: str
    beacon: str
    """Digest of a note that the driver has left in the store: who finds it sees the same store."""
    targets: tuple[str, ...]
    nodes: tuple[str, ...] = ()
    """What it may compute, where it collects: what else it lacks is the other jobs' to give."""
    force: tuple[str, ...] = ()
    collects: bool = False
    backend: str = "processes"
    """`processes`, or `inline` for the job's own process."""
    workers: int = 1
    cpus: int | None = None
    """Cores that it was granted; None for those that it can see."""
    gpus: int = 0
    memory_bytes: int | None = None
    retries: int = 2
    fail_fast: bool = False
    grace_s: float = 120.0
    """How long before its end running steps are asked to stop."""
    meter: Mapping[str, Any] | None = None
    secrets: tuple[str, ...] = ()
    """Variables of the environment whose values are secret, as the study marks them."""

    def write(self, folder: Path) -> None:
        """Write it into the job's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{JOB}.tmp"
        fresh.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        fresh.replace(folder / JOB)

    @staticmethod
    def read(folder: Path) -> JobSpec:
        """The order in a job's folder.

        Raises:
            BackendError: It cannot be read: this machine does not see the folder, or it is another version's.
        """
        try:
            fields = json.loads((folder / JOB).read_text(encoding="utf-8"))
            order = JobSpec(**fields)
        except OSError as error:
            raise BackendError(
                f"this machine cannot read {folder / JOB} ({error.strerror}).\n"
                "    Mend: put the project on a file system that the cluster's machines share with the login node."
            ) from error
        except (TypeError, ValueError) as error:
            raise BackendError(f"{folder / JOB} is no order of this version of étude: {error}") from error
        return replace(
            order,
            targets=tuple(order.targets),
            nodes=tuple(order.nodes),
            force=tuple(order.force),
            secrets=tuple(order.secrets),
        )

    def metering(self) -> MeterSettings:
        """How nodes are measured."""
        said = dict(self.meter or {})
        calibration = said.get("calibration")
        said["calibration"] = Path(calibration) if calibration else None
        said["beside"] = tuple(said.get("beside", ()))
        return MeterSettings(**said)


def metering_fields(settings: MeterSettings) -> dict[str, Any]:
    """The same as JSON values."""
    fields = asdict(settings)
    fields["calibration"] = str(settings.calibration) if settings.calibration else None
    fields["beside"] = list(settings.beside)
    return fields
