"""Secrets of the environment, and passwords in URLs: nothing that a run writes or prints holds one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from etude.redaction import HIDDEN

SECRETS = {
    "WANDB_API_KEY": "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    "HF_TOKEN": "hf_" + "Planted" * 5,
    "MLFLOW_TRACKING_PASSWORD": 'pass "wörd" \\ of 9 words',
    "HTTPS_PROXY": "http://ann:open%20sesame%21@proxy.invalid:8080",
}
PLANTED = (
    *(value for name, value in SECRETS.items() if name != "HTTPS_PROXY"),
    "open%20sesame%21",
    "open sesame!",
    "in-the-code",
    "in-a-comment",
    "ann:",
)
STEPS = """
import os, subprocess, sys
from etude import Context, step

MIRROR = "https://ann:in-the-code@mirror.invalid/simple"

@step
def prints(*, ctx: Context) -> float:
    from urllib.parse import unquote
    for name in ("WANDB_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_PASSWORD", "HTTPS_PROXY"):
        print(name, os.environ[name])
        print(repr(os.environ[name]), file=sys.stderr)
        ctx.progress(1, 1, f"with {os.environ[name]}")
    print(unquote(os.environ["HTTPS_PROXY"]))
    subprocess.run([sys.executable, "-c", "import os; print(os.environ['HF_TOKEN'])"], check=True)
    return 1.0

@step
def fails(*, seed: int) -> float:
    print("cannot reach", MIRROR)
    raise ValueError(f"cannot reach {MIRROR} with {os.environ['HF_TOKEN']}, {os.environ['MLFLOW_TRACKING_PASSWORD']}")

@step
def dies(*, seed: int) -> float:
    print("last words:", os.environ["WANDB_API_KEY"], flush=True)
    os.kill(os.getpid(), 9)
    return 0.0
"""
STUDY = """
# the mirror is https://ann:in-a-comment@mirror.invalid
name: leaky
params: {seed: 0}
pipeline:
  printed: {step: "leaky_steps:prints"}
  failed: {step: "leaky_steps:fails", with: {seed: "${seed}"}}
  died: {step: "leaky_steps:dies", with: {seed: "${seed}"}}
place: {retries: 0, workers: 1}
"""


def etude(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **SECRETS, "COLUMNS": "200", **more}
    command = [sys.executable, "-m", "etude.cli.main", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


def project(folder: Path) -> Path:
    (folder / "leaky_steps.py").write_text(STEPS)
    (folder / "leaky.yaml").write_text(STUDY)
    return folder


def offline() -> list[str]:
    """Options for the trackers that are installed and need more than a folder."""
    words: list[str] = []
    if find_spec("mlflow") and find_spec("sqlalchemy"):
        words += ["--to", "mlflow"]
    if find_spec("wandb"):
        words += ["--to", "wandb", "--set", "place.track=[{wandb: {mode: offline}}]"]
    return words


def holders(folder: Path) -> Iterator[str]:
    """Every file that holds a secret, besides the project's own; and names that do."""
    for path in sorted(folder.rglob("*")):
        assert not any(secret in str(path) for secret in PLANTED)
        if path.is_file() and path.name not in ("leaky_steps.py", "leaky.yaml") and "__pycache__" not in path.parts:
            yield from found(str(path.relative_to(folder)), path.read_bytes())
    for path in folder.rglob(".etude/runs/**/leaky*"):
        yield from found(str(path.relative_to(folder)), path.read_bytes())


def found(place: str, data: bytes) -> Iterator[str]:
    text = data.decode("utf-8", "replace")
    for secret in PLANTED:
        for way in {secret, secret.replace("\\", "\\\\").replace('"', '\\"'), ascii(secret)[1:-1]}:
            if way in text:
                yield f"{place}: {way}"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "inline"])
def test_nothing_that_a_run_leaves_or_prints_holds_a_secret(tmp_path: Path, backend: str) -> None:
    folder = project(tmp_path)
    if backend == "inline":  # there a step that kills its process kills the run, and its children print as they like
        (folder / "leaky.yaml").write_text(STUDY.replace("leaky_steps:dies", "leaky_steps:fails"))
        (folder / "leaky_steps.py").write_text(STEPS.replace("    subprocess.run", "    # "))
    said = etude(folder, "run", "leaky.yaml", "--on", backend)
    assert said.returncode == 1, said.stderr.decode()
    assert HIDDEN in said.stderr.decode()
    report = etude(folder, "report", "leaky.yaml")
    told = etude(folder, "track", "leaky.yaml", "--to", "tensorboard", *offline())
    again = etude(folder, "show", "leaky.yaml", "failed")
    for each in (said, report, again, told):
        assert [*found("printed", each.stdout + each.stderr)] == []
    assert [*holders(folder)] == []
    assert not find_spec("mlflow") or b"mlflow: 2 runs told" in told.stdout
    logs = [path.read_text() for path in folder.glob(".etude/logs/leaky/*.log")]
    assert sum(HIDDEN in log for log in logs) >= 2


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["--set", "seed=https://ann:in-the-code@mirror.invalid"], "params.seed"),
        (["--set", "description=token hf_PlantedPlantedPlantedPlantedPlanted"], "description"),
    ],
)
def test_a_study_that_holds_a_secret_is_refused_without_showing_it(
    tmp_path: Path, words: list[str], place: str
) -> None:
    said = etude(project(tmp_path), "run", "leaky.yaml", *words)
    assert said.returncode == 2
    assert place in said.stderr.decode()
    assert HIDDEN in said.stderr.decode()
    assert [*found("printed", said.stdout + said.stderr)] == []
    assert not (tmp_path / ".etude").exists()


def test_a_param_bound_to_a_secret_of_the_environment_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path)
    (folder / "leaky.yaml").write_text(STUDY + "env: {HF_TOKEN: seed}\n")
    said = etude(folder, "plan", "leaky.yaml")
    assert said.returncode == 2
    assert "params.seed" in said.stderr.decode()
    assert [*found("printed", said.stdout + said.stderr)] == []


@pytest.mark.parametrize("backend", ["processes", "inline"])
def test_the_value_of_a_variable_that_the_study_marks_is_left_nowhere(tmp_path: Path, backend: str) -> None:
    (tmp_path / "leaky_steps.py").write_text(
        "import os\nfrom etude import step\n\n@step\ndef fails(*, seed: int) -> int:\n"
        "    print(os.environ['CLUSTER_LOGIN'])\n    raise ValueError(os.environ['CLUSTER_LOGIN'])\n"
    )
    (tmp_path / "leaky.yaml").write_text(
        "env: {CLUSTER_LOGIN: {secret: true}}\nplace: {workers: 1}\n"
        "pipeline: {failed: {step: 'leaky_steps:fails', with: {seed: 0}}}\n"
    )
    said = etude(tmp_path, "run", "leaky.yaml", "--on", backend, CLUSTER_LOGIN="in-the-open")
    assert said.returncode == 1
    assert f"ValueError: {HIDDEN}" in said.stderr.decode()
    assert b"in-the-open" not in said.stdout + said.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"in-the-open" in path.read_bytes()]
    assert [path.read_text() for path in tmp_path.glob(".etude/logs/leaky/*.log")] == [f"{HIDDEN}\n"]
