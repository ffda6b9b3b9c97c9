"""A study laid out over its steps: what is shared, and everything that can be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etude.errors import ConfigError
from etude.graph.node import Spread
from etude.identity.canonical import canonical
from etude.identity.files import FileDigests
from etude.study.expand import expand
from etude.study.study import Study, Vary
from projects import Project

STEPS = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Splits:
    train: list[int]
    test: list[int]

@dataclass(frozen=True)
class Scores:
    accuracy: float

@step
def load(*, count: int, words: InputFile | None = None) -> list[int]:
    return list(range(count))

@step
def split(data: list[int], *, fraction: float = 0.5) -> Splits:
    return Splits(data[:1], data[1:])

@step
def score(data: list[int], *, rate: float = 1.0, speed: int = 1) -> Scores:
    return Scores(rate)

@step
def pick(values: Across[Scores]) -> float:
    return max(each.accuracy for each in values.values())

@step
def describe(records: object) -> str:
    return "all"

no_step = 0

@step
def opaque() -> Project:
    ...

class Project: ...
"""

PIPELINE = {
    "data": ("load", None, {"count": 3}),
    "splits": ("split", "data"),
    "scores": ("score", "splits.test", {"rate": "${rate}"}),
}


def rated(project: Project, **more: object) -> Study:
    settings = {"params": {"rate": 1.0}, "vary": Vary(grid={"rate": (1.0, 2.0)}, repeat={}), **more}
    return project.write(STEPS).study(PIPELINE, **settings)  # type: ignore[arg-type]


def faults_of(project: Project, study: Study) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.prepare(study)
    return [f"{fault.path}: {fault.reason} | {fault.mend}" for fault in caught.value.faults]


def test_a_group_of_nodes_is_run_by_its_name(project: Project) -> None:
    study = replace(rated(project), groups={"prepare_data": ("data", "splits"), "all": ("data", "records")})
    wanted = [node.name for node in project.prepare(study, until=("prepare_data",)).plan.todo]
    assert sorted(wanted) == ["data", "splits"]
    assert len(project.prepare(study, until=("all", "scores", "data")).plan.todo) == 5
    forced = project.prepare(study, until=("data",), rerun=("prepare_data",)).plan.forced
    assert len(forced) == 2


def test_an_unknown_name_of_a_node_is_compared_with_groups_too(project: Project) -> None:
    study = replace(rated(project), groups={"prepare_data": ("data",)})
    with pytest.raises(ConfigError, match="did you mean 'prepare_data'"):
        project.prepare(study, until=("prepare_dat",))


def test_variants_share_the_nodes_that_do_not_depend_on_what_varies(project: Project) -> None:
    expansion = project.prepare(rated(project)).expansion
    assert [len(expansion.named(name)) for name in ("data", "splits", "scores")] == [1, 1, 2]


def test_a_node_is_labelled_with_the_varied_params_that_it_depends_on(project: Project) -> None:
    expansion = project.prepare(rated(project)).expansion
    assert [node.label() for node in expansion.named("scores")] == ["scores rate=1.0", "scores rate=2.0"]
    assert expansion.named("data")[0].label() == "data"


def test_a_collect_node_sees_all_variants(project: Project) -> None:
    study = rated(project, collect={"best": ("pick", "scores[*]"), "all": ("describe", "records")})
    expansion = project.prepare(study).expansion
    spread = expansion.collect["best"].inputs["values"]
    assert isinstance(spread, Spread)
    assert [dict(point) for point in spread.variants] == [{"rate": 1.0}, {"rate": 2.0}]
    assert expansion.collect["all"].upstream() == (expansion.records,)


def test_collected_results_are_computed_from_all_variants(project: Project) -> None:
    result = project.run(rated(project, collect={"best": ("pick", "scores[*]")}))
    assert result.value("best") == 2.0


def test_values_that_python_calls_equal_are_different_variants(project: Project) -> None:
    anything = (
        "from etude import step\n\n@step\ndef same(*, x: int | bool | float | str | None) -> str:\n    return repr(x)\n"
    )
    study = project.write(anything).study(
        {"s": ("same", None, {"x": "${x}"})}, params={"x": 0}, vary=Vary(grid={"x": (1, True, 1.0, "1", None)})
    )
    expansion = project.prepare(study).expansion
    assert len(expansion.variants) == 5
    assert len(expansion.named("s")) == 5


