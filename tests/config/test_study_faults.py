"""Every fault of a study: its path, its value, what mends it, and all of them together."""

from __future__ import annotations

import pytest

from study_files import FaultAt, Read

STUDY = """
name: heads
params: {pooling: mean, seed: 0, model: {width: 8}}
env: {POOL: pooling}
pipeline:
  raw: {step: text.load}
  splits: {step: text.split, from: raw}
  model: {step: text.train, from: splits.train, with: {seed: "${seed}"}, on: {gpus: 1}}
vary:
  grid: {pooling: [mean, max]}
  repeat: {seed: [0, 1]}
collect:
  table: {step: a.b, from: records}
place: {workers: 2}
"""

# what is replaced, by what, path of the fault, its value, a part of its mend
CASES = [
    # the study
    ("name: heads", "name: my study", "name", "my study", "spaces"),
    ("name: heads", "name: ../up", "name", "../up", "slashes"),
    ("name: heads", "name: .hidden", "name", ".hidden", ""),
    ("name: heads", "name: -x", "name", "-x", ""),
    ("name: heads", "name: 3", "name", 3, "quotes"),
    ("name: heads", f"name: {'x' * 101}", "name", "x" * 101, ""),
    ("name: heads", "nmae: heads", "nmae", "heads", "'name'"),
    ("name: heads", "description: [x]", "description", ["x"], ""),
    ("name: heads", "experiment_name: x", "experiment_name", "x", "write name"),
    ("name: heads", "search: {trials: 3}", "search", {"trials": 3}, "write vary: {search: …}"),
    ("{workers: 2}", "{workers:2}", "place.workers:2", None, "space after the colon"),
    ("place: {workers: 2}", "place: inline", "place", "inline", "backend, workers"),
    # params
    ("seed: 0,", "2nd: 0, seed: 0,", "params.2nd", "2nd", "_2nd"),
    ("seed: 0,", "a-b: 0, seed: 0,", "params.a-b", "a-b", "a_b"),
    ("seed: 0,", "seed: 0, place: 1,", "params.place", None, "otherwise"),
    ("seed: 0,", "seed: 0, status: 1,", "params.status", None, "otherwise"),
    ("seed: 0,", "seed: 0, a: '${seed}',", "params.a", "${seed}", "Jsonnet"),
    ("seed: 0,", "seed: 0, a: {b: [.nan]},", "params.a.b.0", None, "null"),
    ("{pooling: mean, seed: 0, model: {width: 8}}", "[pooling]", "params", ["pooling"], ""),
    # env
    ("POOL: pooling", "POOL: poolin", "env.POOL", "poolin", "'pooling'"),
    ("POOL: pooling", "PO-OL: pooling", "env.PO-OL", "PO-OL", "PO_OL"),
    ("POOL: pooling", "POOL: 3", "env.POOL", 3, "quotes"),
    ("POOL: pooling", "POOL: {sets: poolin}", "env.POOL.sets", "poolin", "'pooling'"),
    ("POOL: pooling", "POOL: {one_of: [mean]}", "env.POOL", None, "sets: PARAM"),
    ("POOL: pooling", "POOL: {sets: pooling, secret: true}", "env.POOL", None, "take away"),
    ("POOL: pooling", "POOL: {sets: pooling, oneof: [mean]}", "env.POOL.oneof", ["mean"], "'one_of'"),
    # nodes
    ("raw: {step: text.load}", "raw:", "pipeline.raw", None, "step, from"),
    ("raw: {step: text.load}", "raw: text.load", "pipeline.raw", "text.load", "step, from"),
    ("raw: {step: text.load}", "raw: {}", "pipeline.raw.step", None, "room.function"),
    ("raw: {step: text.load}", "raw: {step: [text.load]}", "pipeline.raw.step", ["text.load"], ""),
    ("raw: {step: text.load}", "raw: {step: 'text load'}", "pipeline.raw.step", "text load", ""),
    ("raw: {step: text.load}", "raw: {step: text.load, wiht: {a: 1}}", "pipeline.raw.wiht", {"a": 1}, "'with'"),
    ("raw: {step: text.load}", "raw: {step: text.load, setup_kwargs: {}}", "pipeline.raw.setup_kwargs", {}, "with"),
    (
        "raw: {step: text.load}",
        "raw: {step: text.load, regenerate: true}",
        "pipeline.raw.regenerate",
        True,
        "leave it out",
    ),
    ("raw: {step: text.load}", "raw: {step: text.load}\n  a-b: {step: x.y}", "pipeline.a-b", "a-b", "a_b"),
    (
        "raw: {step: text.load}",
        "raw: {step: text.load}\n  records: {step: x.y}",
        "pipeline.records",
        None,
        "another name",
    ),
    ("raw: {step: text.load}", "raw: {step: text.load}\n  table: {step: x.y}", "collect.table", None, "another name"),
    # from
    ("from: raw", "from: rwa", "pipeline.splits.from", "rwa", "'raw'"),
    ("from: raw", "from: splits", "pipeline.splits.from", "splits", "another node"),
    ("from: raw", "from: splits.train", "pipeline.splits.from", "splits.train", "another node"),
    ("from: raw", "from: raw.a.b", "pipeline.splits.from", "raw.a.b", ""),
    ("from: raw", "from: 'raw[0]'", "pipeline.splits.from", "raw[0]", ""),
    ("from: raw", "from: 'raw '", "pipeline.splits.from", "raw ", ""),
    ("from: raw", "from: '@/raw'", "pipeline.splits.from", "@/raw", ""),
    ("from: raw", "from: 3", "pipeline.splits.from", 3, ""),
    ("from: raw", "from: []", "pipeline.splits.from", None, "1 or more"),
    ("from: raw", "from: [raw, rwa]", "pipeline.splits.from.1", "rwa", "'raw'"),
    ("from: raw", "from: {a: raw, b: [raw, rwa]}", "pipeline.splits.from.b.1", "rwa", "'raw'"),
    ("from: raw", "from: {a: {b: raw}}", "pipeline.splits.from.a", {"b": "raw"}, ""),
    ("from: raw", "from: {a b: raw}", "pipeline.splits.from.a b", "a b", "a_b"),
    ("from: raw", "from: 'raw[*]'", "pipeline.splits.from", "raw[*]", "to collect"),
    ("from: raw", "from: '@other/raw[*]'", "pipeline.splits.from", "@other/raw[*]", "to collect"),
    ("from: raw", "from: records", "pipeline.splits.from", "records", "to collect"),
    ("from: raw", "from: table", "pipeline.splits.from", "table", "to collect"),
    ("from: records", "from: 'modle[*]'", "collect.table.from", "modle[*]", "'model'"),
    ("from: records", "from: 'table'", "collect.table.from", "table", "another node"),
    ("from: records", "from: 'records[*]'", "collect.table.from", "records[*]", "write records"),
    (
        "from: records}",
        "from: records}\n  votes: {step: a.b, from: 'table[*]'}",
        "collect.votes.from",
        "table[*]",
        "leave out",
    ),
    # with
    ("${seed}", "${sede}", "pipeline.model.with.seed", "${sede}", "'seed'"),
    ("${seed}", "a ${model.widht} b", "pipeline.model.with.seed", "a ${model.widht} b", "'width'"),
    ("${seed}", "${seed", "pipeline.model.with.seed", "${seed", "close it"),
    ('{seed: "${seed}"}', "{a: [{b: '${x}'}]}", "pipeline.model.with.a.0.b", "${x}", "known:"),
    ('{seed: "${seed}"}', "{a: {'${seed}': 1}}", "pipeline.model.with.a.${seed}", None, "values alone"),
    ('{seed: "${seed}"}', "{a b: 1}", "pipeline.model.with.a b", "a b", "a_b"),
    ('{seed: "${seed}"}', "[seed]", "pipeline.model.with", ["seed"], ""),
    ("from: records", "from: records, with: {s: '${seed}'}", "collect.table.with.s", "${seed}", "records"),
    # on, pin, code
    ("on: {gpus: 1}", "on: {gpus: -1}", "pipeline.model.on.gpus", -1, ""),
    ("on: {gpus: 1}", "on: {gpus: '1'}", "pipeline.model.on.gpus", "1", "without quotes"),
    ("on: {gpus: 1}", "on: {gpus: true}", "pipeline.model.on.gpus", True, ""),
    ("on: {gpus: 1}", "on: {gpus: 1.5}", "pipeline.model.on.gpus", 1.5, ""),
    ("on: {gpus: 1}", "on: {cpus: 0}", "pipeline.model.on.cpus", 0, ""),
    ("on: {gpus: 1}", "on: {memory: 4GX}", "pipeline.model.on.memory", "4GX", ""),
    ("on: {gpus: 1}", "on: {memory: 0}", "pipeline.model.on.memory", 0, ""),
    ("on: {gpus: 1}", "on: {memory: .inf}", "pipeline.model.on.memory", float("inf"), ""),
    ("on: {gpus: 1}", "on: {walltime: 2 weeks}", "pipeline.model.on.walltime", "2 weeks", ""),
    ("on: {gpus: 1}", "on: {walltime: -5}", "pipeline.model.on.walltime", -5, ""),
    ("on: {gpus: 1}", "on: {walltime: true}", "pipeline.model.on.walltime", True, ""),
    ("on: {gpus: 1}", "on: {login: yes}", "pipeline.model.on.login", "yes", "write true or false"),
    ("on: {gpus: 1}", "on: lgoin", "pipeline.model.on", "lgoin", "'login'"),
    ("on: {gpus: 1}", "on: {gpu: 1}", "pipeline.model.on.gpu", 1, "'gpus'"),
    ("on: {gpus: 1}", "on: {gpus: '${seed}'}", "pipeline.model.on.gpus", "${seed}", ""),
    ("on: {gpus: 1}", "pin: torch", "pipeline.model.pin", "torch", "[torch]"),
    ("on: {gpus: 1}", "pin: [3]", "pipeline.model.pin.0", 3, ""),
    ("on: {gpus: 1}", "code: v2", "pipeline.model.code", "v2", ""),
    ("on: {gpus: 1}", "code: 'version:'", "pipeline.model.code", "version:", ""),
    # vary
    ("grid: {pooling: [mean, max]}", "grid: {pooling: mean}", "vary.grid.pooling", "mean", "[mean]"),
    ("grid: {pooling: [mean, max]}", "grid: {pooling: []}", "vary.grid.pooling", None, "1 or more"),
    ("grid: {pooling: [mean, max]}", "grid: {pooling: [a, b, a]}", "vary.grid.pooling.2", "a", "keep one"),
    ("grid: {pooling: [mean, max]}", "grid: {pooling: [1, 1.0]}", "vary.grid.pooling.1", 1.0, "keep one"),
    ("grid: {pooling: [mean, max]}", "grid: {poolin: [1]}", "vary.grid.poolin", None, "'pooling'"),
    ("grid: {pooling: [mean, max]}", "grid: {model.width: [1]}", "vary.grid.model.width", None, "whole of 'model'"),
    ("grid: {pooling: [mean, max]}", "grid: {pooling: [.nan]}", "vary.grid.pooling.0", None, "null"),
    ("grid: {pooling: [mean, max]}", "grid: {pooling: ['${seed}']}", "vary.grid.pooling.0", "${seed}", "settings"),
    ("grid: {pooling: [mean, max]}", "grid: {seed: [1]}", "vary.repeat.seed", None, "keep one"),
    ("grid: {pooling: [mean, max]}", "grd: {pooling: [1]}", "vary.grd", {"pooling": [1]}, "'grid'"),
    (
        "grid: {pooling: [mean, max]}",
        "search: {space: {pooling: {choice: [mean, max]}}, objective: model.accuracy, trials: 3, sampler: rendom}",
        "vary.search.sampler",
        "rendom",
        "'random'",
    ),
    ("grid: {pooling: [mean, max]}", "list: {pooling: 1}", "vary.list", {"pooling": 1}, ""),
    ("grid: {pooling: [mean, max]}", "list: []", "vary.list", None, "1 or more"),
    ("grid: {pooling: [mean, max]}", "list: [3]", "vary.list.0", 3, ""),
    ("grid: {pooling: [mean, max]}", "list: [{}]", "vary.list.0", None, "{param: value}"),
    ("grid: {pooling: [mean, max]}", "list: [{pooling: 1}, {model: 1}]", "vary.list.1", {"model": 1}, "each point"),
    ("grid: {pooling: [mean, max]}", "list: [{pooling: 1}, {pooling: 1}]", "vary.list.1", {"pooling": 1}, "keep one"),
    ("grid: {pooling: [mean, max]}", "list: [{poolin: 1}]", "vary.list.0.poolin", None, "'pooling'"),
    (
        "grid: {pooling: [mean, max]}",
        "grid: {pooling: [1]}\n  list: [{pooling: 2}]",
        "vary.grid.pooling",
        None,
        "keep one",
    ),
    ("grid: {pooling: [mean, max]}", "list: [{seed: 2}]", "vary.repeat.seed", None, "keep one"),
    ("repeat: {seed: [0, 1]}", "repeat: {seed: [0, 1], model: [1, 2]}", "vary.repeat", ["seed", "model"], "vary.grid"),
    ("repeat: {seed: [0, 1]}", "repeat: {seed: 3}", "vary.repeat.seed", 3, "[3]"),
    ("repeat: {seed: [0, 1]}", "seeds: [0, 1]", "vary.seeds", [0, 1], "repeat: {seed"),
    ("repeat: {seed: [0, 1]}", "top: {of: x, by: y}", "vary.top.k", None, "add k"),
    ("repeat: {seed: [0, 1]}", "top: {of: x, by: y, k: 0}", "vary.top.k", 0, ""),
    ("repeat: {seed: [0, 1]}", "top: {of: x, by: y, k: 1, direction: max}", "vary.top.direction", "max", "maximize"),
    # place
    ("workers: 2", "workers: 0", "place.workers", 0, ""),
    ("workers: 2", "workers: -2", "place.workers", -2, ""),
    ("workers: 2", "backend: proceses", "place.backend", "proceses", "'processes'"),
    ("workers: 2", "retries: -1", "place.retries", -1, ""),
    ("workers: 2", "gpus: two", "place.gpus", "two", ""),
    ("workers: 2", "memory: lots", "place.memory", "lots", ""),
    ("workers: 2", "store: 3", "place.store", 3, "quotes"),
]


