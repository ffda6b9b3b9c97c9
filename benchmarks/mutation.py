"""How many small faults in the core the fast tests find: a seeded sample of mutants, each against the tests of its line

    python benchmarks/mutation.py [--each 20] [--seed 0] [--rooms identity graph ...] [--again FOLDER]

Mutants are made by cosmic-ray (operators on comparisons, arithmetic, logic, numbers, constants, loops, exceptions and
decorators), one at a time, in a copy of the project. Which tests run a line is measured once for each room by coverage
with a context for each test of the room's own folders; a mutant is killed if one of them fails or does not end. Where
none of them runs the line by itself (a line run at import or in another process), those of its function are taken, else
those of its file. Mutants that differ in annotations, `slots` or `kw_only` alone change nothing and are not drawn.
Survivors are printed as differences, to be read: some are equivalent. `--again` takes the copy and the coverage of an
earlier call.

A printed `.` is a killed mutant, `T` one killed by the limit of time, `S` a survivor, `-` one that no test of the room
runs (a survivor too).

Needs `pip install cosmic-ray pytest-cov`.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
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
"""Room → the folders of tests that are about it."""
MODULES = {"meter": ("ledger", "cost", "cost_json", "windows", "quantity", "phases", "ranks", "edges", "counter")}
"""Of the meters, the accounts alone: the sources belong to the hardware."""
MOST_TESTS = 40
"""Tests that one mutant is run against: those of the module's own file first, then the quickest."""
MOST_SECONDS = 40.0
"""How long those tests may take together, as measured with the coverage; the first is run in any case."""
CPU_LIMIT_S = 90
"""Processor time after which a mutant's tests are said not to end, however busy the machine is."""
LIMIT_S = 400.0
"""Time after which tests are said to wait for ever."""


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
    """A module without annotations, slots and kw_only, which no mutant that counts differs in alone."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
        elif isinstance(node, ast.Call):
            node.keywords = [word for word in node.keywords if word.arg not in ("slots", "kw_only")]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Which tests of a room run which lines, and how long each takes."""

    lines: Path
    seconds: dict[str, float]

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests to run a mutant against: those of its line, else of its function, else of its file."""
        from coverage.numbits import numbits_to_nums

        with sqlite3.connect(self.lines) as data:
            rows = data.execute(
                "select context.context, line_bits.numbits from line_bits join file on file.id = line_bits.file_id "
                "join context on context.id = line_bits.context_id where file.path = ?",
                (str(mutant.path),),
            )
            touched = {name.rpartition("|")[0]: set(numbits_to_nums(bits)) for name, bits in rows if name}
        for lines in ({mutant.line}, lines_of_function(mutant.path.read_text(encoding="utf-8"), mutant.line)):
            if tests := [test for test, seen in touched.items() if seen & lines]:
                break
        else:
            tests = list(touched)
        own = f"/test_{mutant.path.stem}.py::"
        tests = sorted(tests, key=lambda test: (own not in test, self.seconds.get(test, 0.0), test))[:MOST_TESTS]
        spent = accumulate(self.seconds.get(test, 0.0) for test in tests)
        return [test for first, (test, until) in enumerate(zip(tests, spent)) if not first or until <= MOST_SECONDS]


def lines_of_function(code: str, line: int) -> set[int]:
    """The lines in the body of the innermost function around a line."""
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    around = [node for node in functions if node.lineno <= line <= (node.end_lineno or 0)]
    if not around:
        return set()
    inner = max(around, key=lambda node: node.lineno)
    return set(range(inner.body[0].lineno, (inner.end_lineno or 0) + 1))


def pytest(copy: Path, *words: str, **environment: str) -> tuple[int | None, str]:
    """The exit code and the text of a run of tests in the copy; no code where it did not end in time."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    process = subprocess.Popen(
        command,
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=None if environment else limited,
    )
    try:
        text, _ = process.communicate(timeout=None if environment else LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, ""
    return (None if process.returncode == -signal.SIGXCPU else process.returncode), text


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S + 5))


def copied(project: Path) -> Path:
    """The project in a folder of its own."""
    copy = Path(tempfile.mkdtemp(prefix="mutation-"))
    for name in ("src", "tests", "studies", "examples", "docs"):
        shutil.copytree(project / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project / "pyproject.toml", copy)
    return copy


def coverage(copy: Path, room: str) -> Coverage:
    """The coverage of a room by its own tests, measured where the copy does not hold it yet."""
    lines, spent = copy / f".coverage.{room}", copy / f".durations.{room}"
    if not spent.exists():
        words = (
            "-m",
            "not slow",
            f"--cov=src/etude/{room}",
            "--cov-context=test",
            "--cov-report=",
            "--durations=0",
            "-v",
        )
        folders = [f"tests/{folder}" for folder in ROOMS[room]]
        code, text = pytest(copy, *words, *folders, COVERAGE_FILE=str(lines))
        if code:
            sys.exit(f"the tests of {room} fail without a mutant:\n{text[-3000:]}")
        spent.write_text(text, encoding="utf-8")
    seconds: dict[str, float] = defaultdict(float)
    for took, test in re.findall(
        r"^([0-9.]+)s (?:call|setup|teardown) +(\S.*)$", spent.read_text(encoding="utf-8"), re.MULTILINE
    ):
        seconds[test] += float(took)
    return Coverage(lines=lines, seconds=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", nargs="*", default=list(ROOMS))
    parser.add_argument("--again", type=Path)
    asked = parser.parse_args()
    copy = asked.again or copied(Path(__file__).resolve().parents[1])
    print(f"copy and coverage: {copy}", flush=True)
    table = []
    for room in asked.rooms:
        names = MODULES.get(room)
        files = sorted((copy / "src" / "etude" / room).rglob("*.py"))
        files = [path for path in files if path.stat().st_size and (names is None or path.stem in names)]
        covered = coverage(copy, room)
        killed = total = 0
        for number, mutant in enumerate(mutants(room, files, asked.each, random.Random(f"{asked.seed} {room}"))):
            fate = fate_of(copy, mutant, covered.tests(mutant), number)
            total += 1
            killed += fate in ".T"
            print(fate, end="", flush=True)
            if fate not in ".T":
                print(
                    f"\n{mutant.path.relative_to(copy)}:{mutant.line} {mutant.operator}\n{mutant.difference}",
                    flush=True,
                )
        table.append((room, total, killed))
        print(f" {room}: {killed} of {total}", flush=True)
    print("\n| room | mutants | killed | share |\n|---|---|---|---|")
    for room, total, killed in [*table, ("all", sum(row[1] for row in table), sum(row[2] for row in table))]:
        print(f"| {room} | {total} | {killed} | {killed / total:.0%} |" if total else f"| {room} | 0 | | |")


def fate_of(copy: Path, mutant: Mutant, tests: list[str], number: int) -> str:
    """What becomes of a mutant: `.` killed, `T` killed by the limit, `S` survives, `-` run by no test."""
    if not tests:
        return "-"
    original, times = mutant.path.read_text(encoding="utf-8"), mutant.path.stat()
    mutant.path.write_text(mutant.code, encoding="utf-8")
    os.utime(mutant.path, (number, number))  # a time of its own, so that no compiled file of another is taken
    try:
        code, _ = pytest(copy, "-x", *tests)
    finally:
        mutant.path.write_text(original, encoding="utf-8")
        os.utime(mutant.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return "T" if code is None else "." if code else "S"


if __name__ == "__main__":
    main()
