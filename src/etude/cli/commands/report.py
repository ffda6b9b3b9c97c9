"""`etude report`: one HTML file that tells what a study found, or several studies side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.cli.arguments import Profile, Set

EXAMPLES = """
[bold]Examples[/]

  etude report study.yaml

  etude report clean.yaml noisy.yaml --name Clean --name "Noisy (typos)"

  etude report study.yaml --output paper/report.html
"""


def report(
    studies: Annotated[list[Path], typer.Argument(metavar="STUDY...", help="Study files.", show_default=False)],
    names: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--name", help="What a study is called in the report, in the order of the files. Repeatable."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="The file to write; results/<study>/report.html if left out."),
    ] = None,
    overrides: Set = None,
    profile: Profile = None,
) -> None:
    """Write what studies found into one HTML file that works offline. Runs nothing."""
    from etude.cli.arguments import prepared
    from etude.cli.tell import err, hidden, out
    from etude.report.report_file import check_names, write_report
    from etude.study.prepare import Options

    check_names(names or (), studies)
    ready = [prepared(file, overrides, profile, Options()) for file in studies]
    written = write_report(ready, names or (), output, hidden())
    for note in written.notes:
        err().print(f"note: {note}", markup=False)
    for path in written.files:
        out().print(str(path), soft_wrap=True, markup=False)
    raise typer.Exit(0 if written.complete else 1)


report.__doc__ = f"{report.__doc__}\n{EXAMPLES}"