@pytest.mark.parametrize(
    ("old", "new", "path", "value", "mend"), CASES, ids=[f"{case[2]}={case[3]!r:.20}" for case in CASES]
)
def test_a_fault_is_told_once_with_path_value_line_and_mend(read: Read, old, new, path, value, mend) -> None:
    assert STUDY.count(old) == 1, "the case must change one place"
    reading = read(STUDY.replace(old, new))
    (fault,) = reading.faults
    assert (fault.path, fault.value) == (path, value)
    assert type(fault.value) is type(value)
    assert mend in fault.mend
    written = STUDY.replace(old, new).splitlines()
    assert fault.line is not None
    assert (
        path.rpartition(".")[2].split(".")[-1] in written[fault.line - 1]
        or path.split(".")[-2] in written[fault.line - 1]
    )
    assert reading.study is not None


def test_the_study_itself_has_no_fault(read: Read) -> None:
    assert read(STUDY).faults == ()


def test_all_faults_are_told_together_in_the_order_of_the_file(read: Read) -> None:
    changes = [case for case in CASES if case[0] in ("name: heads", "from: raw", "workers: 2", "${seed}")]
    chosen = {
        case[0]: case
        for case in changes
        if case[2] in ("nmae", "pipeline.splits.from", "place.workers", "pipeline.model.with.seed")
    }
    text = STUDY
    for old, new, *_ in chosen.values():
        text = text.replace(old, new)
    reading = read(text)
    assert sorted(fault.path for fault in reading.faults) == sorted(case[2] for case in chosen.values())
    assert len(chosen) == 4
    lines = [fault.line for fault in reading.faults]
    assert lines == sorted(lines)


