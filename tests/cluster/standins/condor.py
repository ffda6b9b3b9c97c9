"""condor_submit, condor_q, condor_rm and condor_history of HTCondor, as far as étude and Parsl use them."""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

from batch_pool import ENDED, HELD, QUEUED, REMOVED, RUNNING, Job, Pool, new_job

STATUS = {QUEUED: 1, RUNNING: 2, REMOVED: 3, ENDED: 4, HELD: 5}
_KNOWN = """
universe executable arguments transfer_executable should_transfer_files when_to_transfer_output
transfer_input_files output error log batch_name request_cpus request_memory request_gpus request_disk
allowed_execute_duration allowed_job_duration requirements accounting_group max_materialize periodic_remove
environment notify_user notification leave_in_queue machine_count getenv require_gpus priority initialdir
"""


def main(words: list[str]) -> int:
    command, *rest = words
    pool = Pool.here()
    away = pool.says("away")
    if away:
        print(f"-- Failed to fetch ads from: <127.0.0.1:9618>: {away}", file=sys.stderr)
        return 1
    act = {"condor_submit": submit, "condor_q": queue, "condor_rm": remove, "condor_history": history}
    return act[command](pool, rest)


def submit(pool: Pool, words: list[str]) -> int:
    terse = "-terse" in words
    (path,) = (word for word in words if not word.startswith("-"))
    if not Path(path).exists():
        print(f'\nERROR: Can\'t open "{path}" with flags 00 (No such file or directory)', file=sys.stderr)
        return 1
    said, count = described(Path(path).read_text())
    if count is None:
        print("\nERROR: no 'queue' command in the submit file", file=sys.stderr)
        return 1
    unknown = [key for key in said if key not in _KNOWN.split() and not key.startswith("+")]
    if unknown:
        print(f"\nERROR: on line 1 of submit file: unknown command {unknown[0]}", file=sys.stderr)
        return 1
    inputs = [part.strip() for part in said.get("transfer_input_files", "").split(",") if part.strip()]
    absent = [file for file in inputs if not Path(file).exists()]
    refuse = pool.says("refuse") or (f"Can't open file {absent[0]}" if absent else "")
    if refuse:
        print(f"\nERROR: Failed to commit job submission into the queue.\nERROR: {refuse}", file=sys.stderr)
        return 1
    cluster = pool.next_number()
    for process in range(count):
        pool.add(_job(pool, said, cluster, process, inputs))
    if terse:
        print(f"{cluster}.0 - {cluster}.{count - 1}")
    else:
        print(f"Submitting job(s){'.' * count}\n{count} job(s) submitted to cluster {cluster}.")
    return 0


def described(text: str) -> tuple[dict[str, str], int | None]:
    """The commands of a submit file, and how many jobs it queues; None where it queues none."""
    said: dict[str, str] = {}
    count = None
    for line in text.splitlines():
        queued = re.fullmatch(r"\s*queue\s*(\d*)\s*", line, re.IGNORECASE)
        if queued:
            count = int(queued[1] or 1)
        elif "=" in line and not line.lstrip().startswith("#"):
            key, _, value = line.partition("=")
            said[key.strip().lower()] = value.strip()
    return said, count


def _job(pool: Pool, said: dict[str, str], cluster: int, process: int, inputs: list[str]) -> Job:
    def filled(text: str) -> str:
        return re.sub(
            r"\$\((cluster|process)\)",
            lambda m: str({"c": cluster, "p": process}[m[1][0].lower()]),
            text,
            flags=re.IGNORECASE,
        )

    id_ = f"{cluster}.{process}"
    environment = dict(
        part.split("=", 1) for part in shlex.split(filled(said.get("environment", '""')).strip('"')) if "=" in part
    )
    limit = said.get("allowed_execute_duration") or said.get("allowed_job_duration")
    return new_job(
        id_,
        cluster,
        process,
        said.get("batch_name", f"ID: {cluster}").strip('"'),
        [filled(said["executable"]), *shlex.split(filled(said.get("arguments", "")))],
        output=filled(said.get("output", os.devnull)),
        error=filled(said.get("error", os.devnull)),
        inputs=inputs,
        cpus=int(said.get("request_cpus", 1)),
        gpus=int(said.get("request_gpus", 0)),
        at_once=int(said["max_materialize"]) if "max_materialize" in said else None,
        walltime_s=float(limit) if limit else None,
        at_walltime=HELD,
        in_sandbox=True,
        stays=said.get("leave_in_queue", "false").lower() not in ("false", ""),
        environment={
            "_CONDOR_SLOT": "slot1",
            "_CONDOR_SCRATCH_DIR": str(pool.folder / "jobs" / id_ / "sandbox"),
            **environment,
        },
    )


