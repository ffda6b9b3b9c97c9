"""How the house is kept: no circles, imports where they are seen, one name for one thing, values that do not change."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import etude

SOURCE = Path(__file__).parent.parent / "src" / "etude"
FILES = tuple(sorted(SOURCE.rglob("*.py")))
ROOMS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())

MOST_INNER_IMPORTS = 40
MOST_BROAD_EXCEPTS = 10
IRREGULAR = "drawn found given heard held hidden kept known left made meant said seen sent shown taken told written"
VERBS = "embed exceed feed need proceed seed shed speed"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imported(path: Path) -> Iterator[str]:
    """The modules of étude that a file imports, anywhere in it."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "etude":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


def explained(path: Path, node: ast.AST) -> bool:
    """Whether a comment with a reason stands on the line or right above it."""
    lines = lines_of(path)
    number = getattr(node, "lineno", 1) - 1
    return "# " in lines[number] or lines[number - 1].lstrip().startswith("# ")


def test_packages_import_each_other_one_way_only() -> None:
    reaches: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        package = ".".join(("etude", *path.relative_to(SOURCE).parent.parts))
        for module in imported(path):
            other = ".".join(("etude", *MODULES[module].relative_to(SOURCE).parent.parts))
            if "etude" not in (package, other) and package != other:
                reaches[package].add(other)

    def reached(package: str) -> set[str]:
        seen: set[str] = set()
        left = [package]
        while left:
            for other in reaches.get(left.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    left.append(other)
        return seen

    assert [package for package in sorted(reaches) if package in reached(package)] == []


def inner_imports() -> Iterator[tuple[Path, ast.ImportFrom]]:
    for path in FILES:
        seen = set()
        for function in ast.walk(tree_of(path)):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for node in ast.walk(function):
                    own = isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "etude"
                    if isinstance(node, ast.ImportFrom) and own and node.lineno not in seen:
                        seen.add(node.lineno)
                        yield path, node


def test_own_modules_are_imported_at_the_top_of_a_file() -> None:
    places = [place(path, node) for path, node in inner_imports()]
    assert len(places) <= MOST_INNER_IMPORTS, places


def test_an_import_inside_a_function_says_why() -> None:
    assert [place(path, node) for path, node in inner_imports() if not explained(path, node)] == []


def broad_excepts() -> Iterator[tuple[Path, ast.ExceptHandler]]:
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                names = {kind.id if isinstance(kind, ast.Name) else "" for kind in kinds}
                broad = node.type is None or names & {"Exception", "BaseException"}
                if broad and not isinstance(node.body[-1], ast.Raise):
                    yield path, node


def test_what_is_caught_is_named() -> None:
    places = [place(path, node) for path, node in broad_excepts()]
    assert len(places) <= MOST_BROAD_EXCEPTS, places
    assert [place(path, node) for path, node in broad_excepts() if not explained(path, node)] == []


def test_the_environment_is_read_in_one_module() -> None:
    readers = {
        str(path.relative_to(SOURCE))
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "environb", "getenv", "putenv", "unsetenv"}
    }
    assert readers <= {"environment.py"}


def reach_of(room: str) -> set[str]:
    own = [path for path in FILES if room_of(path) == room]
    return {room, *(room_of(MODULES[module]) for path in own for module in imported(path))}


@pytest.mark.parametrize("room", ROOMS)
def test_no_file_of_a_room_has_the_name_of_another_in_its_reach(room: str) -> None:
    """`__init__`, a room's `steps` and the commands, which are named as they are typed, excepted."""
    reach = reach_of(room)
    names: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        plain = path.stem not in {"__init__", "steps"} and path.parent.name != "commands"
        if room_of(path) in reach and plain:
            names[path.stem].add(str(path.relative_to(SOURCE)))
    mine = {path.stem for path in FILES if room_of(path) == room}
    assert {name: paths for name, paths in names.items() if len(paths) > 1 and name in mine} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_no_public_class_of_a_room_has_the_name_of_another_in_its_reach(room: str) -> None:
    reach = reach_of(room)
    classes: Counter[str] = Counter()
    mine = set()
    for path in FILES:
        if room_of(path) in reach:
            names = [node.name for node in tree_of(path).body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
            classes.update(names)
            mine |= set(names) if room_of(path) == room else set()
    public = set(etude.FROM_API) if room == "api" else set()
    assert sorted(name for name, count in classes.items() if count > 1 and name in mine - public) == []


def is_participle(name: str) -> bool:
    """Whether a function's name is a participle, or ends in one, and is no predicate (`is_shown`)."""
    words = name.split("_")
    last = words[-1]
    if words[0] in {"is", "has", "was", "are", "can", "must", "as"} or last in VERBS.split():
        return False
    return last in IRREGULAR.split() or bool(re.fullmatch(r"[a-z]{2,}ed", last))


def public_functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in FILES:
        for node in tree_of(path).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
                yield path, node


def test_a_public_function_is_named_by_what_it_returns_or_does() -> None:
    places = [f"{place(path, node)} {node.name}" for path, node in public_functions() if is_participle(node.name)]
    assert places == []


def dataclass_options(node: ast.ClassDef) -> set[str] | None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Name) and decorator.id == "dataclass":
            return set()
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "dataclass":
            return {str(word.arg) for word in decorator.keywords if getattr(word.value, "value", None) is True}
    return None


def test_values_are_frozen_slotted_and_built_by_name() -> None:
    """State that changes is slotted and built by name; one that is built by position says why."""
    loose = [
        f"{place(path, node)} {node.name}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        and (options := dataclass_options(node)) is not None
        and not {"slots", "kw_only"} <= options
        and "# positional: " not in "\n".join(lines_of(path)[node.lineno - 3 : node.lineno])
    ]
    assert loose == []
