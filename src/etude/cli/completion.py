"""What a shell may complete in a command line: the nodes, params and variants of the study that stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from etude.errors import EtudeError
from etude.graph.labels import text_of
from etude.graph.pipeline import RECORDS

if TYPE_CHECKING:
    from etude.study.study import Study


def node_names(context: typer.Context, incomplete: str) -> list[str]:
    """The nodes and groups whose names begin so."""
    study = _study_of(context)
    names = [] if study is None else [*study.pipeline, RECORDS, *study.collect, *study.groups]
    return [name for name in names if name.startswith(incomplete)]


def param_assignments(context: typer.Context, incomplete: str) -> list[str]:
    """The params whose names begin so, each with `=`, for a value to be written behind it."""
    study = _study_of(context)
    return [] if study is None else [f"{name}=" for name in study.params if name.startswith(incomplete)]


def variant_values(context: typer.Context, incomplete: str) -> list[str]:
    """The `param=value` pairs of the study's variants that begin so."""
    study = _study_of(context)
    if study is None:
        return []
    values = {name: [*axis] for name, axis in {**study.vary.grid, **study.vary.repeat}.items()}
    for point in study.vary.points:
        for name, value in point.items():
            values.setdefault(name, []).append(value)
    pairs = [f"{name}={text_of(value)}" for name, axis in values.items() for value in axis]
    return [pair for pair in dict.fromkeys(pairs) if pair.startswith(incomplete)]


def _study_of(context: typer.Context) -> Study | None:
    """The study that the command line names so far; None where it names none that can be read."""
    words = [context.params.get("study"), *context.args]  # arguments are not parsed yet where an option lacks its value
    file = next((Path(word) for word in words if isinstance(word, (str, Path)) and Path(word).is_file()), None)
    if file is None:
        return None
    # Commands that are about no study take options of this kind too, and read no study to start.
    from etude.config.load import read_study

    try:
        return read_study(file).study
    except (EtudeError, OSError):
        return None
