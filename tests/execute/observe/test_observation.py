"""What a step touches beyond what its source says is seen when it runs, and a change of it reruns the node."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from etude.execute.observe.observation import observed_by_all
from etude.graph.plan import Cause
from etude.identity.observed import ABSENT, CHANGED
from etude.store.files.manifest import Manifest
from projects import Project, environment

BACKENDS = ("inline", "processes")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


class Case:
    """A project with one step, run on one backend."""

    def __init__(
        self,
        project: Project,
        backend: str,
        code: str,
        settings: Mapping[str, object] | None = None,
        needs: Mapping[str, object] | None = None,
    ) -> None:
        self.project, self.backend, self.needs = project, backend, dict(needs or {})
        project.folder.mkdir(exist_ok=True)
        project.write(code)
        self.settings = settings or {}

    def study(self):
        place = {"workers": 1} if self.backend == "processes" else {}
        return self.project.study({"a": ("step_a", None, self.settings, self.needs)}, backend=self.backend, **place)

    def write(self, name: str, text: str) -> Path:
        path = self.project.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, **environment_: str):
        chosen = {**environment(), **environment_}
        old = dict(os.environ)
        os.environ.update(environment_)
        try:
            result = self.project.run(self.study(), environment=chosen)
        finally:
            os.environ.clear()
            os.environ.update(old)
        assert result.succeeded, [failure.outcome for failure in result.summary.failures]
        return result

    def value(self, **environment_: str) -> object:
        return self.run(**environment_).value("a")

    def observed(self) -> Mapping[str, str]:
        return self.manifest().observed

    def manifest(self) -> Manifest:
        prepared = self.project.prepare(self.study())
        manifest = prepared.store.inspect(prepared.expansion.named("a")[0].fingerprint)
        assert isinstance(manifest, Manifest)
        return manifest

    def todo(self, **environment_: str) -> str:
        """Why the node would run; empty where it would not."""
        prepared = self.project.prepare(self.study(), environment={**environment(), **environment_})
        action = next(action for action in prepared.plan.actions if action.node.name == "a")
        assert action.cause in (None, Cause.OBSERVED)
        return action.detail


@pytest.fixture(params=BACKENDS)
def case(request: pytest.FixtureRequest, project: Project) -> Callable[..., Case]:
    return lambda code, settings=None: Case(project, request.param, code, settings)


READ = """
@step
def step_a(*, name: str = "a") -> str:
    return (Path(__file__).parent / "data" / f"{name}.txt").read_text()
"""


def test_a_file_read_by_a_computed_path_counts(case: Callable[..., Case]) -> None:
    one = case(READ)
    one.write("data/a.txt", "1")
    assert one.value() == "1"
    assert "file data/a.txt" in one.observed()
    assert one.todo() == ""
    one.write("data/a.txt", "2")
    assert one.todo() == "file data/a.txt has other content"
    assert one.value() == "2"
    assert one.todo() == ""


def test_a_touched_or_moved_project_reruns_nothing(case: Callable[..., Case], tmp_path: Path) -> None:
    one = case(READ)
    path = one.write("data/a.txt", "1")
    one.value()
    os.utime(path, (1, 1))
    assert one.todo() == ""
    shutil.copytree(one.project.folder, tmp_path / "elsewhere")
    one.project.folder = tmp_path / "elsewhere"
    assert one.todo() == ""
    one.write("data/a.txt", "2")
    assert one.todo() != ""


def test_a_file_that_was_missing_counts_when_it_appears_and_one_that_goes(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def step_a() -> str:
        try:
            return open(Path(__file__).parent / ("op" + "tional.txt")).read()
        except FileNotFoundError:
            return "none"
    """)
    assert one.value() == "none"
    path = one.write("optional.txt", "1")
    assert one.todo() == "file optional.txt is there now"
    assert one.value() == "1"
    path.unlink()
    assert one.todo() == "file optional.txt is gone"
    assert one.value() == "none"


