"""The engine's providers, made to submit étude's batch scripts.

Parsl's providers know how to submit, query and cancel with each scheduler; what the script says is étude's, so that it
can be shown beforehand and is the same in all ways of submission. The one method of a provider that writes the script
is replaced, and no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.cluster.job import Job, pilot_job
from etude.cluster.profile import Profile
from etude.cluster.scripts import RenderedJob, render_job
from etude.cluster.scripts.kubernetes_script import pod
from etude.cluster.scripts.shell import clock, on_each_machine
from etude.errors import BackendError


@dataclass(slots=True, kw_only=True)
class Scripts:
    """Writes the scripts of one pool's jobs."""

    profile: Profile
    """As it is for the pool: see `block_profile`."""
    name: str
    """What the jobs are called; each gets its number."""
    folder: Path
    spans: bool = False
    """Whether one node spans all machines of a job: then its command starts on the first alone."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def job(self, command: str, path: Path) -> Job:
        """The job whose script lies at this path."""
        name = f"{self.name}.{next(self._numbers)}"
        line = command if self.spans else on_each_machine(self.profile, self.profile.nodes, command)
        return pilot_job(self.profile, name, line, f"{path}.stdout", f"{path}.stderr")

    def write(self, path: Path, command: str) -> RenderedJob:
        """Write the script of one job, and its description beside it where the scheduler wants one."""
        made = render_job(self.profile, self.job(command, path), str(path))
        path.write_text(made.script, encoding="utf-8")
        return made


def provider_for(profile: Profile, scripts: Scripts) -> Any:
    """A provider that submits a pool's jobs.

    Args:
        profile: As it is for the pool.
        scripts: Writes what is submitted.

    Raises:
        BackendError: Parsl is not installed.
    """
    try:
        import parsl  # noqa: F401
    except ImportError as error:
        raise BackendError("clusters need parsl: pip install 'etude[cluster]'") from error
    scripts.folder.mkdir(parents=True, exist_ok=True)
    provider = _MAKERS[profile.scheduler](profile)
    provider.script_dir = str(scripts.folder)
    if profile.scheduler == "kubernetes":
        _submit_own_pods(provider, scripts)
    elif profile.scheduler == "local":
        _write_own_shell_script(provider, scripts)
    else:
        _write_own_script(provider, profile, scripts)
    return provider


def _blocks(profile: Profile) -> dict[str, Any]:
    """What all providers take. Blocks are asked for one by one: none to begin with."""
    from parsl.launchers import SimpleLauncher

    return {
        "nodes_per_block": profile.nodes,
        "init_blocks": 0,
        "min_blocks": 0,
        "max_blocks": profile.blocks.most,
        "launcher": SimpleLauncher(debug=False),
    }


def _slurm(profile: Profile) -> Any:
    from parsl.providers import SlurmProvider

    return SlurmProvider(**_blocks(profile), walltime=clock(profile.walltime_s), exclusive=False, cmd_timeout=60)


def _pbs(profile: Profile) -> Any:
    from parsl.providers import PBSProProvider

    return PBSProProvider(**_blocks(profile), walltime=clock(profile.walltime_s), cmd_timeout=60)


def _htcondor(profile: Profile) -> Any:
    from parsl.providers import CondorProvider

    return CondorProvider(**_blocks(profile), walltime=clock(profile.walltime_s))


def _lsf(profile: Profile) -> Any:
    from parsl.providers import LSFProvider

    return LSFProvider(**_blocks(profile), walltime=clock(profile.walltime_s), bsub_redirection=True)


def _sge(profile: Profile) -> Any:
    from parsl.providers import GridEngineProvider

    return GridEngineProvider(**_blocks(profile), walltime=clock(profile.walltime_s))


def _local(profile: Profile) -> Any:
    from parsl.providers import LocalProvider

    return LocalProvider(**_blocks(profile))


def _kubernetes(profile: Profile) -> Any:
    from parsl.errors import OptionalModuleMissing
    from parsl.providers import KubernetesProvider

    blocks = _blocks(profile)
    del blocks["launcher"]
    try:
        return KubernetesProvider(**blocks, image=profile.image, namespace=profile.namespace)
    except OptionalModuleMissing as error:
        raise BackendError("Kubernetes needs its client: pip install kubernetes") from error


_MAKERS: dict[str, Callable[[Profile], Any]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "htcondor": _htcondor,
    "lsf": _lsf,
    "sge": _sge,
    "local": _local,
    "kubernetes": _kubernetes,
}


def _write_own_script(provider: Any, profile: Profile, scripts: Scripts) -> None:
    def write(_template: str, script_filename: str, _job_name: str, configs: dict[str, Any]) -> None:
        path = Path(script_filename)
        if profile.scheduler == "htcondor":  # its provider submits a description, which names the script beside it
            script = path.with_suffix(".script")
            made = scripts.write(script, configs["user_script"])
            path.write_text(made.description or "", encoding="utf-8")
        else:
            scripts.write(path, configs["user_script"])

    provider._write_submit_script = write


def _write_own_shell_script(provider: Any, scripts: Scripts) -> None:
    def submit_text(script_string: str, script_filename: str) -> bool:
        lines = [line for line in script_string.splitlines() if line and not line.startswith("export JOBNAME=")]
        scripts.write(Path(script_filename), "\n".join(lines))
        return True

    provider._write_submit_script = submit_text


def _submit_own_pods(provider: Any, scripts: Scripts) -> None:
    def create(*, pod_name: str, job_id: str, cmd_string: str, **_others: object) -> None:
        body = pod(scripts.profile, scripts.job(cmd_string, scripts.folder / pod_name))
        body["metadata"]["name"] = pod_name
        body["metadata"]["labels"]["parsl-job-id"] = job_id
        provider.kube_client.create_namespaced_pod(namespace=provider.namespace, body=body)

    provider._create_pod = create
