"""`etude schema`: the JSON Schema of study files."""

from __future__ import annotations

import json

import typer

from etude.config.schema import json_schema

EXAMPLES = """
[bold]Example[/]

  etude schema > study.schema.json     [dim](then name it in your editor's settings for completion)[/]
"""


def schema() -> None:
    typer.echo(json.dumps(json_schema(), indent=2))