def test_a_template_that_a_loader_finds_counts(case: Callable[..., Case]) -> None:
    pytest.importorskip("jinja2")
    one = case("""
    import jinja2

    @step
    def step_a() -> str:
        loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
        return jinja2.Environment(loader=loader).get_template("page" + ".txt").render(x=1)
    """)
    one.write("templates/page.txt", "{{ x }}a")
    assert one.value() == "1a"
    one.write("templates/page.txt", "{{ x }}b")
    assert one.todo() == "file templates/page.txt has other content"
    assert one.value() == "1b"


MODULE = """
import importlib

@step
def step_a(*, name: str = "plug_%s") -> int:
    return importlib.import_module(name).VALUE
"""


def test_a_module_imported_by_a_computed_name_counts_with_what_it_reaches(case: Callable[..., Case]) -> None:
    one = case("", {})
    plug = f"plug_of_{one.project.module}"
    one.project.write(MODULE % f"of_{one.project.module}")
    one.write(f"{plug}.py", f"from base_{plug} import VALUE\n")
    one.write(f"base_{plug}.py", "VALUE = 1\n")
    assert one.value() == 1
    assert f"code {plug}" in one.observed()
    one.write(f"base_{plug}.py", "VALUE = 1  # one\n")
    assert one.todo() == ""
    one.write(f"base_{plug}.py", "VALUE = 2\n")
    assert one.todo() == f"code {plug} changed"
    assert one.value() == 2
    assert one.todo() == ""


def test_a_module_counts_for_each_node_that_imports_it_though_it_is_loaded_once(case: Callable[..., Case]) -> None:
    one = case("")
    plug = f"plug_of_{one.project.module}"
    one.project.write(
        MODULE % f"of_{one.project.module}"
        + "\n@step\ndef step_b(*, name: str) -> int:\n    return importlib.import_module(name).VALUE\n"
    )
    one.write(f"{plug}.py", "VALUE = 1\n")
    study = one.project.study(
        {"a": ("step_a",), "b": ("step_b", None, {"name": plug})},
        backend=one.backend,
        **({"workers": 1} if one.backend == "processes" else {}),
    )
    assert one.project.run(study).succeeded
    one.write(f"{plug}.py", "VALUE = 2\n")
    plan = one.project.prepare(study).plan
    assert {action.node.name for action in plan.actions if action.cause is Cause.OBSERVED} == {"a", "b"}


def test_a_function_reached_by_a_computed_name_alone_counts(case: Callable[..., Case]) -> None:
    code = """
    import sys
    def f_one():
        return helper_of_one()
    def helper_of_one():
        return {one}
    def f_two():
        return {two}

    @step
    def step_a(*, name: str = "one") -> int:
        return vars(sys.modules[__name__])["f_" + name]()
    """
    one = case(code.format(one=1, two=1))
    assert one.value() == 1
    assert f"code {one.project.module}:f_one" in one.observed()
    one.project.write(code.format(one=1, two=2))
    assert one.todo() == ""
    one.project.write(code.format(one=2, two=2))
    assert one.todo() == f"code {one.project.module}:f_one changed"
    assert one.value() == 2


def test_a_variable_read_by_a_computed_name_counts_and_its_value_is_not_kept(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def step_a(*, name: str = "WORD") -> str:
        return os.environ.get("MY_" + name, "none")
    """)
    assert one.value() == "none"
    assert one.todo() == ""
    assert one.todo(MY_WORD="secret") == "variable MY_WORD is there now"
    assert one.value(MY_WORD="secret") == "secret"
    assert one.todo(MY_WORD="secret") == ""
    assert "secret" not in str(one.observed())
    assert one.todo(MY_WORD="other") == "variable MY_WORD changed"
    assert one.todo() == "variable MY_WORD is gone"


def test_variables_of_a_place_or_all_of_them_at_once_do_not_count(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def step_a() -> int:
        os.environ["SET_HERE"] = "1"
        return len({**os.environ}) * 0 + len(os.environ["PATH"]) * 0 + int(os.environ["SET_HERE"])
    """)
    assert one.value() == 1
    assert not any(key.startswith("variable") for key in one.observed())


