"""SLURM's directives."""

from __future__ import annotations

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.scripts.shell import clock, job_name, mebibytes

_MAIL = {"begin": "BEGIN", "end": "END", "fail": "FAIL"}


def directives(profile: Profile, job: Job) -> list[str]:
    """The `#SBATCH` lines of a job."""
    options = [
        f"--job-name={job_name(job.name)}",
        f"--output={job.stdout.replace('{task}', '%a')}",
        f"--error={job.stderr.replace('{task}', '%a')}",
        *_given("partition", profile.partition),
        *_given("account", profile.account),
        *_given("qos", profile.qos),
        *_given("constraint", profile.constraint),
        *_given("reservation", profile.reservation),
        f"--nodes={job.nodes}",
        "--ntasks-per-node=1",
        *_given("cpus-per-task", job.cpus),
        *_given("mem", f"{mebibytes(job.memory_bytes)}M" if job.memory_bytes else None),
        *_gpus(profile, job),
        f"--time={clock(job.walltime_s)}",
        "--requeue" if job.requeue else "--no-requeue",
    ]
    if profile.exclusive:
        options.append("--exclusive")
    if job.array is not None:
        options.append(f"--array=0-{job.array - 1}" + (f"%{job.at_once}" if job.at_once else ""))
    if job.after:
        options.append("--dependency=afterany:" + ":".join(job.after))
    if profile.mail:
        about = ",".join(_MAIL[moment] for moment in profile.mail.about)
        options += [f"--mail-user={profile.mail.to}", f"--mail-type={about}"]
    return [f"#SBATCH {option}" for option in (*options, *profile.directives)]


def _given(name: str, value: object) -> list[str]:
    return [] if value is None else [f"--{name}={value}"]


def _gpus(profile: Profile, job: Job) -> list[str]:
    if not job.gpus:
        return []
    return [(profile.gpus_as or "--gpus-per-node={gpus}").replace("{gpus}", str(job.gpus))]
