"""A small project with one study, `a(x) → b → c` and `a → d`, whose every part can be changed on its own.

Each step appends its name to a log when, and only when, its body runs, so that a test knows what was computed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ETUDE = [sys.executable, "-m", "etude.cli.main"]


@dataclass(frozen=True)
class Version:
    """One state of the user's project."""

    x: int = 1
    b_adds: str = "+ 10"
    helper: str = "+ 100"
    other_module: str = "+ 1000"
    constant: int = 7
    comment: str = ""
    a_body: str = "x"
    c_from: str = "b"
    default: int = 0
    b_sleep_s: float = 0.0
    d_fails: bool = False
    b_changes_its_input: bool = False
    workers: int = 2
    backend: str = "processes"

    @property
    def a(self) -> int:
        return {"x": self.x, "x + 0": self.x, "x + 1": self.x + 1}[self.a_body]

    @property
    def d(self) -> int:
        return self.a * 3

    @property
    def c(self) -> int:
        added = sum(int(text.removeprefix("+ ")) for text in (self.b_adds, self.helper, self.other_module))
        return 2 * (self.a + added + self.constant + self.default if self.c_from == "b" else self.d)


def study_of(version: Version) -> dict[str, object]:
    return {
        "name": "probe",
        "pipeline": {
            "a": {"step": "nodes:a", "with": {"x": version.x}},
            "b": {"step": "nodes:b", "from": "a"},
            "d": {"step": "nodes:d", "from": "a"},
            "c": {"step": "nodes:c", "from": version.c_from},
        },
        "place": {"backend": version.backend, "workers": version.workers},
    }


def nodes_of(version: Version) -> str:
    change = "    a['v'].append(999)\n" if version.b_changes_its_input else ""
    fail = "    raise RuntimeError('d failed')\n" if version.d_fails else ""
    return f"""
import os, time
import others
from etude import step

CONSTANT = {version.constant}

def log(name):
    with open(os.environ["PROBE_LOG"], "a") as file:
        file.write(name + "\\n")

def helper(z):
    return z {version.helper}

@step
def a(*, x: int) -> dict[str, list[int]]:
    log("a")
    return {{"v": [{version.a_body}]}}

@step
def b(a: dict[str, list[int]], *, k: int = {version.default}) -> dict[str, list[int]]:
    log("b")
    # note {version.comment}
    time.sleep({version.b_sleep_s})
    result = {{"v": [others.u(a["v"][0]) {version.b_adds} + helper(0) + CONSTANT + k]}}
{change}    return result

@step
def d(a: dict[str, list[int]]) -> dict[str, list[int]]:
    log("d")
{fail}    return {{"v": [a["v"][0] * 3 + len(a["v"]) - 1]}}

@step
def c(s: dict[str, list[int]]) -> dict[str, list[int]]:
    log("c")
    return {{"v": [s["v"][0] * 2]}}
"""


@dataclass(frozen=True)
class Ran:
    """How one `etude run` ended."""

    code: int
    calls: str
    """The steps whose bodies ran, sorted."""
    output: str


@dataclass
class Project:
    """The project on disk."""

    folder: Path

    def write(self, version: Version) -> None:
        (self.folder / "others.py").write_text(f"def u(z):\n    return z {version.other_module}\n")
        (self.folder / "nodes.py").write_text(nodes_of(version))
        (self.folder / "study.json").write_text(json.dumps(study_of(version)))

    @property
    def log(self) -> Path:
        return self.folder / "calls.log"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PROBE_LOG": str(self.log), "NO_COLOR": "1"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*ETUDE, "run", "study.json", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, version: Version | None = None, *words: str) -> Ran:
        if version is not None:
            self.write(version)
        self.log.write_text("")
        process = self.start(*words)
        output, _ = process.communicate(timeout=120)
        return Ran(process.returncode, "".join(sorted(self.log.read_text().split())), output)

    def value(self, node: str) -> int:
        done = subprocess.run(
            [*ETUDE, "show", "study.json", node, "--json"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(json.loads(done.stdout)[0]["value"]["v"][0])

    def stored_files(self) -> list[Path]:
        """Every file of every stored result, manifests included."""
        store = self.folder / ".etude" / "store"
        folders = [folder for folder in store.glob("??") if folder.is_dir()]
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]
