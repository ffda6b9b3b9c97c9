"""HTCondor's submit files, and the files of its directed graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.scripts.shell import TASK, job_name, mebibytes

KEPT_S = 86_400
"""How long an ended job stays in the queue: its end must be seen by those who ask now and then."""


def description(profile: Profile, job: Job, script_path: str) -> str:
    """The submit file of a job."""
    name = job_name(job.name)
    script = script_path.rpartition("/")[2]
    log = (job.stdout.rpartition(".")[0] or job.stdout).replace(".{task}", "").replace("{task}", "all")
    lines = {
        "universe": "vanilla",
        "executable": "/bin/bash",
        "arguments": script,
        "transfer_executable": "false",
        "should_transfer_files": "YES",
        "when_to_transfer_output": "ON_EXIT_OR_EVICT",
        "transfer_input_files": script_path,
        "output": job.stdout.replace("{task}", "$(Process)"),
        "error": job.stderr.replace("{task}", "$(Process)"),
        "log": f"{log}.log",
        "batch_name": name,
        "request_cpus": str(job.cpus or 1),
        **({"request_memory": str(mebibytes(job.memory_bytes))} if job.memory_bytes else {}),
        **_gpus(profile, job),
        "allowed_execute_duration": str(round(job.walltime_s)),
        **({"requirements": profile.requirements} if profile.requirements else {}),
        **({"accounting_group": profile.account} if profile.account else {}),
        **({"max_materialize": str(job.at_once)} if job.at_once and job.array else {}),
        **({} if job.requeue else {"periodic_remove": "NumJobStarts > 0 && JobStatus == 1"}),
        **({"environment": f'"{TASK}=$(Process)"'} if job.array is not None else {}),
        **_mail(profile),
        "leave_in_queue": f"JobStatus == 4 && (time() - CompletionDate) < {KEPT_S}",
    }
    width = max(map(len, lines))
    written = [f"{key:<{width}} = {value}" for key, value in lines.items()]
    return "\n".join([*written, *profile.directives, f"queue {job.array or 1}", ""])


def dag(jobs: Mapping[str, str], after: Mapping[str, Sequence[str]], retries: int = 0) -> str:
    """The file of a directed graph of jobs, for `condor_submit_dag`.

    Args:
        jobs: Name → submit file.
        after: Name → the names of the jobs that must have ended well before it.
        retries: How often a job that fails is started again.
    """
    lines = [f"JOB {name} {file}" for name, file in jobs.items()]
    lines += [f"PARENT {' '.join(parents)} CHILD {name}" for name, parents in after.items() if parents]
    lines += [f"RETRY {name} {retries}" for name in jobs if retries]
    return "\n".join([*lines, ""])


def _gpus(profile: Profile, job: Job) -> dict[str, str]:
    if not job.gpus:
        return {}
    key, equals, value = (profile.gpus_as or "request_gpus = {gpus}").partition("=")
    return {key.strip(): value.strip().replace("{gpus}", str(job.gpus))} if equals else {}


def _mail(profile: Profile) -> dict[str, str]:
    if profile.mail is None:
        return {"notification": "Never"}
    return {"notify_user": profile.mail.to, "notification": "Always" if "end" in profile.mail.about else "Error"}
