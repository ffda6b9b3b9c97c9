"""Draws `quickstart.svg` from the events and tables of the latest real run: python docs/images/quickstart.py."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from etude.cli.run_progress import RunView, line_of
from etude.cli.study_file import prepare_file
from etude.execute.run_events import read_events
from etude.execute.runner import RunSummary
from etude.report.export import terminal_tables
from etude.study.execution import Result

STUDY = Path("studies/intent/quickstart.yaml")
SHOWN = 12
"""Lines of progress that the picture shows."""


def main() -> None:
    """Draw the picture beside this file."""
    console = Console(record=True, width=112, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text.assemble(("$ ", "bold green"), f"etude run {STUDY}"))
    ready = prepare_file(STUDY)
    runs = sorted(Path(".etude/runs").glob("*/events.jsonl"))
    view, lines = RunView(), []
    for event in read_events(runs[-1]):
        view.take(event)
        lines.append(line_of(event, view))
    lines = [line for line in lines if line]
    for line in lines[:SHOWN]:
        console.print(line)
    console.print(f"  [dim]… {len(lines) - SHOWN} more[/]")
    result = Result(prepared=ready, summary=RunSummary(), run="", wall_s=0.0)
    for table in terminal_tables(result):
        console.print(table)
    wall_s = (read_events(runs[-1])[-1].data or {}).get("wall_s")
    console.print(
        f"[green]done[/] in {float(str(wall_s)):.0f} s: {view.computed} computed, 0 reused, {view.cached} cached"
    )
    console.print(f"results: {os.path.relpath(ready.workplace.results)}/")
    picture = Path(__file__).with_suffix(".svg")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="étude"), flags=re.DOTALL)
    picture.write_text(drawn.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas"), encoding="utf-8")


if __name__ == "__main__":
    main()
