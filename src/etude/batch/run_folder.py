"""Where the batch jobs of a run stand in its folder. The only file that knows; nothing here touches the disk.

<run>/nodes.pickle             every node of the plan, for the jobs
<run>/etude.json               the files of étude itself that the plan reaches, each with its digest
<run>/jobs.jsonl               what was submitted, and what became of it
<run>/driver.json              who drives the run; touched while it lives
<run>/cancel                   there if the run is to stop
<run>/jobs/tasks.json          the parts of a job array, by index
<run>/jobs/<part>/job.json     what one job is to do
<run>/jobs/<part>/job.sh       its batch script
<run>/jobs/<part>/output.txt   what it prints
<run>/jobs/<part>/events.jsonl what happens in it
<run>/jobs/<part>/ended.json   how it ended, where it could say so
"""

from __future__ import annotations

from pathlib import Path

NODES = "nodes.pickle"
OWN = "etude.json"
JOURNAL = "jobs.jsonl"
DRIVER = "driver.json"
CANCEL = "cancel"
JOBS = "jobs"
TASKS = "jobs/tasks.json"
JOB = "job.json"
SCRIPT = "job.sh"
DESCRIPTION = "job.submit"
OUTPUT = "output.txt"
EVENTS = "events.jsonl"
ENDED = "ended.json"
GRAPH = "jobs/study.dag"


def job_folder(run: Path, part: str) -> Path:
    """The folder of one part's job."""
    return run / JOBS / part


def run_of(job: Path) -> Path:
    """The run's folder of a job's folder."""
    return job.parent.parent
