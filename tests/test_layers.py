"""Imports point downward only; nothing that plans imports torch; the package imports fast because it imports little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "etude"

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(rooms.split())
    for rooms in (
        "api",
        "cli",
        "track",
        "report",
        "config",
        "batch",
        "study",
        "pilots",
        "execute",
        "cluster",
        "search",
        "text language inference disruption ensemble command",
        "nn analysis",
        "meter flops",
        "graph",
        "store",
        "identity",
        "keys",
        "units errors redaction interchange",
        "digits environment",
    )
)
"""From top to bottom. A room imports from lower layers, or from within itself."""

STEP_ROOMS = next(rooms for rooms in LAYERS if "text" in rooms)
HEAVY = {"torch", "transformers", "lightning", "peft", "datasets", "accelerate", "sklearn", "matplotlib", "scipy"}


def depth(room: str) -> int:
    for index, rooms in enumerate(LAYERS):
        if room in rooms:
            return index
    raise AssertionError(f"room {room!r} is in no layer: give it one in this test and in the design")


def room_of(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_rooms(path: Path) -> set[str]:
    """Rooms of étude that a file imports at any level."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write absolute imports"
            if node.module == "etude":
                found |= {alias.name for alias in node.names if (SOURCE / alias.name).exists()}
            elif node.module and node.module.startswith("etude."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("etude.")}
    return found


FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path != SOURCE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downward_only(path: Path) -> None:
    room = room_of(path)
    for other in imported_rooms(path) - {room}:
        assert depth(other) > depth(room), f"{path}: {room} must not import {other}"


def test_step_rooms_know_nothing_of_running() -> None:
    for path in FILES:
        if room_of(path) in STEP_ROOMS | {"nn", "analysis", "meter", "flops"}:
            assert not imported_rooms(path) & {"execute", "study", "config", "store"}, path


def loaded_after(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_imports_without_anything_heavy() -> None:
    assert not loaded_after("import etude") & (HEAVY | {"numpy", "pyarrow", "rich", "pydantic", "typer"})


def test_all_that_a_step_file_may_import_loads_neither_reports_nor_plans() -> None:
    assert not loaded_after("from etude import *") & (HEAVY | {"rich", "typer", "pyarrow"})


def test_step_files_import_without_anything_heavy() -> None:
    modules = [path.parent.name for path in (*SOURCE.glob("*/steps.py"), *SOURCE.glob("*/steps"))]
    program = "; ".join(f"import etude.{room}.steps" for room in sorted(modules)) or "import etude"
    assert not loaded_after(program) & HEAVY


def test_the_command_line_imports_without_anything_heavy() -> None:
    assert not loaded_after("import etude.cli.main") & HEAVY


@pytest.mark.slow
@pytest.mark.parametrize("command", ["plan", "run --dry-run", "show"])
def test_looking_at_the_quickstart_never_imports_torch(command: str, tmp_path: Path) -> None:
    words = [*command.split(), "studies/intent/quickstart.yaml", "--set", f"place.store={tmp_path / 'store'}"]
    program = (
        f"import sys; sys.argv = ['etude', *{words!r}]\n"
        "from etude.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=SOURCE.parent.parent
    )
    loaded = done.stdout.rpartition("loaded ")[2].split()
    assert "pyarrow" in loaded, done.stdout + done.stderr
    assert not {"torch", "transformers", "lightning", "sklearn", "matplotlib"} & set(loaded)
