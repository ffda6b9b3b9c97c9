"""Arguments and options that several commands take, written once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.cli.completion import node_names, param_assignments, variant_values
from etude.errors import ConfigError, Fault

StudyFile = Annotated[Path, typer.Argument(help="The study file: YAML, JSON or Jsonnet.", show_default=False)]
Set = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override a value; a bare name is a param. Repeatable.",
        autocompletion=param_assignments,
    ),
]
Profile = Annotated[Optional[str], typer.Option(help="Use one of the study's profiles.")]  # noqa: UP045
Quick = Annotated[
    bool, typer.Option("--quick", help="A trial in seconds: the study's profile `quick`, with results of its own.")
]
Until = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="NODE", help="Only this node or group and what it reads. Repeatable.", autocompletion=node_names
    ),
]
Only = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--only-variant",
        metavar="PARAM=VALUE",
        help="Only the variants with this value. Repeatable.",
        autocompletion=variant_values,
    ),
]
Rerun = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        metavar="NODE",
        help="Compute this node again even if its result is there. Repeatable.",
        autocompletion=node_names,
    ),
]
Track = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(metavar="TRACKER", help="Tell this tracker too: mlflow, wandb or tensorboard. Repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but what failed.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print why each node runs, and when it starts, as well.")
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


def refuse_together(**chosen: bool) -> None:
    """Refuse options that contradict each other.

    Raises:
        ConfigError: More than one is chosen.
    """
    given = [f"--{name.replace('_', '-')}" for name, is_given in chosen.items() if is_given]
    if len(given) > 1:
        raise ConfigError([Fault(given[0], f"cannot go with {', '.join(given[1:])}", mend="leave one of them out")])


def repeated_words(overrides: Sequence[str] | None, profile: str | None) -> list[str]:
    """The words of a command line that say the same overrides and profile again."""
    sets = [word for text in overrides or () for word in ("--set", text)]
    return [*(("--profile", profile) if profile else ()), *sets]
