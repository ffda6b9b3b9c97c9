"""A study built in Python is the one that its file would be, and runs from a script as from a module."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml

import etude
from etude import Study, load, node, param, records
from etude.errors import ConfigError

STEPS = """
    import numpy as np

    def noisy_sine(*, count: int, seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        x = random.uniform(0, 1, count)
        return np.stack([x, np.sin(6 * x) + random.normal(0, 0.2, count)])

    def fit_polynomial(points, degree, weight=1.0) -> dict[str, float]:
        errors = (np.polyval(np.polyfit(*points[:, :30], degree), points[0]) - points[1]) ** 2
        return {"train": float(errors[:30].mean()) * weight, "test": float(errors[30:].mean())}
"""

BUILT = """
    from etude import Study, aggregate, node, param

    seed, degree = param("seed", 0), param("degree", 1)
    points = node(noisy_sine, count=60, seed=seed)
    error = node(fit_polynomial, points, degree=degree)
    study = (
        Study("first", points=points, error=error)
        .grid(degree=[1, 3])
        .repeat(seed=range(3))
        .collect(table=aggregate(lower_is_better=["error.test"]))
    )
"""


def write(folder: Path, name: str, *parts: str) -> Path:
    path = folder / name
    path.write_text("\n".join(textwrap.dedent(part) for part in parts), encoding="utf-8")
    return path


def run(script: Path) -> str:
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, cwd=script.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study over a module of a name of its own."""
    module = f"api_steps_{tmp_path.name.replace('-', '_')}"
    write(tmp_path, f"{module}.py", STEPS)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    steps = __import__(module)
    names = {"noisy_sine": steps.noisy_sine, "fit_polynomial": steps.fit_polynomial}
    exec(textwrap.dedent(BUILT), names)  # the study of the other tests, over the module's functions
    study = names["study"]
    assert isinstance(study, Study)
    return study


def test_its_results_are_read_by_name(built: Study) -> None:
    result = built.run(on="inline", progress=False)
    assert result.succeeded
    table = result.records().to_pydict()
    assert sorted(zip(table["degree"], table["seed"], strict=True)) == [(d, s) for d in (1, 3) for s in range(3)]
    value = result.value("error", degree=3, seed=0)
    assert value["test"] == next(
        row["error.test"] for row in result.records().to_pylist() if (row["degree"], row["seed"]) == (3, 0)
    )
    assert len(list(result.values("points"))) == 3
    with pytest.raises(ConfigError, match="there are error degree=1 seed=0, error degree=3 seed=0"):
        result.value("error", seed=0)
    with pytest.raises(ConfigError, match="has 6"):
        result.value("error")


def test_its_tables_are_at_hand_in_every_form(built: Study) -> None:
    table = built.run(on="inline", progress=False).table()
    assert table.summary.lower_is_better[0] == "error.test"
    assert "tabular" in table.to_latex()
    assert list(table.to_pandas()["degree"]) == [1, 3]
    assert table._repr_html_().startswith("<table>")
    assert "±" in str(table)


def test_the_file_that_it_writes_has_the_same_fingerprints(built: Study, tmp_path: Path) -> None:
    built.run(on="inline", progress=False)
    plan = load(built.write(tmp_path / "first.yaml")).plan()
    assert {row["node"]: row["run"] for row in plan.rows()} == {"points": 0, "error": 0, "records": 0, "table": 0}
    assert load(tmp_path / "first.yaml", set={"degree": 3}).plan().rows()[1]["run"] == 0


def test_a_second_run_computes_nothing_and_says_so(built: Study) -> None:
    built.run(on="inline", progress=False)
    again = built.run(on="inline", progress=False)
    assert again.finished.run == ""
    assert [row["run"] for row in built.plan().rows()] == [0] * 4


def test_a_study_is_never_changed(built: Study) -> None:
    before = built.tree
    built.grid(degree=[5]).place(workers=1).params(seed=4)
    assert built.tree == before


def test_a_failed_run_raises_with_its_causes_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "failing_api_steps.py", "def wrong(): raise ValueError('no such luck')")
    monkeypatch.syspath_prepend(str(tmp_path))
    study = Study("failing", wrong=node(__import__("failing_api_steps").wrong))
    with pytest.raises(etude.RunFailed, match="wrong: ValueError: no such luck"):
        study.run(on="inline", progress=False)
    assert not study.run(on="inline", progress=False, check=False).succeeded


@pytest.mark.slow
@pytest.mark.parametrize("guard", [True, False])
def test_a_running_script_is_the_project_of_its_steps(tmp_path: Path, guard: bool) -> None:
    """Its workers import what the steps need of it, never the running of the study."""
    call = "print('ran'); result = study.run(workers=2, progress=False); print(result.value('error', degree=3, seed=0))"
    last = f"if __name__ == '__main__':\n    {call}" if guard else call
    script = write(tmp_path, "script.py", STEPS, BUILT, last)
    first = run(script)
    assert first.count("ran") == 1
    assert run(script) == first


@pytest.mark.slow
def test_the_steps_of_a_script_rerun_for_what_they_need_of_it_alone(tmp_path: Path) -> None:
    last = "print([row['run'] for row in study.plan().rows()]); study.run(on='inline', progress=False)"
    script = write(tmp_path, "script.py", STEPS, BUILT, "count = 1", last)
    assert run(script) == "[3, 6, 1, 1]\n"
    text = script.read_text()
    script.write_text(text.replace("count = 1", "count = 2"))
    assert run(script) == "[0, 0, 0, 0]\n"
    script.write_text(text.replace("** 2", "** 4"))
    assert run(script) == "[0, 6, 1, 1]\n"


