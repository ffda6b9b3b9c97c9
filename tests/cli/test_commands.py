"""Every command as a user meets it: what it prints, what it writes, its exit code."""

from __future__ import annotations

import json
import shlex
import sys
from bdb import BdbQuit
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import typer.main

from commands import Etude, etude_in
from etude.cli.commands.init import make_project
from etude.cli.main import app
from etude.execute.run_events import Event, EventKind
from etude.study.execution import Execution


@pytest.fixture
def etude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Etude:
    """Runs a command in a fresh folder."""
    return etude_in(tmp_path, monkeypatch, capfd)


STEPS = """
from dataclasses import dataclass
from etude import step

@dataclass(frozen=True)
class Scores:
    accuracy: float

@step
def numbers(*, count: int) -> list[int]:
    print("counting to", count)
    return list(range(count))

@step
def score(numbers: list[int], *, rate: float) -> Scores:
    if rate > 5:
        raise ValueError(f"rate {rate} is too high")
    return Scores(rate * sum(numbers))
"""

STUDY = """
name: small
params: {rate: 1.0}
pipeline:
  data: {step: "cli_steps:numbers", with: {count: 4}}
  quality: {step: "cli_steps:score", from: data, with: {rate: "${rate}"}}
vary: {grid: {rate: [1.0, 2.0]}}
collect:
  table: {step: analysis.aggregate, from: records}
place: {backend: inline}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small study with steps of its own."""
    (tmp_path / "cli_steps.py").write_text(STEPS)
    (tmp_path / "etude.toml").touch()
    path = tmp_path / "small.yaml"
    path.write_text(STUDY)
    return path


def test_a_run_shows_its_table_and_says_where_the_files_are(etude: Etude, small: Path) -> None:
    said = etude("run", "small.yaml")
    assert said.code == 0
    assert "accuracy" in said.out
    assert str(small.parent / "results" / "small") in said.out
    written = {path.name for path in (small.parent / "results" / "small").iterdir()}
    assert {"records.parquet", "aggregated_metrics.csv", "detailed_statistics.json"} <= written