def test_a_default_written_out_is_the_same_node(project: Project) -> None:
    bare = project.write(STEPS).study({"data": ("load", None, {"count": 3}), "s": ("split", "data")})
    full = project.study(
        {"other": ("load", None, {"count": 3, "words": None}), "s": ("split", "other", {"fraction": 0.5})}
    )
    assert (
        project.prepare(bare).expansion.named("s")[0].fingerprint
        == project.prepare(full).expansion.named("s")[0].fingerprint
    )


def test_an_input_file_counts_by_content_and_not_by_path(project: Project) -> None:
    def fingerprint(name: str, text: str) -> str:
        (project.folder / name).write_text(text)
        study = project.write(STEPS).study({"data": ("load", None, {"count": 3, "words": name})})
        return project.prepare(study).expansion.named("data")[0].fingerprint

    assert fingerprint("a.txt", "hello") == fingerprint("b.txt", "hello")
    assert fingerprint("a.txt", "hello") != fingerprint("a.txt", "goodbye")


@pytest.mark.parametrize(
    ("pipeline", "place", "words"),
    [
        ({"data": ("lod", None, {"count": 3})}, "pipeline.data.step", "load"),
        ({"data": ("text.lod", None, {})}, "pipeline.data.step", "load"),
        ({"data": ("txt.load", None, {})}, "pipeline.data.step", "text"),
        ({"data": ("no_such_module.load", None, {})}, "pipeline.data.step", "room"),
        ({"data": ("no_step", None, {})}, "pipeline.data.step", "function"),
        ({"data": ("opaque", None, {})}, "pipeline.data.step", "cannot be stored"),
        ({"data": ("load", None, {"cuont": 3})}, "pipeline.data.with.cuont", "count"),
        ({"data": ("load", None, {"count": "3"})}, "pipeline.data.with.count", "int"),
        ({"data": ("load", None, {"count": 3, "words": "absent.txt"})}, "pipeline.data.with.words", "absent.txt"),
        ({"data": ("load", None, {"count": "${x}"})}, "pipeline.data.with", "no param 'x'"),
        ({"splits": ("split", "dta"), "data": ("load", None, {"count": 1})}, "pipeline.splits.from", "data"),
        ({"a": ("split", "b.train"), "b": ("split", "a.train")}, "pipeline.a.from", "circle"),
        ({"data": ("load", None, {"count": 1}), "s": ("split", "data.train")}, "pipeline.s.from", "no item"),
        ({"data": ("load", None, {"count": 1}), "s": ("split", {"dat": "data"})}, "pipeline.s.from.dat", "data"),
    ],
)
def test_each_fault_is_told_at_its_place(project: Project, pipeline: dict[str, tuple], place: str, words: str) -> None:  # type: ignore[type-arg]
    found = faults_of(project, project.write(STEPS).study(pipeline))
    assert any(fault.startswith(place) and words in fault for fault in found), found


def test_all_faults_are_told_together(project: Project) -> None:
    pipeline = {
        "data": ("load", None, {"count": "3"}),
        "s": ("split", "data", {"fration": 1}),
        "t": ("scroe", "s.train"),
    }
    assert len(faults_of(project, project.write(STEPS).study(pipeline))) == 3


def test_a_wrong_value_of_a_varied_param_is_told_with_the_variant(project: Project) -> None:
    (fault,) = faults_of(project, rated(project, vary=Vary(grid={"rate": (1.0, "fast")})))
    assert "rate='fast'" in fault


def test_a_collect_node_must_say_that_it_takes_all_variants(project: Project) -> None:
    found = faults_of(project, rated(project, collect={"all": ("describe", "scores")}))
    assert "scores[*]" in found[0]


def test_nothing_is_written_when_a_study_is_faulty(project: Project) -> None:
    faults_of(project, project.write(STEPS).study({"data": ("lod", None, {"count": 3})}))
    assert {path.suffix for path in project.folder.iterdir()} <= {".py", ""}
    assert not (project.folder / ".etude").exists()


