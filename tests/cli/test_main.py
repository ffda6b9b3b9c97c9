"""Commands are imported one by one, when they are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from etude.cli.command_names import COMMANDS
from etude.cli.main import app, command_of

FOLDER = Path(sys.modules[command_of.__module__].__file__ or "").parent / "commands"


def commands_loaded_by(*words: str, **variables: str) -> set[str]:
    """The commands whose modules one call of the command line has imported."""
    program = (
        "import sys; from etude.cli.main import main\n"
        f"sys.argv = ['etude', *{words!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded', *[name.rpartition('.')[2] for name in sys.modules if name.startswith('etude.cli.commands.')])"
    )
    environment = {**os.environ, **variables}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return set(done.stdout.rpartition("loaded")[2].split())


@pytest.mark.parametrize("words", [("--help",), ("--version",), ()])
def test_to_list_the_commands_imports_none_of_them(words: tuple[str, ...]) -> None:
    assert not commands_loaded_by(*words)


def test_to_complete_the_name_of_a_command_imports_none_of_them() -> None:
    assert not commands_loaded_by(_ETUDE_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="etude pl")


def test_a_command_that_is_asked_for_is_imported_without_the_others() -> None:
    assert commands_loaded_by("schema") == {"schema"}


def test_every_command_has_its_module_and_every_module_its_command() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__"} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_begins_with_its_line_in_the_list_of_commands(name: str) -> None:
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert command.help.startswith(f"{COMMANDS[name]}\n\n[bold]Example")


def test_no_commands_help_loads_what_is_heavy() -> None:
    program = (
        "import sys; from etude.cli.command_names import COMMANDS; from etude.cli.main import command_of\n"
        "for name in COMMANDS: command_of(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "lightning", "datasets", "sklearn", "matplotlib"} & set(done.stdout.split())
