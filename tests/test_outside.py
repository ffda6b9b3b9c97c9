"""What users hold on to: the command line, the study file's schema, public names, steps, the columns of results.

Each is compared with a file in `expected/outside/`. A deliberate change rewrites them: `python tests/test_outside.py`.
"""

from __future__ import annotations

import csv
import inspect
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import typer

import etude
from etude.cli.main import app
from etude.graph.library import StepLibrary, full_reference

EXPECTED = Path(__file__).parent / "expected" / "outside"
STEP_ROOMS = ("analysis", "command", "nn", "text")

STUDY = """
name: small
params: {degree: 1, seed: 0}
pipeline:
  points: {step: "outside_steps:points", with: {seed: "${seed}"}}
  error: {step: "outside_steps:error", from: points, with: {degree: "${degree}"}}
vary: {grid: {degree: [1, 2]}, repeat: {seed: [0, 1]}}
collect:
  table: {step: analysis.aggregate, from: records}
place: {backend: inline}
"""

STEPS = """
from dataclasses import dataclass
import numpy as np
from etude import step

@dataclass(frozen=True)
class Errors:
    train: float
    test: float

@step
def points(*, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (2, 20))

@step
def error(points: np.ndarray, *, degree: int) -> Errors:
    weights = np.polyfit(*points[:, :10], degree)
    errors = (np.polyval(weights, points[0]) - points[1]) ** 2
    return Errors(train=float(errors[:10].mean()), test=float(errors[10:].mean()))
"""


def command_line() -> dict[str, Any]:
    """Every command: its help, its arguments and its options with type, default and help."""

    def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
        context = typer.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield f"{prefix}{name}", command
            if hasattr(command, "list_commands"):
                yield from commands(command, f"{prefix}{name} ")

    def described(parameter: Any) -> dict[str, Any]:
        return {
            "names": [*parameter.opts, *parameter.secondary_opts],
            "type": inspect.formatannotation(parameter.type_descriptor.annotation),
            "required": parameter.required,
            "many": bool(parameter.multiple if parameter.param_type_name == "option" else parameter.nargs == -1),
            "default": None if callable(parameter.default) else str(parameter.default),
            "help": inspect.cleandoc(parameter.help or ""),
        }

    top = typer.main.get_command(app)
    return {
        name: {
            "help": inspect.cleandoc(command.help or ""),
            "takes": sorted(map(described, command.params), key=lambda taken: str(taken["names"])),
        }
        for name, command in sorted([("", top), *commands(top)])
    }


def public_names() -> dict[str, str]:
    """The names of `etude` with how each is called."""
    return {name: signature_text(getattr(etude, name)) for name in sorted([*etude.__all__, *etude.FROM_API])}


def signature_text(value: object) -> str:
    try:
        parameters = inspect.signature(value).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return type(value).__name__
    return ", ".join(
        f"{parameter.kind.description}: {parameter.name}"
        + ("" if parameter.default is parameter.empty else f" = {parameter.default!r}")
        for parameter in parameters
        if not parameter.name.startswith("_")
    )


def steps() -> dict[str, Any]:
    """Every step of étude's own: what it takes, and its settings with their defaults."""
    library = StepLibrary(project=Path(tempfile.gettempdir()))
    taken = {}
    for room in STEP_ROOMS:
        module = __import__(f"etude.{room}.steps", fromlist=["steps"])
        for name in sorted(vars(module)):
            if not hasattr(getattr(module, name), "__etude_step__") or name.startswith("_"):
                continue
            signature = library.find(f"{room}.{name}").signature
            taken[f"{room}.{name}"] = {
                "inputs": [f"*{given.name}" if given.many else given.name for given in signature.inputs],
                "settings": {
                    setting.name: "required" if setting.required else repr(setting.default)
                    for setting in signature.settings.values()
                },
                "deterministic": signature.deterministic,
            }
    assert all(full_reference(name) for name in taken)
    return taken


def schema() -> Any:
    """What `etude schema` prints."""
    printed = subprocess.run(
        [sys.executable, "-m", "etude.cli.main", "schema"], capture_output=True, text=True, check=True
    )
    return json.loads(printed.stdout)


def results() -> dict[str, Any]:
    """The files that a run leaves in `results/`, and the columns of each."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "small.yaml").write_text(STUDY)
        (folder / "outside_steps.py").write_text(STEPS)
        subprocess.run(
            [sys.executable, "-m", "etude.cli.main", "run", "small.yaml"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        written = folder / "results" / "small"
        with (written / "aggregated_metrics.csv").open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file))
        first_record = json.loads((written / "records.jsonl").read_text().splitlines()[0])
        return {
            "files": sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file()),
            "records.parquet": pyarrow.parquet.read_schema(written / "records.parquet").names,
            "records.jsonl": list(first_record),
            "aggregated_metrics.csv": header,
            "detailed_statistics.json": keys(json.loads((written / "detailed_statistics.json").read_text())),
            "manifest.json": max(
                (keys(json.loads(path.read_text()), 2) for path in (folder / ".etude/store").rglob("manifest.json")),
                key=lambda manifest: "metrics" in manifest["codec"],
            ),
        }


def keys(value: Any, depth: int = 3) -> Any:
    """The keys of nested mappings, lists by their first item."""
    if isinstance(value, list) and value:
        return [keys(value[0], depth)]
    if isinstance(value, dict) and depth:
        return {key: keys(inner, depth - 1) for key, inner in sorted(value.items())}
    return type(value).__name__


OUTSIDE: dict[str, Callable[[], Any]] = {
    "command_line": command_line,
    "public_names": public_names,
    "results": results,
    "schema": schema,
    "steps": steps,
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_users_hold_on_to_changes_by_decision_only(name: str) -> None:
    assert OUTSIDE[name]() == json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    EXPECTED.mkdir(parents=True, exist_ok=True)
    for name, look in OUTSIDE.items():
        text = json.dumps(look(), indent=1, ensure_ascii=False)
        (EXPECTED / f"{name}.json").write_text(text + "\n", encoding="utf-8")
