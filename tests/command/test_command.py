"""A script runs as it is: its declared files and its own source are its identity, its numbers reach the record."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from etude import Context, Stopped
from etude.command.running import CommandRun
from etude.errors import ConfigError
from etude.graph.command_lines import inputs_of, with_values
from etude.study.study import Study, Vary
from projects import Project

TRAIN = """
    import argparse, json, pathlib
    from util import loss
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float)
    p.add_argument("--out", type=pathlib.Path)
    a = p.parse_args()
    print("epoch 1 loss: 0.9")
    print(f"epoch 2 loss: {loss(a.lr)}")
    words = len(open("data/words.txt").read().split())
    (a.out / "model.txt").write_text("weights")
    (a.out / "metrics.json").write_text(json.dumps({"accuracy": 1 - a.lr, "test": {"words": words}}))
"""
RUN = "python scripts/train.py --lr ${lr} --out {out}"
SETTINGS = {
    "run": RUN,
    "reads": ["data/words.txt"],
    "writes": {"model": "model.txt", "metrics": "metrics.json"},
    "metrics": {"loss": r"loss: ([0-9.]+)"},
}


@pytest.fixture
def scripts(project: Project) -> Project:
    for name, text in {"scripts/train.py": TRAIN, "scripts/util.py": "def loss(lr): return lr * 2"}.items():
        write(project, name, text)
    write(project, "data/words.txt", "a b c")
    return project.write("def size(path: Path) -> int: return len(path.read_text())")


def write(project: Project, name: str, text: str) -> None:
    path = project.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))


def study(project: Project, **settings: Any) -> Study:
    pipeline = {"train": ("command", None, {**SETTINGS, **settings}), "size": ("size", "train.model")}
    return project.study(pipeline, params={"lr": 0.25}, vary=Vary(grid={"lr": (0.25, 0.5)}))


def test_a_script_gives_files_to_other_steps_and_numbers_to_the_record(scripts: Project) -> None:
    result = scripts.run(study(scripts))
    assert result.succeeded, result.summary.failures
    rows = result.records().to_pylist()
    columns = ("lr", "train.accuracy", "train.test.words", "train.loss", "size.value")
    assert [tuple(row[name] for name in columns) for row in rows] == [(0.25, 0.75, 3, 0.5, 7), (0.5, 0.5, 3, 1.0, 7)]
    assert scripts.run(study(scripts)).run == ""


@pytest.mark.parametrize(
    ("name", "text", "reruns"),
    [
        ("scripts/util.py", "def loss(lr): return lr * 3", True),
        ("scripts/train.py", TRAIN.replace("1 - a.lr", "2 - a.lr"), True),
        ("scripts/train.py", TRAIN + "\n    # a comment", False),
        ("data/words.txt", "a b", True),
        ("scripts/other.py", "x = 1", False),
        ("data/other.txt", "x", False),
    ],
)
def test_what_a_script_is_made_of_counts_and_nothing_else(scripts: Project, name: str, text: str, reruns: bool) -> None:
    scripts.run(study(scripts))
    write(scripts, name, text)
    todo = {node.name for node in scripts.prepare(study(scripts)).plan.todo}
    assert ("train" in todo) is reruns


def test_a_script_that_is_edited_after_the_plan_makes_no_result(scripts: Project) -> None:
    prepared = scripts.prepare(study(scripts))
    write(scripts, "scripts/util.py", "def loss(lr): return lr * 3")
    failures = scripts.run_prepared(prepared).summary.failures
    assert {failure.node.name for failure in failures} == {"train"}
    assert "util.py has changed since the study was planned" in failures[0].outcome.error
    assert scripts.run(study(scripts)).records().to_pylist()[0]["train.loss"] == 0.75


def test_a_folder_that_a_line_names_and_nothing_declares_is_told(scripts: Project) -> None:
    def told(**settings: Any) -> list[str]:
        node = scripts.prepare(study(scripts, **settings)).expansion.nodes[0]["train"]
        assert node.use is not None
        return [str(place) for place in node.use.symbols.opaque if "folder" in str(place)]

    line = f"{RUN} --data data"
    assert told(run=line, reads=[]) == [
        "command, line 1, in run: names the folder data, which counts only under `reads`"
    ]
    assert told(run=line, reads=["data"]) == []


@pytest.mark.parametrize(
    ("settings", "script", "words"),
    [
        ({}, "raise SystemExit(3)", "ended with exit code 3"),
        ({}, "print('so far'); raise SystemExit(3)", "so far"),
        ({"writes": {"model": "model.txt"}}, "print('loss: 1')", "it wrote nothing to {out}"),
        ({"writes": {"model": "modl.txt"}}, TRAIN, "model.txt"),
        ({"metrics": {"loss": "lost: ([0-9]+)"}}, TRAIN, "nothing that the command printed matches"),
        ({"metrics": {"loss": "loss: [0-9]+"}}, TRAIN, "has no group"),
        ({"metrics": {"loss": "loss: ("}}, TRAIN, "no regular expression"),
        ({"run": "no-such-program ${lr} {out}"}, TRAIN, "No such file or directory: no-such-program"),
        ({"writes": {"model": "../model.txt"}}, TRAIN, "leads out of the folder {out}"),
        ({"writes": {"model": "/etc/hostname"}}, TRAIN, "leads out of the folder {out}"),
        (
            {"writes": {"model": "m"}},
            TRAIN + "\n    (a.out / 'm').symlink_to('/etc/hostname')",
            "writes.model: 'm' leads out",
        ),
        (
            {"writes": {"metrics": "m.jsonl"}},
            TRAIN + "\n    (a.out / 'm.jsonl').write_text('[1]')",
            "line holds a list",
        ),
        ({}, TRAIN.replace("json.dumps(", "str("), "metrics.json cannot be read as json"),
        ({}, TRAIN.replace("json.dumps(", "'[1]' or str("), "holds a list, no numbers with names"),
    ],
)
def test_what_goes_wrong_is_told_with_its_place(
    scripts: Project, settings: dict[str, Any], script: str, words: str
) -> None:
    write(scripts, "scripts/train.py", script)
    failures = scripts.run(study(scripts, **settings)).summary.failures
    assert words in failures[0].outcome.error
    assert "Traceback" not in (failures[0].outcome.traceback or "") or "running.py" not in failures[0].outcome.error


def test_what_it_writes_into_the_project_undeclared_is_told(scripts: Project) -> None:
    write(scripts, "scripts/train.py", TRAIN + "\n    pathlib.Path('beside.txt').write_text('x')")
    (row, _) = scripts.run(study(scripts)).records().to_pylist()
    assert row["train.undeclared_writes"] == "beside.txt"


def test_inputs_stand_in_the_line_by_name(project: Project) -> None:
    project.write(
        "import pyarrow as pa\n"
        "def table() -> pa.Table: return pa.table({'x': [1, 2]})\n"
        "def parts() -> dict[str, list[int]]: return {'a': [1, 2, 3]}\n"
        "def number() -> float: return 2.5\n"
    )
    code = "import sys; print(*sys.argv[1:], sep=chr(10))"
    line = f"python -c '{code}' {{table}} {{parts}} x={{number}} {{{{kept}}}}"
    names = ("table", "parts", "number")
    pipeline: dict[str, tuple[Any, ...]] = {name: (name,) for name in names}
    metrics = {"table": r"(\d)\.parquet|/table\.parquet", "n": "x=([0-9.]+)"}
    del metrics["table"]
    pipeline["shown"] = ("command", dict(zip(names, names, strict=True)), {"run": line, "metrics": metrics})
    result = project.run(project.study(pipeline))
    assert result.succeeded, result.summary.failures
    assert result.records().to_pylist()[0]["shown.n"] == 2.5
    log = next((project.folder / ".etude" / "logs").rglob("*shown*"))
    printed = log.read_text() if log.is_file() else "".join(path.read_text() for path in log.rglob("*.log"))
    assert "{kept}" in printed
    assert "table.parquet" in printed


def test_an_input_that_nothing_gives_is_a_fault_before_anything_runs(scripts: Project) -> None:
    with pytest.raises(ConfigError, match="needs the input 'data'"):
        scripts.prepare(study(scripts, run="python scripts/train.py {data} {out}"))


def test_places_are_names_in_single_braces() -> None:
    line = "run {data} {out} {{data}} ${lr} '{print $1}' {data} {other}"
    assert inputs_of(line) == ("data", "other")
    assert with_values("a {x} {{x}} {y}", {"x": "1"}) == "a 1 {x} {y}"


@pytest.mark.parametrize(
    ("name", "text", "numbers"),
    [
        ("log.csv", "epoch,loss,acc\n0,0.5,\n1,,0.7\n", {"epoch": 1, "loss": 0.5, "acc": 0.7}),
        ("log.jsonl", '{"loss": 0.5}\n{"acc": 0.7, "loss": null}\n', {"loss": 0.5, "acc": 0.7}),
        ("m.yaml", "test: {f1: 0.5}\n", {"test": {"f1": 0.5}}),
        ("m.json", json.dumps({"a": 1}), {"a": 1}),
    ],
)
def test_numbers_are_read_from_what_scripts_write(
    tmp_path: Path, name: str, text: str, numbers: dict[str, Any]
) -> None:
    from etude.command.number_files import numbers_of

    (tmp_path / name).write_text(text)
    assert numbers_of(tmp_path / name) == numbers


def test_tensorboard_events_give_their_last_values(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    from etude.command.number_files import numbers_of

    writer = SummaryWriter(str(tmp_path / "run"))
    for at in range(3):
        writer.add_scalar("train/loss", 1.0 / (at + 1), at)
    writer.close()
    assert numbers_of(tmp_path) == {"train.loss": pytest.approx(1 / 3)}


def test_a_line_without_end_is_followed_in_parts(scripts: Project) -> None:
    """What a progress bar of one long line prints is not held in memory whole."""
    write(scripts, "scripts/train.py", "print('x' * 3_000_000 + ' loss: 0.5'); print('loss: 0.25')")
    result = scripts.run(study(scripts, writes={"model": "."}))
    assert [row["train.loss"] for row in result.records().to_pylist()] == [0.25, 0.25]


class StoppingWhenStarted:
    """A context whose run is stopped as soon as the command has written its process id."""

    def __init__(self, folder: Path) -> None:
        self.scratch = self.project = folder

    @property
    def stopping(self) -> bool:
        file = self.scratch / "out" / "pid"
        return file.is_file() and file.read_text() != ""


def test_a_stopped_shell_leaves_no_process_that_writes_on(tmp_path: Path) -> None:
    """Bash ends at SIGTERM and leaves what it started."""
    write_to = tmp_path / "child.py"
    write_to.write_text(
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[1] + '/pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)\n"
    )
    run = CommandRun(
        command=f"{sys.executable} {write_to} {{out}} | cat; true",
        writes={},
        patterns={},
        shell=True,
        stop_s=0.2,
        inputs={},
        context=cast(Context, StoppingWhenStarted(tmp_path)),
    )
    with pytest.raises(Stopped):
        run.result()
    child = int((tmp_path / "out" / "pid").read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