def queue(pool: Pool, words: list[str]) -> int:
    shown = [job for job in pool.jobs() if not has_left(job)]
    return show(shown, words)


def history(pool: Pool, words: list[str]) -> int:
    return show([job for job in pool.jobs() if has_left(job)], words)


def has_left(job: Job) -> bool:
    return job["state"] == REMOVED or (job["state"] == ENDED and not job.get("stays")) or job.get("forced", False)


def show(jobs: list[Job], words: list[str]) -> int:
    ids, rest, columns, as_json = [], list(words), [], False
    while rest:
        word = rest.pop(0)
        if word == "-json":
            as_json = True
        elif word == "-attributes":
            columns = rest.pop(0).split(",")
        elif word.startswith("-af"):
            columns, rest = rest, []
        elif not word.startswith("-"):
            ids.append(word)
    chosen = [job for job in jobs if not ids or job["id"] in ids or job["id"].partition(".")[0] in ids]
    if as_json:
        if chosen:
            print(
                json.dumps(
                    [
                        {name: value for name, value in ad(job).items() if name in columns or not columns}
                        for job in chosen
                    ]
                )
            )
    else:
        for job in chosen:
            print(job["id"], *(ad(job).get(name, "undefined") for name in columns))
    return 0


def ad(job: Job) -> dict[str, object]:
    found: dict[str, object] = {
        "ClusterId": job["number"],
        "ProcId": job["task"],
        "JobStatus": STATUS[job["state"]],
        "JobBatchName": job["name"],
        "Owner": getpass.getuser(),
        "NumJobStarts": job["starts"],
        "RequestCpus": job["cpus"],
    }
    if job["starts"]:
        found["RemoteWallClockTime"] = float(int(job.get("ended_s", time.time()) - job["started_s"]))
        found["RemoteUserCpu"], found["RemoteSysCpu"] = job.get("cpu_s", 0.0), 0.0
        found["ResidentSetSize"] = job.get("peak_rss_kb", 0)
        found["LastRemoteHost"] = "slot1@standin"
    if job["state"] == ENDED:
        code = job["code"]
        found["ExitBySignal"] = code < 0
        found["ExitSignal" if code < 0 else "ExitCode"] = abs(code)
    if job["state"] == HELD:
        found["HoldReason"] = f"The job exceeded allowed execute duration of {job['walltime_s']:.0f}"
        found["HoldReasonCode"] = 47
    if job["state"] == REMOVED:
        found["RemoveReason"] = "via condor_rm (by user)"
    return found


def remove(pool: Pool, words: list[str]) -> int:
    known = {job["id"]: job for job in pool.jobs() if not has_left(job)}
    code = 0
    for id_ in (word for word in words if not word.startswith("-")):
        found = [job for job in known.values() if id_ in (job["id"], job["id"].partition(".")[0])]
        if not found:
            print(f"Couldn't find/remove all jobs in cluster {id_}", file=sys.stderr)
            code = 1
        for job in found:
            if job["state"] in (HELD, ENDED):
                pool.write(job | {"state": REMOVED if job["state"] == HELD else ENDED, "forced": True})
            else:
                pool.remove(job["id"])
            print(f"Job {job['id']} marked for removal")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