def test_a_second_run_does_nothing(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    said = etude("run", "small.yaml")
    assert said.code == 0
    assert "nothing to do" in said.out


def test_a_dry_run_writes_nothing(etude: Etude, small: Path) -> None:
    said = etude("run", "small.yaml", "--dry-run")
    assert said.code == 0
    assert "quality" in said.out
    assert not (small.parent / ".etude" / "store").exists()
    assert not (small.parent / "results").exists()


def test_a_plan_tells_what_is_cached_and_what_would_run(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml", "--until", "data")
    found = {node["label"]: node["state"] for node in json.loads(etude("plan", "small.yaml", "--json").out)["nodes"]}
    assert found["data"] == "cached"
    assert found["quality rate=1.0"] == "run"


def test_why_names_the_setting_that_changed(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    said = etude("plan", "small.yaml", "--set", "pipeline.data.with.count=5", "--why")
    assert "setting count: 4 → 5" in said.out


def test_why_names_the_symbol_that_changed(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    (small.parent / "cli_steps.py").write_text(STEPS.replace("rate * sum", "rate + sum"))
    assert "cli_steps:score changed" in etude("plan", "small.yaml", "--why").out


def test_only_the_variants_asked_for_run(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml", "--only-variant", "rate=2.0")
    states = {node["label"]: node["state"] for node in json.loads(etude("plan", "small.yaml", "--json").out)["nodes"]}
    assert (states["quality rate=1.0"], states["quality rate=2.0"]) == ("run", "cached")


def test_an_unknown_variant_tells_what_there_is(etude: Etude, small: Path) -> None:
    said = etude("run", "small.yaml", "--only-variant", "rate=3.0")
    assert said.code == 2
    assert "1.0" in said.err
    assert etude("run", "small.yaml", "--only-variant", "rat=1").err.count("rate") >= 1


def test_a_failing_node_is_told_with_its_line_and_how_to_run_it_alone(etude: Etude, small: Path) -> None:
    said = etude("run", "small.yaml", "--set", "vary.grid.rate=[1.0, 9.0]")
    assert said.code == 1
    assert "ValueError: rate 9.0 is too high" in said.err
    assert "cli_steps.py" in said.err
    assert "--until quality --only-variant rate=9.0" in said.err
    assert "failed" in said.out


def test_a_run_all_of_whose_points_fail_says_so_in_its_exit_code(etude: Etude, small: Path) -> None:
    said = etude("run", "small.yaml", "--set", "vary.grid.rate=[8.0, 9.0]")
    assert said.code == 1
    assert "0 computed" not in said.out, "what the points share was computed"
    assert "2 failed" in said.out
    assert etude("run", "small.yaml", "--set", "vary.grid.rate=[8.0, 9.0]").code == 1, "and the next time"


def test_what_a_failed_run_has_done_is_exported_all_the_same(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml", "--set", "vary.grid.rate=[1.0, 9.0]")
    lines = (small.parent / "results" / "small@vary.grid.rate=1.0+9.0" / "records.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["status"], row["quality.accuracy"]) for row in rows] == [("done", 6.0), ("incomplete", None)]


def test_the_records_are_shown(etude: Etude, small: Path) -> None:
    assert etude("show", "small.yaml").code == 1
    etude("run", "small.yaml")
    rows = json.loads(etude("show", "small.yaml", "--json").out)
    assert [(row["rate"], row["quality.accuracy"]) for row in rows] == [(1.0, 6.0), (2.0, 12.0)]
    assert all(row["quality.cost.wall_s"] > 0 for row in rows)
    assert "12" in etude("show", "small.yaml").out


def test_a_node_is_shown_with_its_value_its_cost_and_where_it_came_from(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    said = etude("show", "small.yaml", "quality", "--only-variant", "rate=2.0")
    for part in ("12", "cli_steps:score", "wall", "UTC"):
        assert part in said.out
    (found,) = json.loads(etude("show", "small.yaml", "quality", "--only-variant", "rate=2.0", "--json").out)
    assert found["state"] == "stored"


def test_accepting_a_code_change_adopts_the_old_results_and_the_record_says_so(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    (small.parent / "cli_steps.py").write_text(
        STEPS.replace("return Scores(rate * sum(numbers))", "total = sum(numbers)\n    return Scores(rate * total)")
    )
    said = etude("accept", "small.yaml", "quality", "--because", "named a value")
    assert said.code == 0
    assert etude("run", "small.yaml").code == 0
    rows = json.loads(etude("show", "small.yaml", "--json").out)
    assert [row["accepted"] for row in rows] == ["quality", "quality"]
    assert "named a value" in etude("show", "small.yaml", "quality").out


def test_more_than_code_cannot_be_accepted(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    said = etude("accept", "small.yaml", "data", "--set", "pipeline.data.with.count=9")
    assert said.code == 2
    assert "more than its code" in said.err


def test_a_damaged_result_is_set_aside_and_computed_again(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    (folder,) = [json.loads(etude("show", "small.yaml", "data", "--json").out)[0]["folder"]]
    manifest = Path(folder) / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace("3", "4"))
    said = etude("verify")
    assert (said.code, "1 damaged" in said.out) == (1, True)
    assert etude("verify").code == 0
    assert etude("run", "small.yaml").code == 0


def test_garbage_is_what_no_recorded_run_needs_and_on_demand_what_no_latest_does(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    small.write_text(small.read_text().replace("count: 4", "count: 9"))
    etude("run", "small.yaml")
    said = etude("gc", "--older-than", "0s")
    assert ": 0 results; kept 10" in said.out
    assert "5 of them for earlier runs alone" in said.out
    assert ": 0 results" in etude("gc", "--latest").out
    assert "would free" in etude("gc", "--latest", "--older-than", "0s", "--dry-run").out
    assert ": 5 results; kept 5" in etude("gc", "--latest", "--older-than", "0s").out
    assert "nothing to do" in etude("run", "small.yaml").out


def test_a_smoke_run_leaves_the_results_of_the_study_and_what_they_are_made_of(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    results = small.parent / "results" / "small"
    before = {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}
    said = etude("run", "small.yaml", "--set", "pipeline.data.with.count=1")
    assert "results/small@pipeline.data.with.count=1/" in said.out
    etude("run", "small.yaml", "--set", "rate=3.0")
    assert {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()} == before
    assert len((small.parent / "results" / "small@rate=3.0" / "records.jsonl").read_text().splitlines()) == 1
    etude("gc", "--older-than", "0s", "--latest")
    assert "nothing to do" in etude("run", "small.yaml").out
    assert "nothing to do" in etude("run", "small.yaml", "--set", "rate=3.0").out
    assert "freed" in etude("gc", "--older-than", "0s", "--only", "small@rate=3.0").out
    assert "nothing to do" not in etude("run", "small.yaml").out


def test_a_plan_of_a_smoke_run_says_what_differs_from_the_study(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    said = etude("plan", "small.yaml", "--why", "--set", "pipeline.data.with.count=1")
    assert "count" in said.out
    assert "4" in said.out


TABLED = """
import numpy as np
import pyarrow as pa
from etude import step

@step
def predicted(*, rate: float) -> pa.Table:
    return pa.table({"text": ["=1+1", "fine"], "p": [rate, float("nan")]})

@step
def odd(*, rate: float) -> dict[str, float | None]:
    return {"acc": float("inf"), "loss": float("nan"), "none": None}

@step
def arrays(*, rate: float) -> np.ndarray:
    return np.arange(3) * rate
"""


def test_predictions_can_be_had_as_json_csv_and_parquet(etude: Etude, small: Path) -> None:
    import csv

    import pyarrow.parquet as pq

    (small.parent / "cli_tabled.py").write_text(TABLED)
    settings = 'with: {rate: "${rate}"}'
    nodes = "".join(f'  {name}: {{step: "cli_tabled:{name}", {settings}}}\n' for name in ("predicted", "odd", "arrays"))
    small.write_text(small.read_text().replace("vary:", nodes + "vary:", 1))
    assert etude("run", "small.yaml").code == 0

    def strict(text: str) -> list[dict[str, object]]:
        return json.loads(text, parse_constant=lambda word: pytest.fail(word))  # type: ignore[no-any-return]

    shown = strict(etude("show", "small.yaml", "predicted", "--json").out)
    assert shown[1]["value"] == [{"text": "=1+1", "p": 2.0}, {"text": "fine", "p": "NaN"}]
    assert strict(etude("show", "small.yaml", "arrays", "--json").out)[1]["value"] == [0.0, 2.0, 4.0]
    assert strict(etude("show", "small.yaml", "odd", "--json").out)[0]["value"]["acc"] == "Infinity"  # type: ignore[index]
    record = strict(etude("show", "small.yaml", "--json").out)[0]
    assert (record["odd.acc"], record["odd.loss"], record["odd.none"]) == ("Infinity", "NaN", None)
    lines = (small.parent / "results" / "small" / "records.jsonl").read_text().splitlines()
    assert strict(lines[0])["odd.loss"] == "NaN"  # type: ignore[call-overload]
    etude("show", "small.yaml", "predicted", "--csv", "p.csv", "--parquet", "p.parquet")
    with (small.parent / "p.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:2] == [["rate", "text", "p"], ["1.0", "'=1+1", "1.0"]]
    assert pq.read_table(small.parent / "p.parquet").to_pylist()[2] == {"rate": 2.0, "text": "=1+1", "p": 2.0}
    assert etude("show", "small.yaml", "--csv", "r.csv").code == 0
    assert "no rows" in etude("show", "small.yaml", "arrays", "--csv", "a.csv").err


@pytest.fixture
def two(etude: Etude, tmp_path: Path) -> tuple[Path, Path]:
    """Two projects that share a store."""
    folders = tmp_path / "one", tmp_path / "two"
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "etude.toml").write_text("")
        (folder / "cli_steps.py").write_text(STEPS)
        text = STUDY.replace("{backend: inline}", "{backend: inline, store: ../shared}")
        (folder / "small.yaml").write_text(text.replace("count: 4", f"count: {4 + number}"))
    return folders


def test_garbage_collection_spares_what_another_project_keeps_in_the_same_store(
    etude: Etude, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in two:
        monkeypatch.chdir(folder)
        etude("run", "small.yaml")
    assert "10 sound" in etude("verify").out
    said = etude("gc", "--older-than", "0s", "--latest")
    assert ": 0 results; kept 10" in said.out
    assert "5 of them for other projects" in said.out
    monkeypatch.chdir(two[0])
    assert "nothing to do" in etude("run", "small.yaml").out


def test_what_a_vanished_project_needs_is_kept_until_it_is_told_to_go(
    etude: Etude, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in two:
        monkeypatch.chdir(folder)
        etude("run", "small.yaml")
    two[0].rename(two[0].with_name("elsewhere"))
    said = etude("gc", "--older-than", "0s")
    assert "one is not there any more; 5 results are kept for it" in " ".join(said.err.split())
    assert "kept 10" in said.out
    assert "/one" in etude("gc", "--older-than", "0s", "--forget", "../nowhere").err
    assert ": 5 results; kept 5" in etude("gc", "--older-than", "0s", "--forget", "../one").out
    assert "not there" not in etude("gc").err
    monkeypatch.chdir(two[0].with_name("elsewhere"))
    assert "nothing to do" not in etude("run", "small.yaml").out


def test_a_project_that_is_there_is_not_forgotten(
    etude: Etude, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in two:
        monkeypatch.chdir(folder)
        etude("run", "small.yaml")
    said = etude("gc", "--older-than", "0s", "--forget", "../one")
    assert (said.code, "that project is there" in said.err) == (2, True)


def test_watching_shows_the_latest_run_and_its_success(etude: Etude, small: Path) -> None:
    assert etude("watch").code == 2
    etude("run", "small.yaml")
    said = etude("watch", "small")
    assert said.code == 0
    assert "quality rate=2.0" in said.err
    etude("run", "small.yaml", "--set", "vary.grid.rate=[9.0]")
    assert etude("watch").code == 1


def test_the_schema_is_a_json_schema(etude: Etude) -> None:
    assert "pipeline" in json.loads(etude("schema").out)["properties"]


def test_the_doctor_names_what_is_there_and_how_to_get_the_rest(etude: Etude) -> None:
    findings = json.loads(etude("doctor", "--json").out)
    names = {finding["name"] for finding in findings}
    assert {"cores", "torch", "inline", "processes", "SLURM"} <= names
    assert all(finding["mend"] for finding in findings if finding["area"] == "versions" and not finding["there"])
    assert "cores" in etude("doctor").out


def test_a_new_project_works_at_once(etude: Etude, tmp_path: Path) -> None:
    assert etude("init", "mine").code == 0
    said = etude("run", "mine/study.yaml", "--on", "inline")
    assert said.code == 0, said.err
    assert "neighbours" in said.out


def test_a_project_is_never_made_over_files(etude: Etude, tmp_path: Path) -> None:
    make_project(tmp_path / "there")
    said = etude("init", "there")
    assert said.code == 2
    assert "not empty" in said.err


def test_all_faults_of_file_and_steps_are_told_at_once_and_nothing_is_written(etude: Etude, small: Path) -> None:
    small.write_text(
        STUDY.replace("count: 4", "cuont: 4")
        .replace("name: small", "name: small\nplaec: {}")
        .replace("from: data", "from: dta")
    )
    before = sorted(small.parent.rglob("*"))
    said = etude("run", "small.yaml")
    assert said.code == 2
    for part in ("small.yaml:", "'count'", "'place'", "'data'", "nothing was run"):
        assert part in said.err, said.err
    assert [path for path in sorted(small.parent.rglob("*")) if "__pycache__" not in str(path)] == [
        path for path in before if "__pycache__" not in str(path)
    ]


def test_a_missing_study_suggests_the_nearest(etude: Etude, small: Path) -> None:
    said = etude("run", "smal.yaml")
    assert said.code == 2
    assert "small.yaml" in said.err


def test_a_breakpoint_opens_with_the_value_at_hand(etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def hook() -> None:
        import sys

        seen.update(sys._getframe(1).f_locals)

    monkeypatch.setattr("sys.breakpointhook", hook)
    said = etude("run", "small.yaml", "--break-after", "data")
    assert said.code == 0
    assert seen["value"] == [0, 1, 2, 3]
    assert seen["settings"] == {"count": 4}
    assert etude("run", "small.yaml", "--break-before", "dta").code == 2


def test_a_variant_can_be_set_by_the_environment(etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small.write_text(STUDY + "env: {RATE: rate}\n")
    monkeypatch.setenv("RATE", "2.0")
    etude("run", "small.yaml")
    rows = json.loads(etude("show", "small.yaml", "--json").out)
    assert [row["rate"] for row in rows] == [2.0]


def test_a_store_of_a_newer_version_is_refused(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    (small.parent / ".etude" / "store" / "store.json").write_text('{"schema": 99}')
    said = etude("run", "small.yaml")
    assert said.code == 2
    assert "newer" in said.err


def test_a_store_that_is_a_file_is_refused(etude: Etude, small: Path) -> None:
    (small.parent / "taken").touch()
    said = etude("run", "small.yaml", "--set", "place.store=taken")
    assert said.code == 2
    assert "taken" in said.err


MARKUP = (
    STUDY.replace("{rate: 1.0}", "{rate: 1.0, tag: x}")
    .replace("with: {count: 4}", "with: {count: 4, tag: '${tag}'}")
    .replace("grid: {rate: [1.0, 2.0]}", "grid: {tag: ['[/bold]', '[red]', 'a b'], rate: [1.0, 9.0]}")
)


@pytest.fixture
def marked(small: Path) -> Path:
    """A study whose values look like markup, and half of whose nodes fail."""
    (small.parent / "cli_steps.py").write_text(STEPS.replace("count: int)", "count: int, tag: str)"))
    small.write_text(MARKUP)
    return small


def test_values_that_look_like_markup_are_shown_as_they_are(etude: Etude, marked: Path) -> None:
    said = etude("run", "small.yaml")
    assert said.code == 1
    assert '✓ data tag="[/bold]"' in said.err
    assert 'quality tag="[red]" rate=9.0' in said.err
    assert "[/bold]" in etude("show", "small.yaml").out
    assert "[/bold]" in etude("plan", "small.yaml", "--set", "rate=3.0", "--why").out


def test_the_command_for_a_failed_node_alone_can_be_pasted(etude: Etude, marked: Path) -> None:
    said = etude("run", "small.yaml", "--set", "tag=a b", "--set", "pipeline.data.with.count=3")
    (line,) = (line for line in said.err.splitlines() if "this alone:" in line)
    words = shlex.split(line.partition("this alone: etude ")[2])
    alone = etude(*words)
    assert "2 cached" not in alone.out, "the same data, with --set"
    assert "0 computed, 0 reused, 1 cached, 1 failed" in alone.out


def test_many_failures_are_counted_and_not_all_told_at_length(etude: Etude, small: Path) -> None:
    small.write_text(STUDY.replace("[1.0, 2.0]", str([float(rate) for rate in range(6, 18)])))
    said = etude("run", "small.yaml")
    assert said.err.count("Traceback") == 5
    assert "and 7 more failed: etude show" in said.err


def test_long_lines_of_a_traceback_are_not_cut(etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    said = etude("run", "small.yaml", "--set", "rate=6.0")
    assert '        raise ValueError(f"rate {rate} is too high")' in said.err.splitlines()


def test_a_stopped_run_says_what_became_of_every_node(
    etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etude.cli.commands.run.stopping_on_interrupt", stopped_after("data"))
    said = etude("run", "small.yaml")
    assert said.code == 130
    assert "1 computed, 0 reused, 0 cached, 4 not run" in said.out


def stopped_after(name: str) -> Callable[[Execution], AbstractContextManager[None]]:
    """In place of the signal handlers: a run that is asked to stop once a node is done."""

    @contextmanager
    def stopping(execution: Execution) -> Iterator[None]:
        tell = execution.tell

        def heard(event: Event) -> None:
            tell(event)
            if event.name == name and event.kind is EventKind.DONE:
                execution.interrupt()

        execution.tell = heard
        yield

    return stopping


def test_a_run_that_is_stopped_at_once_says_how_to_go_on(
    etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("etude.study.execution.Execution.run", interrupted)
    said = etude("run", "small.yaml")
    assert said.code == 130
    assert "run the same command again to go on" in said.err


def test_leaving_the_debugger_ends_the_run_and_fails_no_node(
    etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave() -> None:
        raise BdbQuit

    monkeypatch.setattr("sys.breakpointhook", leave)
    said = etude("run", "small.yaml", "--break-before", "quality")
    assert said.code == 130
    assert "failed" not in said.err + said.out


def test_what_a_step_prints_inline_and_what_the_run_says_are_kept_apart(etude: Etude, small: Path) -> None:
    (small.parent / "cli_steps.py").write_text(STEPS.replace('print("counting to", count)', CHATTY))
    said = etude("run", "small.yaml")
    assert "from the run itself" in said.err
    (log,) = (small.parent / ".etude" / "logs" / "small").glob("data-*.log")
    assert log.read_text() == "from the step\n"


CHATTY = """
    from etude.cli.console import err
    print("from the step")
    err().print("from the run itself")
"""


def test_the_place_of_a_result_is_shown_whole_however_narrow_the_terminal(
    etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etude("run", "small.yaml")
    monkeypatch.setenv("COLUMNS", "60")
    lines = etude("show", "small.yaml", "data").out.splitlines()
    folder = json.loads(etude("show", "small.yaml", "data", "--json").out)[0]["folder"]
    assert any(line.endswith(f" in {folder}") for line in lines)


def test_a_run_of_some_variants_leaves_the_tables_of_all_as_they_are(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    results = small.parent / "results" / "small"
    before = {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()}
    said = etude("run", "small.yaml", "--only-variant", "rate=1.0", "--rerun", "quality")
    assert said.code == 0
    assert "by a run of all variants" in said.out
    assert {path.name: path.read_bytes() for path in results.iterdir() if path.is_file()} == before


def test_garbage_collection_keeps_what_was_run_last_even_if_nothing_had_to_be_done(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    etude("run", "small.yaml", "--set", "pipeline.data.with.count=9")
    assert "nothing to do" in etude("run", "small.yaml").out
    etude("gc", "--older-than", "0s")
    assert "nothing to do" in etude("run", "small.yaml").out


def test_the_project_is_found_from_a_folder_inside_it(
    etude: Etude, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etude("run", "small.yaml")
    (small.parent / "inner").mkdir()
    monkeypatch.chdir(small.parent / "inner")
    assert "5 sound" in etude("verify").out
    assert "kept 5" in etude("gc").out


def test_a_study_of_the_same_name_in_another_file_is_told(etude: Etude, small: Path) -> None:
    other = small.with_name("other.yaml")
    other.write_text(STUDY)
    assert "same name" not in etude("run", "small.yaml").err
    assert f"{small} is a study of the same name, small" in etude("run", "other.yaml").err
    other.unlink()
    assert "same name" not in etude("run", "small.yaml").err


def test_another_way_to_track_code_is_a_reason_of_its_own(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    said = etude("plan", "small.yaml", "--why", "--set", "pipeline.quality.code=version:2")
    assert "code tracking: track → version:2" in said.out


def test_a_pinned_package_that_is_not_installed_is_a_fault(etude: Etude, small: Path) -> None:
    said = etude("plan", "small.yaml", "--set", "pipeline.quality.pin=[nunpy]")
    assert said.code == 2
    assert "no distribution 'nunpy' is installed" in said.err


def test_what_can_never_run_here_is_told_with_what_to_lower(etude: Etude, small: Path) -> None:
    said = etude("run", "small.yaml", "--set", "pipeline.data.on.memory=9000TB", "--on", "processes")
    assert said.code == 2
    assert "--set pipeline.data.on." in said.err
    assert "gpus" not in said.err


def test_a_store_whose_marker_was_deleted_is_still_one(etude: Etude, small: Path) -> None:
    etude("run", "small.yaml")
    (small.parent / ".etude" / "store" / "store.json").unlink()
    assert "nothing to do" in etude("run", "small.yaml").out
    assert etude("run", "small.yaml", "--rerun", "data").code == 0
    assert "5 sound" in etude("verify").out


def test_a_failed_node_is_shown_with_its_traceback_and_its_log(etude: Etude, small: Path) -> None:
    (small.parent / "cli_steps.py").write_text(
        STEPS.replace("    if rate > 5:", "    print('rate', rate)\n    if rate > 5:")
    )
    etude("run", "small.yaml", "--set", "rate=6.0")
    said = etude("show", "small.yaml", "quality", "--set", "rate=6.0")
    assert said.code == 1
    assert 'raise ValueError(f"rate {rate} is too high")' in said.out
    (line,) = (line for line in said.out.splitlines() if "printed:" in line)
    assert Path(line.partition("printed: ")[2]).read_text() == "rate 6.0\n"
    (told,) = json.loads(etude("show", "small.yaml", "quality", "--set", "rate=6.0", "--json").out)
    assert told["failure"]["error"] == "ValueError: rate 6.0 is too high"


def test_runs_of_some_variants_side_by_side_both_stay_in_the_history(etude: Etude, small: Path) -> None:
    history = small.parent / ".etude" / "studies" / "small.json"
    etude("run", "small.yaml", "--only-variant", "rate=1.0")
    alone = history.read_text()
    history.unlink()
    (small.parent / "cli_steps.py").write_text(STEPS.replace("    if rate > 5:", HANDED_OVER + "    if rate > 5:"))
    small.with_name("handed.json").write_text(alone)
    etude("run", "small.yaml", "--only-variant", "rate=2.0")
    assert {"quality rate=1.0", "quality rate=2.0"} <= json.loads(history.read_text())["results"].keys()


HANDED_OVER = """
    from pathlib import Path
    here = Path(__file__).parent
    (here / ".etude/studies/small.json").write_text((here / "handed.json").read_text())
"""


def test_a_plan_tells_what_cannot_be_seen_through(etude: Etude, small: Path) -> None:
    assert "unseen" not in etude("plan", "small.yaml").out
    (small.parent / "cli_steps.py").write_text(
        STEPS.replace("    if rate > 5:", "    import os; os.getenv('RATE')\n    if rate > 5:")
    )
    assert "unseen cli_steps, line 16, in score: reads the environment" in etude("plan", "small.yaml").out
    assert "reads the environment" in json.loads(etude("plan", "small.yaml", "--json").out)["unseen"][0]


COMMANDS = {
    f"{name} {inner}".strip(): found
    for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    for inner, found in (getattr(command, "commands", None) or {"": command}).items()
}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_every_command_shows_an_example(etude: Etude, command: str) -> None:
    said = etude(*command.split(), "--help")
    assert said.code == 0
    assert f"etude {command}" in said.out.split("Example", 1)[1]


def test_any_command_can_be_measured_and_keeps_its_exit_code(etude: Etude) -> None:
    said = etude("meter", "--json", "--", sys.executable, "-c", "print('out'); raise SystemExit(3)")
    assert (said.code, said.out) == (3, "out\n")
    cost = json.loads(said.err)
    assert cost["wall_s"] > 0
    assert cost["carbon"]["grams"] is None
    said = etude("meter", "--g-per-kwh", "100", "--", sys.executable, "-c", "sum(range(10**6))")
    for word in ("wall", "CPU", "memory", "carbon"):
        assert word in said.err


def test_a_commands_record_goes_to_a_file_of_its_own(etude: Etude, tmp_path: Path) -> None:
    file = tmp_path / "cost.json"
    said = etude(
        "meter", "--output", file, "--json", "--", sys.executable, "-c", "import sys; print('x', file=sys.stderr)"
    )
    assert (said.code, said.err) == (0, "x\n")
    assert json.loads(file.read_text())["carbon"]["grams"] is None
    said = etude("meter", "--output", file, "--", sys.executable, "-c", "")
    assert "carbon" in said.err


def test_a_file_that_cannot_be_written_is_told_before_the_command_runs(etude: Etude, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    said = etude("meter", "--output", tmp_path / "no" / "cost.json", "--", "touch", ran)
    assert said.code == 2
    assert "cost.json: cannot be written" in said.err
    assert not ran.exists()


def test_what_is_read_beside_is_marked_and_carbon_says_of_what(etude: Etude) -> None:
    said = etude("meter", "--g-per-kwh", "100", "--beside", "cpu-time", "--", sys.executable, "-c", "sum(range(10**6))")
    assert "g CO₂eq" in said.err


def test_a_command_that_cannot_be_run_is_told(etude: Etude) -> None:
    said = etude("meter", "--", "no-such-program-anywhere")
    assert said.code == 2
    assert "no-such-program-anywhere" in said.err


def test_the_doctor_tells_which_meter_serves_and_why_others_do_not(etude: Etude) -> None:
    findings = json.loads(etude("doctor", "energy", "--json").out)
    assert {"cpu", "gpu"} <= {finding["component"] for finding in findings}
    assert all(finding["state"] == "serving" or finding["detail"] for finding in findings)
    assert "cpu" in etude("doctor", "energy").out
    assert etude("doctor", "enrgy").code == 2


ROOF = {
    "gemm_flops_per_s": 2e12,
    "gemm_median_flops_per_s": 1e12,
    "copy_bytes_per_s": 5e10,
    "copy_median_bytes_per_s": 4e10,
    "gemm_size": 2048,
    "copy_bytes": 2**28,
    "measured_utc": "2026-01-01T00:00:00+00:00",
}


def test_the_doctor_tells_the_roof_that_a_file_has(etude: Etude, tmp_path: Path) -> None:
    from etude.flops.roof import _place

    file = tmp_path / "roofs.json"
    file.write_text(json.dumps([{**ROOF, **_place("cpu", "float32")}]))
    told = etude("doctor", "roof", "--roofs", str(file)).out
    assert "2 TFLOP/s" in told
    assert "40 FLOP/B" in told
    assert json.loads(etude("doctor", "roof", "--roofs", str(file), "--json").out)["copy_bytes_per_s"] == 5e10


def test_a_device_that_is_not_there_has_no_roof(etude: Etude, tmp_path: Path) -> None:
    told = etude("doctor", "roof", "--device", "xpu:7", "--roofs", str(tmp_path / "roofs.json"))
    assert told.code != 0
    assert "xpu:7" in told.err


def test_a_quick_run_has_results_of_its_own(etude: Etude, small: Path) -> None:
    small.write_text(STUDY + "profiles: {quick: {pipeline: {data: {with: {count: 2}}}}}\n")
    assert etude("run", "small.yaml").code == 0
    table = small.parent / "results" / "small" / "records.jsonl"
    before = table.read_bytes()
    assert etude("run", "small.yaml", "--quick").code == 0
    assert table.read_bytes() == before
    assert (small.parent / "results" / "small@quick" / "records.jsonl").read_bytes() != before
    assert etude("run", "small.yaml", "--quick", "--profile", "other").code == 2


def test_a_quick_run_without_such_a_profile_says_how_to_write_one(etude: Etude, small: Path) -> None:
    told = etude("plan", "small.yaml", "--quick")
    assert told.code == 2
    assert "profiles: {quick:" in told.err
