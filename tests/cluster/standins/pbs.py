"""qsub, qstat and qdel of PBS Pro, as far as étude and Parsl use them. Exit codes and messages are PBS's own."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from pathlib import Path

from batch_pool import ENDED, HELD, QUEUED, REMOVED, RUNNING, Job, Pool, new_job, seconds

SERVER = "standin"
UNKNOWN, FINISHED, AWAY, NO_QUEUE, REFUSED = 153, 35, 111, 170, 188
QUEUES = ("workq", "prod", "debug")


def main(words: list[str]) -> int:
    command, *rest = words
    pool = Pool.here()
    away = pool.says("away")
    if away:
        print(f"{command}: cannot connect to server {SERVER} ({away})", file=sys.stderr)
        return AWAY
    return {"qsub": qsub, "qstat": qstat, "qdel": qdel}[command](pool, rest)


def qsub(pool: Pool, words: list[str]) -> int:
    path = words[-1] if words and not words[-1].startswith("-") else None
    if path is None or not Path(path).exists():
        print("qsub: script file:: No such file or directory", file=sys.stderr)
        return 1
    text = Path(path).read_text()
    said = [word for line in directives(text) for word in shlex.split(line)] + words[:-1]
    options = parsed(said)
    if options is None:
        return 2
    queue = options["q"][-1] if options["q"] else QUEUES[0]
    if queue not in QUEUES:
        print("qsub: Unknown queue", file=sys.stderr)
        return NO_QUEUE
    refuse = pool.says("refuse")
    if refuse:
        print(f"qsub: {refuse}", file=sys.stderr)
        return REFUSED
    number = pool.next_number()
    resources = dict(part.split("=", 1) for part in options["l"])
    chunk = dict(part.split("=", 1) for part in resources.get("select", "1").split(":") if "=" in part)
    name = (options["N"] or [Path(path).name])[-1]
    array = re.fullmatch(r"(\d+)-(\d+)(?:%(\d+))?", options["J"][-1]) if options["J"] else None
    tasks: list[int | None] = list(range(int(array[1]), int(array[2]) + 1)) if array else [None]
    id_ = f"{number}[].{SERVER}" if array else f"{number}.{SERVER}"
    script = str(pool.folder / f"{number}.SC")  # PBS keeps the script as it was submitted
    Path(script).write_text(text)
    for task in tasks:
        own = id_ if task is None else id_.replace("[]", f"[{task}]")
        where = {
            key: (options[letter] or [f"{Path.cwd()}/{name}.{letter}{number}"])[-1].replace("^array_index^", str(task))
            for key, letter in (("output", "o"), ("error", "e"))
        }
        if "oe" in options["j"]:
            where["error"] = where["output"]
        pool.add(
            new_job(
                own,
                number,
                task,
                name,
                ["/bin/bash", script],
                **where,
                cpus=int(chunk.get("ncpus", 1)),
                gpus=int(chunk.get("ngpus", 0)),
                after=dependencies(options["W"]),
                at_once=int(array[3]) if array and array[3] else None,
                walltime_s=seconds(resources["walltime"]) if "walltime" in resources else None,
                spools=True,
                joined="oe" in options["j"],
                queue=queue,
                account=(options["A"] or [""])[-1],
                environment={
                    "PBS_JOBID": own,
                    "PBS_JOBNAME": name,
                    "PBS_QUEUE": queue,
                    "PBS_ENVIRONMENT": "PBS_BATCH",
                    "PBS_O_WORKDIR": str(Path.cwd()),
                    "PBS_NODEFILE": os.devnull,
                    **({"PBS_ARRAY_INDEX": str(task)} if task is not None else {}),
                },
            )
        )
    print(id_)
    return 0


def directives(text: str) -> list[str]:
    """The `#PBS` lines up to the first command."""
    found = []
    for line in text.splitlines():
        if line.startswith("#PBS "):
            found.append(line[5:])
        elif line.strip() and not line.startswith("#"):
            break
    return found


def parsed(words: list[str]) -> dict[str, list[str]] | None:
    options: dict[str, list[str]] = {letter: [] for letter in "ANSWeJjlMmoqrvV"}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not re.fullmatch(r"-[A-Za-z].*", word) or word[1] not in options:
            print(f"qsub: invalid option -- '{word.lstrip('-')[:1]}'\nusage: qsub [-a date_time] ...", file=sys.stderr)
            return None
        options[word[1]].append(word[2:] or (rest.pop(0) if word[1] != "V" else ""))
    return options


def dependencies(said: list[str]) -> list[str]:
    return [id_ for text in said if text.startswith("depend=afterany:") for id_ in text.split(":")[1:]]


def qstat(pool: Pool, words: list[str]) -> int:
    history, tasks, ids = False, False, []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-F":
            if rest.pop(0) != "json":
                return 2
        elif word.startswith("-"):
            history |= "x" in word
            tasks |= "t" in word
        else:
            ids.append(word)
    known = {job["id"]: job for job in pool.jobs()}
    code, listed = 0, {}
    for id_ in ids or list(known):
        found = members(known, id_)
        if not found:
            print(f"qstat: Unknown Job Id {id_}", file=sys.stderr)
            code = UNKNOWN
        elif not history and all(is_over(job) for job in found):
            if ids:
                print(f"qstat: {id_} Job has finished, use -x or -H to obtain historical information", file=sys.stderr)
                code = FINISHED
        elif "[]" in id_:
            listed[id_] = facts(found[0]) | {"job_state": "F" if all(map(is_over, found)) else "B", "array": "True"}
            if tasks:
                listed |= {job["id"]: facts(job) for job in found}
        else:
            listed[id_] = facts(found[0])
    print(json.dumps({"timestamp": int(time.time()), "pbs_version": "22.05.11", "pbs_server": SERVER, "Jobs": listed}))
    return code


def members(known: dict[str, Job], id_: str) -> list[Job]:
    """The job of an id, or all tasks of an array's."""
    if "[]" not in id_:
        return [known[id_]] if id_ in known else []
    number = int(id_.partition("[")[0])
    return [job for job in known.values() if job["number"] == number]


