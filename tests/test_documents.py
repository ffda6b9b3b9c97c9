"""What the documents and examples say is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from etude.cli.main import app
from etude.config.load import load_study
from etude.graph.signature import signature_of
from etude.study.prepare import prepare

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_readmes_study_has_no_faults(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "study.yaml").write_text(text)
    prepared = prepare(load_study(tmp_path / "study.yaml", project=tmp_path))
    assert len(prepared.expansion.variants) == 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += re.findall(r"`(etude [^`]+)`", page.read_text(encoding="utf-8"))
    for line in lines:
        for words in (part.split() for part in line.split("#")[0].split("&&")):
            if words[:1] != ["etude"] or len(words) < 2 or words[1].startswith("-"):
                continue
            assert words[1] in commands, line
            inside = getattr(commands[words[1]], "commands", {})
            named = [inside[word] for word in words[2:3] if word in inside] or list(inside.values())
            parameters = [parameter for command in (commands[words[1]], *named) for parameter in command.params]
            options = {option for parameter in parameters for option in (*parameter.opts, "--help")}
            options |= {option for parameter in parameters for option in parameter.secondary_opts}
            own = words[: words.index("--")] if "--" in words else words
            assert {word.split("=")[0] for word in own if word.startswith("--")} <= options, line


def test_the_step_of_the_page_on_steps_is_one() -> None:
    (text, *_) = blocks(ROOT / "docs" / "writing-a-step.md", "python")
    module = sys.modules["page"] = type(sys)("page")
    exec(compile(text, "page", "exec"), module.__dict__)
    signature = signature_of("page:classify", module.__dict__["classify"])
    assert signature.context
    assert signature.settings["batch"].placement
    assert signature.settings["stop_words"].reads


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs_and_is_short(example: Path, tmp_path: Path) -> None:
    assert len(example.read_text().splitlines()) <= 60
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("file", sorted((ROOT / "studies").rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_ready_study_has_no_faults(file: Path, tmp_path: Path) -> None:
    study = load_study(file, overrides=[f"place.store={tmp_path / 'store'}"])
    assert prepare(study).plan.actions


def is_there(name: str) -> bool:
    """Whether a dotted name of étude's leads to a module, or to what a module defines, imports or lists."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath("src", *parts[:end])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            rest = parts[end : end + 1]
            return not rest or re.search(rf"\b{rest[0]}\b", file.read_text(encoding="utf-8")) is not None
    return False


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs" / "decisions").glob("*.md"))], ids=lambda page: page.stem
)
def test_every_module_and_function_of_etude_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"`(etude(?:\.\w+){2,})`", text))
    for module, imported in re.findall(r"^from (etude[\w.]*) import ([\w, ]+)", text, re.MULTILINE):
        names |= {f"{module}.{name.strip()}" for name in imported.split(",")}
    assert [name for name in sorted(names) if not is_there(name)] == []


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_file_that_the_page_on_architecture_names_is_there() -> None:
    named = re.findall(r"`((?:src|tests|docs)/[^`]+)`", ARCHITECTURE)
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_page_on_architecture_tells_of_every_room() -> None:
    rooms = {path.parent.name for path in (ROOT / "src" / "etude").glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `(\w+)` \|", ARCHITECTURE, flags=re.MULTILINE))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(notebook: Path, tmp_path: Path) -> None:
    import nbclient
    import nbformat

    cells = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(cells, resources={"metadata": {"path": str(tmp_path)}}).execute()
    last = [cell for cell in cells.cells if cell.cell_type == "code"][-1]
    assert last.outputs
