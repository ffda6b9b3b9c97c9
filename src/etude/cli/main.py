"""The command line: each command reads, makes one call, shows, and sets the exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cache
from importlib import import_module
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from etude import __version__
from etude.cli.command_names import COMMANDS
from etude.cli.console import print_error, print_refusal
from etude.errors import EtudeError


@cache
def command_of(name: str) -> TyperCommand | TyperGroup:
    """A command, or group of them, made of what its module defines under its name. Imports the module."""
    module = import_module(f"etude.cli.commands.{name}")
    app = definition = getattr(module, name)
    if not isinstance(definition, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command(name)(definition)
    command: Any = get_command(app)
    command.help = cleandoc(f"{COMMANDS[name]}\n{module.EXAMPLES}")
    return command  # type: ignore[no-any-return]


class LazyCommands(Mapping[str, TyperCommand | TyperGroup]):
    """The commands by name. To look at one imports its module; to look at the names imports none."""

    def __getitem__(self, name: str) -> TyperCommand | TyperGroup:
        if name not in COMMANDS:
            raise KeyError(name)
        return command_of(name)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class LazyGroup(TyperGroup):
    """A group whose commands are imported one by one, when they are asked for; to list them imports none."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = LazyCommands()  # type: ignore[assignment]

    def list_commands(self, _context: Any) -> list[str]:
        return [*COMMANDS]

    def format_help(self, context: Any, formatter: Any) -> None:
        TyperGroup.format_help(self._listing(), context, formatter)

    def shell_complete(self, context: Any, incomplete: str) -> Any:
        context = copy(context)
        context.command = self._listing()
        return TyperGroup.shell_complete(context.command, context, incomplete)

    def _listing(self) -> TyperGroup:
        """The same group with commands that can do no more than be listed."""
        listing = copy(self)
        listing.commands = {name: TyperCommand(name, help=line) for name, line in COMMANDS.items()}
        return listing


app = typer.Typer(
    name="etude",
    cls=LazyGroup,
    help="Plan, run, cache and measure machine-learning experiments from one study file.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        typer.echo(f"etude {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: bool = typer.Option(
        False, "--version", callback=version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    """Options of étude itself."""


def main() -> None:
    """Run the command line. What étude or the system refuses is told without a traceback, with exit code 2."""
    try:
        app()
    except EtudeError as error:
        print_error(error)
        sys.exit(2)
    except OSError as error:
        print_refusal(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
