"""`etude schema`: the JSON Schema of study files."""

from __future__ import annotations

EXAMPLES = """
[bold]Example[/]

  etude schema > study.schema.json     [dim](then name it in your editor's settings for completion)[/]
"""


def schema() -> None:
    """Print the JSON Schema of study files."""
    import json

    import typer

    from etude.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


schema.__doc__ = f"{schema.__doc__}\n{EXAMPLES}"
