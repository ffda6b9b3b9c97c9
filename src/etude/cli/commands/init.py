"""`etude init`: a working project to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
[bold]Example[/]

  etude init my-project && cd my-project && etude run study.yaml
"""


def init(
    folder: Annotated[Path, typer.Argument(help="Where; made if it does not exist, and must be empty.")] = Path(),
) -> None:
    """Make a working project: a study, a step of your own with its test."""
    from etude.cli.skeleton import make_project
    from etude.cli.tell import escaped, out

    for path in make_project(folder):
        out().print(f"[green]made[/] {escaped(str(path))}")
    steps = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    out().print(escaped("Next: " + " && ".join([*steps, "etude run study.yaml"])), soft_wrap=True)


init.__doc__ = f"{init.__doc__}\n{EXAMPLES}"