def test_the_names_in_a_listed_folder_count(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def step_a() -> int:
        return len(list((Path(__file__).parent / "da.ta".replace(".", "")).glob("*.txt")))
    """)
    one.write("data/a.txt", "1")
    assert one.value() == 1
    one.write("data/a.txt", "2")
    assert one.todo() == ""
    one.write("data/b.txt", "2")
    assert one.todo() == "folder data holds other names"
    assert one.value() == 2


def test_what_another_thread_reads_counts(case: Callable[..., Case]) -> None:
    one = case("""
    from concurrent.futures import ThreadPoolExecutor

    @step
    def step_a() -> str:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit((Path(__file__).parent / ("a" + ".txt")).read_text).result()
    """)
    one.write("a.txt", "1")
    assert one.value() == "1"
    one.write("a.txt", "2")
    assert one.todo() == "file a.txt has other content"


def test_what_a_forked_child_reads_counts(case: Callable[..., Case]) -> None:
    one = case("""
    import multiprocessing

    def read(path, queue):
        queue.put(Path(path).read_text())

    @step
    def step_a() -> str:
        fork = multiprocessing.get_context("fork")
        queue = fork.SimpleQueue()
        child = fork.Process(target=read, args=(Path(__file__).parent / ("a" + ".txt"), queue))
        child.start()
        child.join()
        return queue.get()
    """)
    one.write("a.txt", "1")
    assert one.value() == "1"
    one.write("a.txt", "2")
    assert one.todo() == "file a.txt has other content"


def test_a_script_that_another_program_runs_counts_and_the_program_is_told(case: Callable[..., Case]) -> None:
    one = case("""
    import subprocess, sys

    @step
    def step_a() -> str:
        script = Path(__file__).parent / ("scr" + "ipt.py")
        return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout.strip()
    """)
    one.write("script.py", "print(1)\n")
    assert one.value() == "1"
    assert any(key.startswith("command python") and not digest for key, digest in one.observed().items())
    one.write("script.py", "print(2)\n")
    assert one.todo() == "file script.py has other content"
    assert one.value() == "2"


def test_what_a_step_writes_and_reads_again_is_no_input(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def step_a(*, ctx: Context) -> str:
        for folder in (ctx.scratch, Path(__file__).parent / "made"):
            folder.mkdir(exist_ok=True)
            (folder / "x.txt").write_text(str(time.time()))
            os.listdir(folder)
            (folder / "x.txt").read_text()
            os.replace(folder / "x.txt", folder / "y.txt")
            (folder / "y.txt").read_text()
        return "done"
    """)
    one.value()
    assert one.observed() == {}
    (one.project.folder / "made" / "y.txt").write_text("other")
    assert one.todo() == ""


def test_a_file_that_changes_while_it_is_read_reruns_the_node(project: Project) -> None:
    one = Case(
        project,
        "inline",
        """
    @step
    def step_a() -> str:
        path = Path(__file__).parent / ("a" + ".txt")
        text = path.read_text()
        os.system("echo 22 > " + str(path))
        return text
    """,
    )
    one.write("a.txt", "1")
    one.value()
    assert one.todo() == "file a.txt changed while the step read it"


def test_an_input_file_and_code_that_the_plan_knows_are_no_news(case: Callable[..., Case]) -> None:
    one = case("""
    from functools import lru_cache

    def helper(path):
        return path.read_text()

    @step
    def step_a(*, path: InputFile) -> str:
        import json
        return helper(path)
    """)
    one.settings = {"path": str(one.write("data/in.txt", "1"))}
    assert one.value() == "1"
    assert one.observed() == {}


def test_what_a_module_reads_when_it_is_imported_counts(case: Callable[..., Case]) -> None:
    one = case("""
    TABLE = (Path(__file__).parent / ("ta" + "ble.txt")).read_text() if True else ""

    @step
    def step_a() -> str:
        return "x" + TABLE
    """)
    one.write("table.txt", "1")
    assert one.value() == "x1"
    assert "file table.txt" in one.observed()
    one.write("table.txt", "2")
    assert one.todo() == "file table.txt has other content"


