"""How many small faults in the core the fast tests find: a seeded sample of mutants, each against the tests of its line

    python benchmarks/mutation.py [--each 20] [--seed 0] [--rooms identity graph ...] [--again FOLDER]

Mutants are made by cosmic-ray (operators on comparisons, arithmetic, logic, numbers, constants, loops, exceptions and
decorators), one at a time, in a copy of the project. Which tests run a line is measured once by coverage with a context
for each test; a mutant is killed if one of them fails or does not end. Mutants that differ in annotations alone change
nothing and are not drawn. Survivors are printed as differences, to be read: some are equivalent. `--again` takes the
copy and the coverage of an earlier call.

Needs `pip install cosmic-ray pytest-cov`.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOMS = {
    "identity": ("identity",),
    "graph": ("graph",),
    "store": ("store",),
    "execute": ("execute",),
    "study": ("study", "config"),
    "analysis": ("analysis",),
    "meter": ("meter",),
    "report": ("report",),
}
"""Room → the folders of tests that are about it; all of them, and the conformance tests, are run for coverage."""
MODULES = {"meter": ("ledger", "cost", "cost_json", "windows", "quantity", "phases", "ranks", "edges", "counter")}
"""Of the meters, the accounts alone: the sources belong to the hardware."""
MOST_TESTS = 80
"""Tests that one mutant is run against, those of its own room first."""
LIMIT_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One small fault."""

    room: str
    path: Path
    line: int
    operator: str
    code: str
    difference: str


def wanted_operators() -> list[str]:
    """Those whose mutants are rarely the same program: no `is` for `==`, no shifts, no bits."""
    swaps = {"Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_Gt", "Gt_Lt", "Is_IsNot", "IsNot_Is"}
    sums = {"Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Div", "Mod_FloorDiv"}
    others = {"AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"}
    others |= {"ReplaceContinueWithBreak", "ReplaceBreakWithContinue", "ExceptionReplacer", "NumberReplacer"}
    others |= {"ZeroIterationForLoop", "ReplaceUnaryOperator_Delete_Not"}
    names = (name.removeprefix("core/") for name in operator_names())
    kept = (name for name in names if name in others or name.partition("Operator_")[2] in swaps | sums)
    return [f"core/{name}" for name in sorted(kept)]


class Counter(Visitor):  # type: ignore[misc]
    """Counts where operators apply."""

    def __init__(self, operators: dict[str, object]) -> None:
        self.operators = operators
        self.counts: dict[str, int] = defaultdict(int)

    def visit(self, node: object) -> object:
        for name, operator in self.operators.items():
            self.counts[name] += sum(1 for _ in operator.mutation_positions(node))  # type: ignore[attr-defined]
        return node


def plain(code: str) -> str:
    """A module without annotations and docstrings, which no mutant that counts differs in alone."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
    return ast.dump(tree)


def mutants(room: str, files: list[Path], count: int, choose: random.Random) -> Iterator[Mutant]:
    """A sample of the mutants of a room: files by their length, operators evenly among those that apply."""
    operators = {name: get_operator(name)() for name in wanted_operators()}
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    weights = [len(text) for text in texts.values()]
    drawn, seen = 0, set[str]()
    for _ in range(count * 50):
        if drawn == count:
            return
        path = choose.choices(files, weights)[0]
        counter = Counter(operators)
        counter.walk(get_ast(texts[path]))
        possible = sorted(name for name, times in counter.counts.items() if times)
        if not possible:
            continue
        name = choose.choice(possible)
        code = mutate_code(texts[path], operators[name], choose.randrange(counter.counts[name]))
        if code is None or code in seen:
            continue
        seen.add(code)
        try:
            if plain(code) == plain(texts[path]):
                continue
        except SyntaxError:
            continue
        lines = list(difflib.unified_diff(texts[path].splitlines(), code.splitlines(), lineterm="", n=0))
        line = int(lines[2].split()[1].split(",")[0].lstrip("-"))
        drawn += 1
        yield Mutant(room=room, path=path, line=line, operator=name, code=code, difference="\n".join(lines[3:]))


def covering(copy: Path, path: Path, line: int, room: str) -> list[str]:
    """The tests that run a line, those of the room's own folders first, by the coverage data."""
    from coverage.numbits import numbits_to_nums

    with sqlite3.connect(copy / ".coverage") as data:
        rows = data.execute(
            "select context.context, line_bits.numbits from line_bits join file on file.id = line_bits.file_id "
            "join context on context.id = line_bits.context_id where file.path = ?",
            (str(path),),
        )
        tests = {name.split("|")[0] for name, bits in rows if name and line in numbits_to_nums(bits)}
    own = tuple(f"tests/{folder}/" for folder in ROOMS[room])
    return sorted(tests, key=lambda test: (not test.startswith(own), test))[:MOST_TESTS]


def pytest(copy: Path, *words: str, limit_s: float | None = None) -> int | None:
    """The exit code of a run of tests in the copy; None where it did not end in time."""
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def copied(project: Path) -> Path:
    """The project in a folder of its own, with its coverage."""
    copy = Path(tempfile.mkdtemp(prefix="mutation-"))
    for name in ("src", "tests", "studies", "examples", "docs"):
        shutil.copytree(project / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project / "pyproject.toml", copy)
    folders = [f"tests/{folder}" for folders in ROOMS.values() for folder in folders]
    code = pytest(copy, "-m", "not slow", "--cov=etude", "--cov-context=test", "--cov-report=", *folders)
    print(f"coverage: tests ended with {code}", flush=True)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--again", type=Path)
    asked = parser.parse_args()
    copy = asked.again or copied(Path(__file__).resolve().parents[1])
    print(f"copy and coverage: {copy}", flush=True)
    table, survivors = [], []
    for room in asked.rooms:
        names = MODULES.get(room)
        files = sorted((copy / "src" / "etude" / room).rglob("*.py"))
        files = [path for path in files if path.stat().st_size and (names is None or path.stem in names)]
        killed = total = 0
        for mutant in mutants(room, files, asked.each, random.Random(f"{asked.seed} {room}")):
            total += 1
            dead = is_killed(copy, mutant)
            killed += dead
            print("." if dead else "S", end="", flush=True)
            if not dead:
                survivors.append(mutant)
        table.append((room, total, killed))
        print(flush=True)
    print("\n| room | mutants | killed | share |\n|---|---|---|---|")
    for room, total, killed in [*table, ("all", sum(row[1] for row in table), sum(row[2] for row in table))]:
        print(f"| {room} | {total} | {killed} | {killed / total:.0%} |" if total else f"| {room} | 0 | | |")
    for mutant in survivors:
        print(f"\n{mutant.path.relative_to(copy)}:{mutant.line} {mutant.operator}\n{mutant.difference}")


def is_killed(copy: Path, mutant: Mutant) -> bool:
    """Whether one of the tests that run the mutant's line fails, or does not end."""
    tests = covering(copy, mutant.path, mutant.line, mutant.room)
    if not tests:
        return False
    original = mutant.path.read_text(encoding="utf-8")
    mutant.path.write_text(mutant.code, encoding="utf-8")
    try:
        return pytest(copy, "-x", *tests, limit_s=LIMIT_S) != 0
    finally:
        mutant.path.write_text(original, encoding="utf-8")


if __name__ == "__main__":
    main()
