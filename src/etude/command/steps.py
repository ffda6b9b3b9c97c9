"""Any command line as a step."""

from __future__ import annotations

from typing import Annotated, Any

from etude import Context, InputFile, InputFolder, placement, step
from etude.command.running import CommandRun
from etude.graph.step import CommandLine


@step
def command(
    *,
    run: Annotated[str, CommandLine()],
    reads: tuple[InputFile | InputFolder, ...] = (),
    writes: dict[str, str] | None = None,
    metrics: dict[str, str] | None = None,
    shell: bool = False,
    stop_s: Annotated[float, placement] = 30.0,
    ctx: Context,
    **inputs: object,
) -> dict[str, Any]:
    """Run a command line as it is: a script of any language, with what it reads and writes declared.

    Its output goes to the node's log. It runs in the project's folder; `{out}` in it (and `$ETUDE_OUT`) is a folder of
    its own, `{name}` the node that `from:` gives as `name`: the path of a file or folder, a number or text as such, a
    table as Parquet, an array as `.npy`, other values as JSON. `{{` and `}}` are braces.

    Args:
        run: The command line. Python scripts and modules of the project that it names count by the code that they
            reach, other files of the project by content.
        reads: Further files and folders that it reads; their content counts.
        writes: Name → what it writes, relative to `{out}`. Each is an item of the result: `from: node.name`. Of one
            called `metrics` the numbers are read: JSON, YAML, CSV (the last value of each column, as Lightning's log
            has it), or a folder with TensorBoard's event files.
        metrics: Name → regular expression whose first group is a number in what it prints; the last match counts.
        shell: Whether a shell reads the line, for pipes and variables; else it is split into words.
        stop_s: Seconds between asking it to stop (SIGTERM) and ending it, where the run is stopped.

    Returns:
        What it wrote, by name, and its numbers.

    Raises:
        StepError: It ends with another exit code than 0, lacks something that it should have written, or its numbers
            cannot be read.
    """
    return CommandRun(
        command=run, writes=writes or {}, patterns=metrics or {}, shell=shell, stop_s=stop_s, inputs=inputs, context=ctx
    ).result()
