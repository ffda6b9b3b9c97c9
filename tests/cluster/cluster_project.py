"""A user's project whose studies run on a cluster, driven by the command line in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.slurm_bed import die_with_parent, until

STEPS = """
import os, time
from pathlib import Path
from etude import Context, Stopped, step

HERE = Path(__file__).parent

def called(name):
    with open(HERE / "calls.log", "a") as file:
        file.write(f"{name}\\n")

@step
def base(*, value: int) -> int:
    called("base")
    return value

@step
def train(base: int, *, k: int, to: int, ctx: Context) -> dict[str, float]:
    state = ctx.scratch / "state"
    done = int(state.read_text()) if state.exists() else 0
    called(f"train{k}-from-{done}")
    while done < to:
        done += 1
        state.with_suffix(".tmp").write_text(str(done))
        state.with_suffix(".tmp").rename(state)
        ctx.progress(done, to)
        time.sleep(0.1)
        while (HERE / "hold").exists():
            time.sleep(0.05)
            if ctx.stopping:
                raise Stopped(f"at {done}")
        if ctx.stopping:
            raise Stopped(f"at {done}")
    return {"steps": float(done), "score": base + k / 10}
"""


class ClusterProject:
    """A project in a folder, with a study of some variants of one training."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**environment, "COLUMNS": "250"}
        folder.mkdir(exist_ok=True)
        (folder / "training.py").write_text(STEPS)

    def study(self, *, variants: int = 2, to: int = 5, on: Mapping[str, object] | None = None, **place: Any) -> None:
        """Write the study: `train` for each k, trained `to` steps."""
        train = {"step": "training:train", "from": "base", "with": {"k": "${k}", "to": to}, "on": dict(on or {})}
        study = {
            "name": "faults",
            "params": {"k": 0},
            "pipeline": {"base": {"step": "training:base", "with": {"value": 3}}, "train": train},
            "vary": {"grid": {"k": list(range(variants))}},
            "collect": {"table": {"step": "analysis.aggregate", "from": "records"}},
            "place": {"retries": 3, **place},
        }
        (self.folder / "study.json").write_text(json.dumps(study))

    def profile(self, **keys: object) -> None:
        """Write the profile of the cluster."""
        (self.folder / "cluster").mkdir(exist_ok=True)
        usual = {"scheduler": "slurm", "walltime": "10m", "grace": "5s", "poll": 0.5}
        (self.folder / "cluster" / "here.yaml").write_text(json.dumps({**usual, **keys}))

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Start a driver."""
        command = [sys.executable, "-m", "etude.cli.main", "run", "study.json", "--on", "here", *more]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )

    def etude(self, *words: str) -> tuple[int, str]:
        """Run another command to its end."""
        command = [sys.executable, "-m", "etude.cli.main", *words]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=self.environment, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def calls(self) -> list[str]:
        log = self.folder / "calls.log"
        return log.read_text().split() if log.exists() else []

    def hold(self) -> None:
        """Let trainings stand still where they are."""
        (self.folder / "hold").touch()

    def go_on(self) -> None:
        (self.folder / "hold").unlink(missing_ok=True)

    def until_trained(self, variants: int, steps: int = 1) -> None:
        """Wait until this many variants have trained this many steps."""
        until(lambda: sum(done >= steps for done in self.trained()) >= variants, "training", self.told, limit_s=180)

    def trained(self) -> list[int]:
        """How many steps the unfinished trainings have done."""
        found = []
        for path in self.folder.glob(".etude/store/scratch/*/*/state"):
            try:
                found.append(int(path.read_text()))
            except (OSError, ValueError):
                continue
        return found

    def told(self) -> str:
        """The latest run's events and what its jobs printed, for messages."""
        runs = sorted(self.folder.glob(".etude/runs/*"))
        if not runs:
            return "no run has begun"
        outputs = [f"{path}: {path.read_text()[-500:]}" for path in runs[-1].glob("jobs/*/output.txt")]
        return "\n".join([(runs[-1] / "events.jsonl").read_text()[-3000:], *outputs])

    def scores(self) -> list[dict[str, float]]:
        """The table of records, by variant."""
        text = (self.folder / "results" / "faults" / "records.jsonl").read_text()
        rows = [json.loads(line) for line in text.splitlines()]
        return [{name: row[name] for name in ("k", "train.score", "train.steps")} for row in rows]

    def finish(self, process: subprocess.Popen[str], limit_s: float = 180) -> str:
        """Wait for a driver; what it printed. It must have succeeded."""
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f"not done in {limit_s:g} s\n{output}\n{self.told()}") from None
        assert process.returncode == 0, f"{output}\n{self.told()}"
        return output


def undisturbed(variants: int, to: int) -> list[dict[str, float]]:
    """The records of a run that nothing disturbs."""
    return [{"k": k, "train.score": 3 + k / 10, "train.steps": float(to)} for k in range(variants)]
