"""Arguments and options that several commands take, written once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.errors import ConfigError, Fault

StudyFile = Annotated[Path, typer.Argument(help="The study file: YAML, JSON or Jsonnet.", show_default=False)]
Set = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--set", metavar="PATH=VALUE", help="Override a value; a bare name is a param. Repeatable."),
]
Profile = Annotated[Optional[str], typer.Option(help="Use one of the study's profiles.")]  # noqa: UP045
Until = Annotated[Optional[str], typer.Option(metavar="NODE", help="Only this node and what it reads.")]  # noqa: UP045
Only = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--only-variant", metavar="PARAM=VALUE", help="Only the variants with this value. Repeatable."),
]
Rerun = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(metavar="NODE", help="Compute this node again even if its result is there. Repeatable."),
]
Track = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(metavar="TRACKER", help="Tell this tracker too: mlflow, wandb or tensorboard. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def assignments(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """`name=value` pairs of an option given several times.

    Raises:
        ConfigError: One has no `=`.
    """
    pairs = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError([Fault(option, "expected PARAM=VALUE", text)])
        pairs[name.strip()] = value.strip()
    return pairs


def repeated_words(overrides: Sequence[str] | None, profile: str | None) -> list[str]:
    """The words of a command line that say the same overrides and profile again."""
    sets = [word for text in overrides or () for word in ("--set", text)]
    return [*(("--profile", profile) if profile else ()), *sets]
