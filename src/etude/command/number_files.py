"""Numbers from the files that training scripts leave: JSON, YAML, CSV, TensorBoard's events."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import yaml

from etude.errors import StepError


def numbers_of(path: Path) -> dict[str, Any]:
    """The numbers in a file, by name; nested as they stand.

    Of a CSV file and of JSON lines the last value of each column that has one, as it stands in a log that is written
    line by line. Of a folder, the last value of each scalar in TensorBoard's event files, or its `metrics.csv`.

    Raises:
        StepError: It is of no known kind, cannot be read, or holds no numbers.
    """
    if path.is_dir():
        log = next(iter(sorted(path.rglob("metrics.csv"))), None)
        return _of_csv(log) if log is not None else _of_events(path)
    readers = {".json": _of_json, ".jsonl": _of_lines, ".yaml": _of_yaml, ".yml": _of_yaml, ".csv": _of_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(sorted(readers))
        raise StepError(f"writes.metrics: numbers are read from {known} or a log folder, not from {path.name}")
    try:
        numbers = reader(path)
    except (OSError, ValueError, yaml.YAMLError, csv.Error) as error:
        raise StepError(f"writes.metrics: {path.name} cannot be read as {path.suffix[1:]}: {error}") from error
    if not isinstance(numbers, dict):
        raise StepError(f"writes.metrics: {path.name} holds a {type(numbers).__name__}, no numbers with names")
    return numbers


def _of_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _of_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _of_lines(path: Path) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"a line holds a {type(row).__name__}, no numbers with names: {line[:80]}")
            last.update({name: value for name, value in row.items() if value is not None})
    return last


def _of_csv(path: Path) -> dict[str, Any]:
    last: dict[str, Any] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, text in row.items():
                if name and text not in (None, ""):
                    last[name] = _number(str(text))
    return last


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _of_events(folder: Path) -> dict[str, Any]:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise StepError("writes.metrics: event files are read by tensorboard: pip install tensorboard") from error
    files = sorted(folder.rglob("events.out.tfevents.*"))
    if not files:
        raise StepError(f"writes.metrics: {folder.name} holds neither event files nor a metrics.csv")
    numbers: dict[str, Any] = {}
    for place in sorted({file.parent for file in files}):
        events = EventAccumulator(str(place), size_guidance={"scalars": 1})
        events.Reload()
        for name in events.Tags()["scalars"]:
            numbers[name.replace("/", ".")] = events.Scalars(name)[-1].value
    return numbers