def test_the_valid_parts_are_still_a_study(read: Read) -> None:
    text = STUDY.replace("from: raw", "from: {a: raw, b: 'x y'}").replace("workers: 2", "workers: 0, retries: 5")
    study = read(text.replace("grid: {pooling: [mean, max]}", "grid: {pooling: [mean], poolin: 3}")).study
    assert list(study.pipeline["splits"].sources) == ["a"]
    assert (study.place.workers, study.place.retries) == (None, 5)
    assert study.vary.grid == {"pooling": ("mean",)}


def test_a_node_that_cannot_be_read_is_still_known_by_its_name(read: Read) -> None:
    reading = read(STUDY.replace("raw: {step: text.load}", "raw: 3"))
    assert [fault.path for fault in reading.faults] == ["pipeline.raw"]
    assert reading.study.pipeline["raw"].step == ""


@pytest.mark.parametrize("text", ["params: {a: 1}", "pipeline:", "pipeline: {}"])
def test_a_study_without_a_pipeline_is_told(fault_at: FaultAt, text: str) -> None:
    assert "step" in fault_at(text, "pipeline").mend


def test_a_file_whose_name_makes_no_folder_needs_a_name(fault_at: FaultAt) -> None:
    text = "pipeline: {n: {step: a.b}}"
    assert fault_at(text, "name", "my study.yaml").value == "my study"


