"""`etude report`: one HTML file that tells what a study found, or several studies side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.cli.arguments import Profile, Quick, Set
from etude.cli.console import err, out, redactor
from etude.cli.study_file import prepare_file, profile_name
from etude.report.report_file import check_names, write_report

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
    quick: Quick = False,
) -> None:
    check_names(names or (), studies)
    chosen = profile_name(profile, quick=quick)
    prepared = [prepare_file(file, overrides, chosen) for file in studies]
    written = write_report(prepared, names or (), output, redactor())
    for note in written.notes:
        err().print(f"note: {note}", markup=False)
    for path in written.files:
        out().print(str(path), soft_wrap=True, markup=False)
    raise typer.Exit(0 if written.complete else 1)
