"""PBS Pro's directives."""

from __future__ import annotations

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.scripts.shell import clock, job_name, mebibytes

_MAIL = {"begin": "b", "end": "e", "fail": "a"}


def directives(profile: Profile, job: Job) -> list[str]:
    """The `#PBS` lines of a job."""
    options = [
        f"-N {job_name(job.name)}",
        f"-o {job.stdout.replace('{task}', '^array_index^')}",
        f"-e {job.stderr.replace('{task}', '^array_index^')}" if job.stderr != job.stdout else "-j oe",
        *([f"-q {profile.queue}"] if profile.queue else []),
        *([f"-A {profile.account}"] if profile.account else []),
        f"-l select={_select(profile, job)}",
        *(["-l place=scatter:excl" if job.nodes > 1 else "-l place=excl"] if profile.exclusive else []),
        f"-l walltime={clock(job.walltime_s)}",
        f"-r {'y' if job.requeue else 'n'}",
    ]
    if job.array is not None:
        options.append(f"-J 0-{job.array - 1}" + (f"%{job.at_once}" if job.at_once else ""))
    if job.after:
        options.append("-W depend=afterany:" + ":".join(job.after))
    if profile.mail:
        options += [f"-M {profile.mail.to}", "-m " + "".join(_MAIL[moment] for moment in profile.mail.about)]
    else:
        options.append("-m n")
    return ["#PBS -S /bin/bash", *(f"#PBS {option}" for option in (*options, *profile.directives))]


def _select(profile: Profile, job: Job) -> str:
    parts = [str(job.nodes)]
    if job.cpus:
        parts.append(f"ncpus={job.cpus}")
    if job.memory_bytes:
        parts.append(f"mem={mebibytes(job.memory_bytes)}mb")
    if job.gpus:
        parts.append((profile.gpus_as or "ngpus={gpus}").replace("{gpus}", str(job.gpus)))
    if profile.select:
        parts.append(profile.select)
    return ":".join(parts)
