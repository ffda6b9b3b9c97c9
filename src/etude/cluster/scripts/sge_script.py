"""Grid Engine's directives."""

from __future__ import annotations

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.scripts.shell import clock, job_name, mebibytes

_MAIL = {"begin": "b", "end": "e", "fail": "a"}


def directives(profile: Profile, job: Job) -> list[str]:
    """The `#$` lines of a job."""
    options = [
        "-S /bin/bash",
        f"-N {job_name(job.name)}",
        f"-o {job.stdout.replace('{task}', '$TASK_ID')}",
        f"-e {job.stderr.replace('{task}', '$TASK_ID')}" if job.stderr != job.stdout else "-j y",
        *([f"-q {profile.queue}"] if profile.queue else []),
        *([f"-P {profile.account}"] if profile.account else []),
        *([f"-pe smp {job.cpus}"] if job.cpus and job.cpus > 1 else []),
        *([f"-l h_vmem={mebibytes(job.memory_bytes) // (job.cpus or 1)}M"] if job.memory_bytes else []),
        *_gpus(profile, job),
        f"-l h_rt={clock(job.walltime_s)}",
        *(["-l exclusive=true"] if profile.exclusive else []),
        f"-r {'y' if job.requeue else 'n'}",
    ]
    if job.array is not None:
        options.append(f"-t 1-{job.array}" + (f" -tc {job.at_once}" if job.at_once else ""))
    if job.after:
        options.append("-hold_jid " + ",".join(job.after))
    if profile.mail:
        options += [f"-M {profile.mail.to}", "-m " + "".join(_MAIL[moment] for moment in profile.mail.about)]
    return [f"#$ {option}" for option in (*options, *profile.directives)]


def _gpus(profile: Profile, job: Job) -> list[str]:
    if not job.gpus:
        return []
    return [(profile.gpus_as or "-l gpu={gpus}").replace("{gpus}", str(job.gpus))]