def test_a_module_that_cannot_be_imported_is_told_with_its_line(project: Project) -> None:
    study = project.write("1 / 0\n" + STEPS).study({"data": ("load", None, {"count": 3})})
    (fault,) = faults_of(project, study)
    assert "ZeroDivisionError" in fault
    assert f"{project.module}.py:6" in fault


READERS = """
@step
def by_default(*, file: InputFile = Path("words.txt")) -> str:
    return file.read_text()

@step
def read_file(*, file: InputFile) -> str:
    return file.read_text()

@step
def read_folder(*, folder: InputFolder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())

@step
def read_either(*, place: InputFile | InputFolder) -> str:
    return place.name
"""


def test_a_default_path_starts_from_the_project_wherever_one_stands(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.folder / "words.txt").write_text("of the project")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "words.txt").write_text("of another folder")
    monkeypatch.chdir(tmp_path / "elsewhere")
    study = project.write(READERS).study({"it": ("by_default",)})
    assert project.run(study).value("it") == "of the project"


@pytest.mark.parametrize(
    ("function", "settings", "said"),
    [
        ("read_file", {"file": "here"}, "here is a folder, and the step reads a file"),
        ("read_file", {"file": ""}, "it names no file"),
        ("read_folder", {"folder": "here/a.txt"}, "a.txt is a file, and the step reads a folder"),
    ],
)
def test_a_folder_is_no_input_file_and_a_file_no_input_folder(
    project: Project, function: str, settings: dict[str, str], said: str
) -> None:
    (project.folder / "here").mkdir()
    (project.folder / "here" / "a.txt").touch()
    (fault,) = faults_of(project.write(READERS), project.study({"it": (function, None, settings)}))
    assert said in fault


def test_a_setting_that_takes_either_takes_both(project: Project) -> None:
    (project.folder / "here").mkdir()
    (project.folder / "a.txt").touch()
    project.write(READERS)
    pipeline = {"x": ("read_either", None, {"place": "here"}), "y": ("read_either", None, {"place": "a.txt"})}
    assert project.run(project.study(pipeline)).succeeded


@pytest.mark.parametrize("options", [{}, {"only": {"x": "1"}}])
def test_a_study_of_a_billion_variants_is_refused_at_once(project: Project, options: dict[str, object]) -> None:
    axis = tuple(range(1000))
    study = project.write(STEPS).study(
        {"n": ("load", None, {"count": "${x}"})},
        params={"x": 1, "y": 1, "z": 1},
        vary=Vary(grid={"x": axis, "y": axis, "z": axis}),
    )
    with pytest.raises(ConfigError, match="1,000,000,000 variants"):
        project.prepare(study, **options)


def test_a_collect_node_reads_the_variants_that_a_search_did_not_try_in_vain(project: Project) -> None:
    project.write(
        """
        @step
        def score(*, k: int) -> dict[str, float]: return {"score": float(k)}

        @step
        def one(score: dict[str, float]) -> float: return score["score"]

        @step
        def all_of(scores: Across[dict[str, float]]) -> int: return len(scores)
        """
    )
    study = project.study(
        {"score": ("score", None, {"k": "${k}"})},
        params={"k": 1},
        vary=Vary(points=({"k": 1}, {"k": 2}), failed={canonical({"k": 1}): "crash"}),
        collect={"one": ("one", {"score": "score"}), "all": ("all_of", {"scores": "score[*]"})},
    )
    found = expand(study, FileDigests())
    second = found.nodes[1]["score"]
    assert [variant.failed for variant in found.variants] == ["crash", ""]
    assert found.collect["one"].upstream() == found.collect["all"].upstream() == (second,)
    assert [row.status for row in found.records.rows] == ["crash", ""]
    assert second in found.targets()
    assert found.nodes[0]["score"] not in found.targets()


def test_code_counts_by_its_digest_unless_the_node_says_otherwise(project: Project) -> None:
    study = project.write("@step\ndef one() -> int: return 1\n").study({"one": ("one",)})

    def code(said: str) -> tuple[str, str]:
        spec = replace(study.pipeline["one"], code=said)
        found = expand(replace(study, pipeline={"one": spec}), FileDigests())
        return found.nodes[0]["one"].code, found.library.find(spec.step).symbols.digest

    tracked, digest = code("track")
    assert tracked == digest
    assert code("ignore")[0] == "ignore"
    assert code("version:2")[0] == "version:2"