def test_an_early_cut_off_takes_no_result_that_saw_other_things(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def above(*, n: int) -> int:
        return n * 0

    @step
    def below(x: int) -> str:
        return (Path(__file__).parent / ("a" + ".txt")).read_text()
    """)
    place = {"workers": 1} if one.backend == "processes" else {}

    def study(n: int):
        return one.project.study({"x": ("above", None, {"n": n}), "y": ("below", "x")}, backend=one.backend, **place)

    one.write("a.txt", "1")
    assert one.project.run(study(1)).value("y") == "1"
    assert one.project.run(study(2)).summary.reused  # the same bytes above it, and the file is as it was
    one.write("a.txt", "2")
    assert one.project.run(study(3)).value("y") == "2"
    assert one.project.run(study(2)).value("y") == "2"
    assert one.project.run(study(1)).value("y") == "2"


def test_the_run_tells_what_it_saw(project: Project) -> None:
    from etude.cli.run_summary import observed_lines

    one = Case(project, "inline", READ)
    one.write("data/a.txt", "1")
    lines = observed_lines(one.run().summary.observed.values())
    assert any("a used file data/a.txt" in line for line in lines)


RANDOM = {
    "random": "import random\ndef draw():\n    {seed}\n    return random.random()\n",
    "numpy.random": "import numpy as np\ndef draw():\n    {seed}\n    return float(np.random.rand())\n",
    "torch": "import torch\ndef draw():\n    {seed}\n    return float(torch.rand(1))\n",
}
SEEDS = {"random": "random.seed(1)", "numpy.random": "np.random.seed(1)", "torch": "torch.manual_seed(1)"}


@pytest.mark.parametrize("generator", RANDOM)
def test_a_step_that_draws_without_seeding_is_not_deterministic(case: Callable[..., Case], generator: str) -> None:
    draw = RANDOM[generator] + "@step\ndef step_a() -> float:\n    return draw()\n"
    one = case(draw.format(seed="pass"))
    [row] = one.run().records().to_pylist()
    assert row["by_chance"] == "a"
    assert not one.manifest().deterministic
    assert one.observed() == {f"random {generator}": ""}
    assert one.todo() == ""
    one.project.write(draw.format(seed=SEEDS[generator]))
    one.run()
    one.project.write(draw.format(seed=SEEDS[generator] + "; draw.again = 1"))
    one.run()
    assert one.observed() == {}


def test_what_a_library_draws_while_it_is_loaded_is_not_drawn_by_the_step(project: Project) -> None:
    one = Case(
        project,
        "processes",
        """
    @step
    def step_a() -> float:
        import random
        before = random.getstate()
        import sklearn.feature_extraction.text
        return float(random.getstate() != before)
    """,
    )
    result = one.run()
    assert result.value("a") == 1.0
    assert "by_chance" not in result.records().column_names
    assert one.manifest().deterministic


def test_looking_for_installed_packages_is_no_look_at_the_project(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def step_a() -> int:
        import importlib.metadata
        importlib.invalidate_caches()
        return len(importlib.metadata.entry_points(group="nobody.has.this"))
    """)
    one.run()
    assert one.observed() == {}


def test_generators_of_its_own_leave_a_step_deterministic(case: Callable[..., Case]) -> None:
    one = case("""
    import random
    import numpy as np

    @step
    def step_a() -> float:
        return random.Random(1).random() + float(np.random.default_rng(1).random())
    """)
    one.value()
    assert one.observed() == {}