def is_over(job: Job) -> bool:
    return job["state"] in (ENDED, HELD, REMOVED)


def facts(job: Job) -> dict[str, object]:
    depends = job["reason"] == "waits for other jobs"
    word = {QUEUED: "H" if depends else "Q", RUNNING: "R"}.get(job["state"], "X" if job["task"] is not None else "F")
    found: dict[str, object] = {
        "Job_Name": job["name"],
        "Job_Owner": f"{os.environ.get('USER', 'root')}@{SERVER}",
        "job_state": word,
        "queue": job["queue"],
        "server": SERVER,
        "Error_Path": f"{SERVER}:{job['error']}",
        "Output_Path": f"{SERVER}:{job['output']}",
        "run_count": job["starts"],
    }
    if job["state"] == QUEUED and job["reason"]:
        found["comment"] = (
            f"Can Never Run: {job['reason']}" if "never" in job["reason"] else f"Not Running: {job['reason']}"
        )
    if job["starts"]:
        found["exec_host"] = f"{SERVER}/0*{job['cpus']}"
        wall_s = job.get("ended_s", time.time()) - job["started_s"]
        found["resources_used"] = {
            "cpupercent": 99,
            "cput": clock(job.get("cpu_s", 0.0)),
            "mem": f"{job.get('peak_rss_kb', 0)}kb",
            "ncpus": job["cpus"],
            "walltime": clock(wall_s),
        }
    if is_over(job):
        code = job.get("code")
        found["Exit_status"] = 271 if code is None else code if code >= 0 else 256 - code
        if job["reason"] == "walltime":
            found["comment"] = "Job run finished and walltime exceeded limit"
    return found


def clock(duration_s: float) -> str:
    whole = int(duration_s)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def qdel(pool: Pool, words: list[str]) -> int:
    code = 0
    known = {job["id"]: job for job in pool.jobs()}
    for id_ in (word for word in words if not word.startswith("-") and word != "force"):
        found = members(known, id_)
        if not found:
            print(f"qdel: Unknown Job Id {id_}", file=sys.stderr)
            code = UNKNOWN
        elif all(map(is_over, found)):
            print(f"qdel: Job has finished {id_}", file=sys.stderr)
            code = FINISHED
        for job in found:
            pool.remove(job["id"])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