def test_faults_that_only_the_tree_shows_keep_their_lines_in_json(fault_at: FaultAt) -> None:
    text = '{\n"pipeline": {\n"n": {"step": "a.b",\n"from": "m"}}}'
    assert fault_at(text, "pipeline.n.from", "s.json").line == 4


def test_a_message_names_file_line_path_value_and_mend(read: Read, tmp_path) -> None:
    (fault,) = read(STUDY.replace("from: raw", "from: rwa")).faults
    place = f"{tmp_path}/study.yaml:7: pipeline.splits.from"
    assert str(fault) == f"{place}: no node is called 'rwa' (got 'rwa')\n    Mend: did you mean 'raw'?"


def test_null_in_place_of_a_key_is_as_good_as_nothing(read: Read) -> None:
    keys = ("name", "description", "params", "vary", "collect", "place", "profiles", "env", "extends")
    node = "pipeline:\n  n:\n    step: a.b\n    from:\n    with:\n    on:\n    pin:\n    code:\n"
    text = node + "".join(f"{key}:\n" for key in keys)
    reading = read(text)
    assert reading.faults == ()
    assert reading.study.name == "study"


@pytest.mark.parametrize(
    ("groups", "path", "reason", "mend"),
    [
        ("{inputs: [rwa]}", "groups.inputs.0", "no node is called 'rwa'", "did you mean 'raw'?"),
        ("{raw: [splits]}", "groups.raw", "is a node as well", "another name"),
        ("{inputs: raw}", "groups.inputs", "expected a list", "write [raw]"),
        ("{inputs: []}", "groups.inputs", "is empty", "remove it"),
        ("{a-b: [raw]}", "groups.a-b", "expected a group's name", "write a_b"),
    ],
)
def test_a_group_names_nodes_that_there_are(fault_at: FaultAt, groups: str, path: str, reason: str, mend: str) -> None:
    text = f"pipeline: {{raw: {{step: a.b}}, splits: {{step: a.b, from: raw}}}}\ngroups: {groups}\n"
    fault = fault_at(text, path)
    assert reason in fault.reason
    assert mend in fault.mend