def test_a_code_change_is_adopted_only_while_all_else_that_the_step_touched_is_as_it_was(project: Project) -> None:
    from etude.errors import ConfigError
    from etude.study.accept import accept_node

    one = Case(project, "inline", READ)
    one.write("data/a.txt", "1")
    one.run()
    project.write(READ.replace("read_text()", "read_text() + ''"))
    one.write("data/a.txt", "2")
    with pytest.raises(ConfigError, match=r"file data/a.txt has other content"):
        accept_node(project.prepare(one.study()), "a", "the same text")
    one.write("data/a.txt", "1")
    accept_node(project.prepare(one.study()), "a", "the same text")
    assert one.todo() == ""
    assert "file data/a.txt" in one.observed()
    one.write("data/a.txt", "3")
    assert one.todo() == "file data/a.txt has other content"


def test_a_library_and_a_database_of_the_project_count(project: Project) -> None:
    import sqlite3

    one = Case(
        project,
        "inline",
        """
    import ctypes, sqlite3

    @step
    def step_a() -> int:
        here = Path(__file__).parent
        try:
            ctypes.CDLL(str(here / "lib.so"))
        except OSError:
            pass
        with sqlite3.connect(here / "data.db") as base:
            return base.execute("select n from t").fetchone()[0]
    """,
    )
    one.write("lib.so", "no library")
    with sqlite3.connect(project.folder / "data.db") as base:
        base.execute("create table t (n int)")
        base.execute("insert into t values (1)")
    base.close()
    assert one.value() == 1
    assert {"file lib.so", "file data.db"} <= one.observed().keys()


