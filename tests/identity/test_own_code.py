"""Which of étude's own code reruns a step when it changes: what can change a stored value, and nothing else."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import etude
from etude.graph.library import step_names, step_rooms
from etude.identity.code import CodeIndex
from etude.identity.own_code import COUNTED, ERRORS, only_checks

SOURCE = Path(etude.__file__).parent
UNCOUNTED_BUT_USED = {
    "etude": "marks steps and settings, and hands over the context: what executes",
    "etude.graph.step": "marks steps and settings, and names what a command line leaves open",
    "etude.environment": "gives the variables of the process, which are no identity",
    "etude.errors": "says why something is refused",
}
"""Code of étude that steps use and that does not count, with what it does."""
COSTS = {"text.training_summary", "text.prediction_summary"}
"""Steps that make FLOPs of counts."""

Edit = Callable[[ast.Module], None]


def is_counted(file: Path) -> bool:
    relative = file.relative_to(SOURCE).with_suffix("")
    return relative.parts[0] in COUNTED or ".".join(relative.parts) in COUNTED


FILES = sorted(SOURCE.rglob("*.py"))
COUNTED_FILES = [file for file in FILES if is_counted(file)]


@cache
def steps() -> tuple[str, ...]:
    return tuple(sorted(name for room in step_rooms() for name in step_names(room)))


def digests(folder: Path) -> dict[str, str]:
    index = CodeIndex([folder])
    return {name: index.symbols_of(reference(name)).digest for name in steps()}


def reference(step: str) -> str:
    room, name = step.split(".")
    return f"etude.{room}.steps:{name}"


@cache
def digests_now() -> dict[str, str]:
    return digests(SOURCE.parent)


def rerun_by(tmp_path: Path, files: Iterable[Path], edit: Edit) -> set[str]:
    """The steps whose code is another one after an edit of some files, in a copy of the tree."""
    shutil.copytree(SOURCE, tmp_path / "etude", ignore=shutil.ignore_patterns("__pycache__"))
    edited = 0
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        before = ast.unparse(tree)
        edit(tree)
        ast.fix_missing_locations(tree)
        edited += ast.unparse(tree) != before
        (tmp_path / "etude" / file.relative_to(SOURCE)).write_text(ast.unparse(tree), encoding="utf-8")
    assert edited, "nothing was edited"
    after = digests(tmp_path)
    return {name for name, digest in digests_now().items() if after[name] != digest}


def add_statements(tree: ast.Module) -> None:
    """A statement that does nothing of use in each function, and a constant."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            _add(node)
    tree.body.append(ast.parse("ADDED = 1").body[0])


def _add(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    after_docstring = 1 if ast.get_docstring(function) is not None else 0
    function.body.insert(after_docstring, ast.parse("len('added')").body[0])


def check_more(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and only_checks("etude.nn", node):
            _add(node)


def word_errors_anew(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        raised = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(raised, ast.Call) and isinstance(raised.func, ast.Name) and raised.func.id in ERRORS:
            raised.args = [
                ast.Constant("in other words"),
                ast.Call(ast.Name("len", ast.Load()), [ast.Constant("")], []),
            ]


def test_no_code_that_plans_meters_reports_logs_executes_or_words_errors_reruns_a_step(tmp_path: Path) -> None:
    assert rerun_by(tmp_path, [file for file in FILES if not is_counted(file)], add_statements) == set()


def test_a_check_more_in_a_function_that_only_checks_reruns_nothing(tmp_path: Path) -> None:
    assert rerun_by(tmp_path, COUNTED_FILES, check_more) == set()


def test_an_error_in_other_words_reruns_nothing(tmp_path: Path) -> None:
    assert rerun_by(tmp_path, COUNTED_FILES, word_errors_anew) == set()


def test_formulas_for_flops_rerun_what_makes_flops_and_nothing_else(tmp_path: Path) -> None:
    assert rerun_by(tmp_path, (SOURCE / "flops").rglob("*.py"), add_statements) == COSTS


def test_the_training_loop_reruns_trainings_and_no_prediction(tmp_path: Path) -> None:
    rerun = rerun_by(tmp_path, [SOURCE / "nn" / "fit.py"], add_statements)
    assert {name for name in rerun if name.startswith("text.")} == {"text.train", "text.finetune"}


def test_statistics_of_what_was_measured_rerun_what_stores_them(tmp_path: Path) -> None:
    assert rerun_by(tmp_path, [SOURCE / "meter" / "latency.py"], add_statements) == {"text.latency"}


def test_the_quality_of_a_measurement_reruns_what_stores_it(tmp_path: Path) -> None:
    assert rerun_by(tmp_path, [SOURCE / "meter" / "sources" / "quantity.py"], add_statements) == {"analysis.aggregate"}


def test_what_steps_use_of_etude_counts_or_is_known_to_change_no_value() -> None:
    for name in steps():
        for symbol in CodeIndex([SOURCE.parent]).symbols_of(reference(name)).symbols:
            module, _, own = symbol.partition(":")
            for other in _imports_used(module, own):
                assert _counts(other) or other in UNCOUNTED_BUT_USED, f"{name}: {symbol} uses {other}"


def _counts(module: str) -> bool:
    own = module.removeprefix("etude.")
    return own in COUNTED or own.partition(".")[0] in COUNTED


@cache
def _imports_used(module: str, name: str) -> frozenset[str]:
    """The modules of étude that a symbol takes names from."""
    file = SOURCE.parent / f"{module.replace('.', '/')}.py"
    tree = ast.parse((file if file.exists() else file.with_suffix("") / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "etude"
        for alias in node.names
    }
    words = {
        node.id
        for statement in tree.body
        if name in (getattr(statement, "name", None), *_assigned(statement))
        for node in ast.walk(statement)
        if isinstance(node, ast.Name)
    }
    return frozenset(imported[word] for word in words & imported.keys())


def _assigned(statement: ast.stmt) -> list[str]:
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def test_functions_that_only_check_store_nothing() -> None:
    checks = [
        (file, node)
        for file in COUNTED_FILES
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and only_checks("etude.nn", node)
    ]
    assert checks
    for file, check in checks:
        for node in ast.walk(check):
            assert not isinstance(node, (ast.Global, ast.Yield, ast.YieldFrom)), f"{file}: {check.name}"
            stored = isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load)
            assert not stored, f"{file}: {check.name}"


def test_functions_that_only_check_are_called_for_their_refusal_alone() -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in COUNTED_FILES}
    checks = {
        node.name
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and only_checks("etude.nn", node)
    }
    for file, tree in trees.items():
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in checks:
                assert id(node) in alone, f"{file}:{node.lineno}"


def test_a_function_that_returns_what_it_checked_counts() -> None:
    (returning,) = ast.parse("def require_some(x: int) -> int:\n    return x").body
    (checking,) = ast.parse("def _require_some(x: int) -> None:\n    x + 1").body
    assert not only_checks("etude.nn", returning)
    assert only_checks("etude.nn", checking)
    assert not only_checks("lab.nn", checking)


def test_no_code_that_counts_goes_on_with_what_a_caught_error_says() -> None:
    for file in COUNTED_FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type is not None else "all"
                ours = any(name in caught for name in (*ERRORS, "EtudeError", "Exception", "all"))
                assert isinstance(node.body[-1], ast.Raise) or not (ours and node.name), f"{file}:{node.lineno}"


def test_all_code_that_counts_is_there() -> None:
    planned = {"disruption", "ensemble", "inference", "language"}
    for name in COUNTED - planned:
        place = SOURCE.joinpath(*name.split("."))
        assert place.is_dir() or place.with_suffix(".py").is_file(), name
