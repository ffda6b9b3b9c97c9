"""LSF's directives."""

from __future__ import annotations

from etude.cluster.job import Job
from etude.cluster.profile import Profile
from etude.cluster.scripts.shell import clock, job_name, mebibytes


def directives(profile: Profile, job: Job) -> list[str]:
    """The `#BSUB` lines of a job."""
    array = ""
    if job.array is not None:
        array = f"[1-{job.array}]" + (f"%{job.at_once}" if job.at_once else "")
    options = [
        f'-J "{job_name(job.name)}{array}"',
        f"-o {job.stdout.replace('{task}', '%I')}",
        f"-e {job.stderr.replace('{task}', '%I')}",
        *([f"-q {profile.queue}"] if profile.queue else []),
        *([f"-P {profile.account}"] if profile.account else []),
        *_machines(job),
        *([f"-M {mebibytes(job.memory_bytes)}MB"] if job.memory_bytes else []),
        *_gpus(profile, job),
        f"-W {clock(-60 * (-job.walltime_s // 60))[:-3]}",
        *(["-x"] if profile.exclusive else []),
        "-r" if job.requeue else "-rn",
    ]
    if job.after:
        options.append("-w '" + " && ".join(f"ended({name})" for name in job.after) + "'")
    if profile.mail:
        options += [f"-u {profile.mail.to}", *_mail(profile.mail.about)]
    return [f"#BSUB {option}" for option in (*options, *profile.directives)]


def _mail(about: tuple[str, ...]) -> list[str]:
    begin = ["-B"] if "begin" in about else []
    if "end" in about:
        return [*begin, "-N"]
    return [*begin, "-Ne"] if "fail" in about else begin


def _machines(job: Job) -> list[str]:
    if job.cpus is None:
        return [f"-nnodes {job.nodes}"]
    return [f"-n {job.nodes * job.cpus}", f'-R "span[ptile={job.cpus}]"']


def _gpus(profile: Profile, job: Job) -> list[str]:
    if not job.gpus:
        return []
    return [(profile.gpus_as or '-gpu "num={gpus}/host"').replace("{gpus}", str(job.gpus))]