def test_of_very_many_files_in_a_folder_names_and_sizes_are_compared(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etude.execute.observe import observation

    monkeypatch.setattr(observation, "MOST_FILES", 20)
    one = Case(
        project,
        "inline",
        """
    @step
    def step_a() -> int:
        return sum(len((Path(__file__).parent / "data" / f"{n}.txt").read_text()) for n in range(30))
    """,
    )
    for number in range(30):
        one.write(f"data/{number}.txt", "1")
    one.run()
    assert list(one.observed()) == ["tree data"]
    assert one.todo() == ""
    one.write("data/7.txt", "12")
    assert one.todo() == "tree data holds other files"


def test_an_absolute_path_that_the_project_opens_itself_counts_and_systems_files_do_not(
    project: Project, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("1")
    one = Case(
        project,
        "inline",
        """
    @step
    def step_a(*, name: str) -> str:
        open("/proc/self/stat").read()
        open("/etc/hostname").read()
        return Path(name).read_text()
    """,
    )
    one.settings = {"name": str(outside)}
    one.run()
    assert list(one.observed()) == [f"file {outside}"]
    outside.write_text("2")
    assert one.todo() == f"file {outside} has other content"


@pytest.mark.filterwarnings("ignore:look here")
def test_a_module_read_as_text_counts_and_a_warning_that_shows_its_line_does_not(project: Project) -> None:
    one = Case(
        project,
        "inline",
        """
    import warnings

    @step
    def step_a(*, text: bool) -> str:
        warnings.warn("look here")
        return (Path(__file__).parent / "other.py").read_text() if text else ""
    """,
    )
    one.write("other.py", "x = 1  # one\n")
    one.settings = {"text": False}
    one.run()
    assert one.observed() == {}
    one.settings = {"text": True}
    one.run()
    assert list(one.observed()) == ["file other.py"]


def test_the_plan_says_why_in_words(project: Project) -> None:
    from etude.graph.explain import why

    one = Case(project, "inline", READ)
    one.write("data/a.txt", "1")
    one.run()
    one.write("data/a.txt", "2")
    [action] = [action for action in project.prepare(one.study()).plan.actions if action.node.name == "a"]
    assert list(map(str, why(action, None))) == ["file data/a.txt has other content (seen when it ran)"]


@pytest.mark.parametrize(
    "listed",
    ["list(folder.iterdir())", "os.listdir(folder)", "list(os.scandir(str(folder)))", "list(os.walk(folder))"],
)
def test_a_folder_counts_however_it_is_listed(project: Project, listed: str) -> None:
    one = Case(
        project,
        "inline",
        f"""
    @step
    def step_a() -> int:
        folder = Path(__file__).parent / ("da" + "ta")
        return len({listed})
    """,
    )
    one.write("data/a.txt", "1")
    one.run()
    assert list(one.observed()) == ["folder data"]


def test_a_node_whose_code_the_study_vouches_for_is_not_rerun_for_code_that_was_seen(project: Project) -> None:
    from dataclasses import replace

    one = Case(project, "inline", "")
    plug = f"plug_of_{project.module}"
    project.write(MODULE % f"of_{project.module}")
    one.write(f"{plug}.py", "VALUE = 1\n")
    study = one.study()
    ignoring = replace(study, pipeline={"a": replace(study.pipeline["a"], code="ignore")})
    assert project.run(ignoring).succeeded
    one.write(f"{plug}.py", "VALUE = 2\n")
    assert not project.prepare(ignoring).plan.todo


def test_what_a_step_does_not_reach_in_a_module_that_it_imports_reruns_nothing(case: Callable[..., Case]) -> None:
    one = case("""
    @step
    def step_a() -> int:
        import beside
        return beside.used()
    """)
    one.write("beside.py", "def used():\n    return 1\n\n\ndef other():\n    return 2\n")
    one.run()
    assert one.observed() == {}


RANKS = [
    ([({"file a": "1"}, ()), ({"file b": "2"}, ())], {"file a": "1", "file b": "2"}),
    ([({"file a": "1"}, ()), ({"file a": "1"}, ())], {"file a": "1"}),
    ([({"file a": "1"}, ()), ({"file a": "2"}, ())], {"file a": CHANGED}),
    ([({"code m": "1"}, ()), ({"code m": "2"}, ())], {"code m": CHANGED}),
    ([({"variable V": "1"}, ()), ({"variable V": "2"}, ())], {"variable V": ""}),
    ([({"folder d": "1"}, ()), ({"folder d": "2"}, ())], {"folder d": "1"}),
    ([({"tree d": "1"}, ()), ({"tree d": "2"}, ())], {"tree d": "1"}),
    ([({}, ("out/a",)), ({"file out/a": "1", "folder out": "2"}, ())], {"folder out": "2"}),
    ([({}, ("out",)), ({"file out/deep/a": ABSENT, "tree out": "2", "file other": "3"}, ())], {"file other": "3"}),
    ([({"file a": ""}, ("a",)), ({}, ())], {"file a": ""}),
    ([({}, ()), ({"random numpy.random": "", "command git": ""}, ())], {"random numpy.random": "", "command git": ""}),
    ([({"file a": "1"}, ()), ({}, ()), ({"file a": "2"}, ()), ({"file a": "1"}, ())], {"file a": CHANGED}),
]


@pytest.mark.parametrize(("ranks", "together"), RANKS)
def test_what_several_processes_touched_is_told_as_one(
    ranks: list[tuple[dict[str, str], tuple[str, ...]]], together: dict[str, str]
) -> None:
    assert observed_by_all(ranks) == together


RANK_1_READS = """
@step
def step_a(*, name: str = "a") -> str:
    here, rank = Path(__file__).parent, int(os.environ["RANK"])
    (here / f"made-{rank}").write_text("x")
    if rank == 1:
        import random, time
        random.random()
        os.environ.get("ANY_SETTING")
        while not (here / "made-0").exists():
            time.sleep(0.01)
        (here / "made-0").read_text()
        return (here / "data" / f"{name}.txt").read_text()
    return ""
"""


def test_what_another_than_the_storing_process_reads_counts_and_what_one_of_them_wrote_does_not(
    project: Project,
) -> None:
    one = Case(project, "processes", RANK_1_READS, needs={"processes": 2})
    one.write("data/a.txt", "1")
    one.run()
    observed = one.observed()
    assert {"file data/a.txt", "random random"} <= observed.keys()
    assert observed["variable ANY_SETTING"] == ABSENT
    assert not any("made-" in key for key in observed)
    assert not one.manifest().deterministic
    assert one.todo() == ""
    one.write("data/a.txt", "2")
    assert one.todo() == "file data/a.txt has other content"
