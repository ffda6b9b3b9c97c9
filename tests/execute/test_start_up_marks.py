"""Starting up has an account of its own: it is no part of what a node costs."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from etude.execute.start_up_marks import StartUp
from etude.study.study import Vary
from projects import Project

SLOW = """
import time
began = time.process_time()
while time.process_time() - began < {cpu_s}:
    pass
"""


@pytest.fixture
def marks() -> list[str]:
    return []


@pytest.fixture
def start_up(marks: list[str]) -> StartUp:
    @contextmanager
    def mark() -> Iterator[None]:
        marks.append("begin")
        yield
        marks.append("end")

    return StartUp(mark, 1)


def modules(folder: Path, monkeypatch: pytest.MonkeyPatch, **code: str) -> None:
    monkeypatch.syspath_prepend(folder)
    for name, text in code.items():
        (folder / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_an_import_is_marked_once_with_all_that_it_imports(
    start_up: StartUp, marks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(tmp_path, monkeypatch, su_outer="import su_inner", su_inner="x = 1")
    with start_up.marked():
        importlib.import_module("su_outer")
        importlib.import_module("su_outer")
    assert marks == ["begin", "end"]
    assert start_up not in sys.meta_path


def test_a_module_is_as_it_would_be_without_the_mark(
    start_up: StartUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(tmp_path, monkeypatch, su_plain="x = 1")
    with start_up.marked():
        module = importlib.import_module("su_plain")
    assert "exec_module" not in vars(module.__spec__.loader)
    assert module.__file__ == str(tmp_path / "su_plain.py")


def test_an_import_that_fails_ends_its_mark_and_a_missing_module_is_missing(
    start_up: StartUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(tmp_path, monkeypatch, su_bad="1 / 0", su_good="x = 1")
    with start_up.marked():
        with pytest.raises(ZeroDivisionError):
            importlib.import_module("su_bad")
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("su_missing")
        importlib.import_module("su_good")
    assert start_up._depth.value == 0


def test_what_our_own_threads_load_is_not_marked(
    start_up: StartUp, marks: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(tmp_path, monkeypatch, su_ours="x = 1", su_theirs="x = 1")
    with start_up.marked():
        for name, module in (("etude-meter", "su_ours"), ("a-loader", "su_theirs")):
            thread = threading.Thread(target=importlib.import_module, args=(module,), name=name)
            thread.start()
            thread.join()
    assert marks == ["begin", "end"]


def test_the_first_use_of_cuda_is_marked_wherever_it_comes_and_no_later_one(
    start_up: StartUp, marks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    cuda = ModuleType("torch.cuda")
    cuda.__dict__.update(_lazy_init=lambda: begun.append(1), is_initialized=lambda: bool(begun))
    begin = cuda._lazy_init
    monkeypatch.setitem(sys.modules, "torch.cuda", cuda)
    with start_up.marked():
        cuda._lazy_init()
        cuda._lazy_init()
    assert marks == ["begin", "end"]
    assert cuda._lazy_init is begin


def test_compilation_is_marked_while_it_lasts(
    start_up: StartUp, marks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[object] = []
    ends: list[object] = []
    handler = SimpleNamespace(
        register_start_callback=starts.append,
        remove_start_callback=starts.remove,
        register_end_callback=ends.append,
        remove_end_callback=ends.remove,
    )
    monkeypatch.setitem(sys.modules, "torch._dynamo.callback", SimpleNamespace(callback_handler=handler))  # type: ignore[arg-type]
    with start_up.marked():
        for act in (*starts, *ends):
            act(None)  # type: ignore[operator]
    assert marks == ["begin", "end"]
    assert not starts
    assert not ends


STEPS = """
@step
def train(*, method: str, seed: int) -> dict[str, float]:
    import su_heavy_{number}
    began = time.process_time()
    while time.process_time() - began < 0.05:
        pass
    return {{"accuracy": 0.9}}
"""


def test_what_the_first_condition_imports_is_not_billed_to_it(project: Project, tmp_path: Path) -> None:
    name = f"su_heavy_{project.module}"
    (project.folder / f"{name}.py").write_text(SLOW.format(cpu_s=0.5))
    project.write(STEPS.format(number=project.module))
    vary = Vary(grid={"method": ("a", "b", "c")}, repeat={"seed": (0, 1)})
    pipeline = {"m": ("train", None, {"method": "${method}", "seed": "${seed}"})}
    study = project.study(pipeline, params={"method": "a", "seed": 0}, vary=vary)
    rows = project.run(study).records().to_pylist()
    assert all(row["m.cost.cpu_s"] == pytest.approx(0.05, abs=0.03) for row in rows)
    energy = [row["m.cost.energy_j"] for row in rows]
    assert max(energy) < 2 * min(energy)
    (first,) = [row for row in rows if row["m.cost.first_in_process"]]
    assert first["m.cost.order"] == 1
    assert first["m.cost.start_up_cpu_s"] == pytest.approx(0.5, abs=0.15)
    assert first["m.cost.start_up_energy_j"] > 5 * first["m.cost.energy_j"]
    assert all(row["m.cost.start_up_cpu_s"] < 0.02 for row in rows if row is not first)