NOTEBOOK_CELLS = [
    "import numpy as np\nfrom etude import Study, node, param",
    "def double(x):\n    return {'twice': 2.0 * x}",
    "def one(*, seed: int) -> float:\n    return float(seed)",
    "study = Study('cells', one=(first := node(one, seed=param('seed', 4))), twice=node(double, first))",
    "print(study.run(workers=1, progress=False).value('twice'))",
    "def double(x):\n    return {'twice': 20.0 * x}",
    "study = Study('cells', one=(first := node(one, seed=param('seed', 4))), twice=node(double, first))",
    "print([row['run'] for row in study.plan().rows()], study.run(workers=1, progress=False).value('twice'))",
]


@pytest.mark.slow
def test_the_cells_of_a_notebook_are_a_module(tmp_path: Path) -> None:
    import nbclient
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in NOTEBOOK_CELLS])
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = [output.text for cell in notebook.cells for output in cell.outputs if output.get("name") == "stdout"]
    assert printed == ["{'twice': 8.0}\n", "[0, 1, 1] {'twice': 80.0}\n"]


def test_nodes_that_a_node_reads_are_named_by_their_functions() -> None:
    raw = node("text.load", source="docstrings")
    parts = node("text.split", raw, test_fraction=0.2, seed=0)
    tree = Study("named", quality=node("text.describe", parts)).tree
    assert list(tree["pipeline"]) == ["load", "split", "quality"]
    assert tree["pipeline"]["quality"]["from"] == "split"


def test_items_results_of_all_variants_and_lists_are_written_as_in_a_file() -> None:
    raw = node("text.load", source="docstrings")
    tree = (
        Study("forms", raw=raw, joined=node(blend, [raw, raw["item"]], weight=param("w", 2)))
        .collect(all=node("ensemble.select", predictions=raw.every), rows=node("analysis.aggregate", records))
        .tree
    )
    assert tree["pipeline"]["joined"]["from"] == {"parts": ["raw", "raw.item"]}
    assert tree["params"] == {"w": 2}
    assert tree["collect"]["all"]["from"] == {"predictions": "raw[*]"}
    assert tree["collect"]["rows"]["from"] == "records"


def blend(parts: list[float], *, weight: float) -> float:
    return sum(parts) * weight


@pytest.mark.parametrize(
    ("make", "mend"),
    [
        (lambda: Study("x", a=node(lambda: 1)), "write `def name"),
        (lambda: Study("x", a=node(blend, 3)), "give values by name"),
        (lambda: Study("x", a=3), "make one: node"),
        (lambda: Study("x", a=(one := node(blend)), b=one), "give it once"),
        (lambda: Study("x", a=node(blend, weight=param("w", 1)), b=node(blend, weight=param("w", 2))), "make it once"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_mend(make: object, mend: str) -> None:
    with pytest.raises(ConfigError, match=mend.replace("(", r"\(")):
        _ = make().tree  # type: ignore[operator]


def test_a_param_that_stands_in_a_text_alone_is_a_param_of_the_study() -> None:
    seed = param("seed", 3)
    each = node("text.load", source=f"run-{seed}", options={"names": [f"{seed}"]})
    tree = Study("named", raw=each).tree
    assert tree["params"] == {"seed": 3}
    assert tree["pipeline"]["raw"]["with"] == {"source": "run-${seed}", "options": {"names": ["${seed}"]}}
    with pytest.raises(ConfigError, match="two values"):
        Study("named", raw=each, other=node("text.load", source=param("seed", 4))).tree  # noqa: B018


def test_values_of_numpy_and_ranges_are_those_of_a_file(tmp_path: Path) -> None:
    scale = param("scale", np.float32(0.5))
    each = node("text.load", sizes=np.arange(2), pair=(1, np.int64(2)), where=Path("a/b"), within=range(2), scale=scale)
    study = (
        Study("numpy", raw=each).grid(scale=np.array([0.5, 1.0])).repeat(seed=np.arange(2)).place(workers=np.int64(1))
    )
    wanted = {"sizes": [0, 1], "pair": [1, 2], "where": "a/b", "within": [0, 1], "scale": "${scale}"}
    tree = yaml.safe_load(study.write(tmp_path / "numpy.yaml").read_text())
    assert tree["pipeline"]["raw"]["with"] == wanted
    assert (tree["params"], tree["place"]) == ({"scale": 0.5}, {"workers": 1})
    assert tree["vary"] == {"grid": {"scale": [0.5, 1.0]}, "repeat": {"seed": [0, 1]}}


def test_a_loaded_study_takes_values_of_numpy(built: Study, tmp_path: Path) -> None:
    file = built.write(tmp_path / "first.yaml")
    study = load(file, set={"seed": np.int64(2)}).grid(degree=np.arange(1, 3)).params(degree=np.int64(1))
    rows = {row["node"]: row["run"] for row in study.plan().rows()}
    assert rows["error"] == 2  # a param that is set is no longer repeated


def test_a_script_in_a_folder_that_imports_from_beside_it_is_told_what_to_say(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "exp").mkdir()
    write(tmp_path / "exp", "beside.py", "def scale(x): return 2 * x")
    script = """
        from beside import scale
        from etude import Study, node
        from etude.errors import ConfigError
        def fit(*, rate: float) -> float: return scale(rate)
        study = Study("beside", fit=node(fit, rate=0.5))
        try:
            study.plan()
        except ConfigError as error:
            print(".place(project=" in str(error))
        from pathlib import Path
        print(study.place(project=Path(__file__).parent).run(on="inline", progress=False).value("fit"))
    """
    assert run(write(tmp_path / "exp", "script.py", script)) == "True\n1.0\n"
