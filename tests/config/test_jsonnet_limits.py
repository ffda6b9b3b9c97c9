"""Jsonnet programs that end the engine itself are told as errors of their file; the reader goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etude.config.jsonnet_process import JsonnetCrash, JsonnetError, JsonnetProcess
from study_files import Read


def nothing(folder: str, name: str) -> tuple[str, str]:
    raise AssertionError((folder, name))


HOSTILE = {
    "a tail call without end": ("local f(n) = f(n + 1) tailstrict; {a: f(0)}", "recurses too deeply"),
    "signs": ("{a: " + "-" * 100_000 + "1}", "nests"),
    "conditions": ("{a: " + "if true then " * 50_000 + "1}", "nests"),
    "locals": ("{a: " + "local x = 1; " * 50_000 + "1}", "nests"),
    "functions": ("{a: " + "function(x) " * 50_000 + "1}", "nests"),
    "a sum": ("{a: " + "+".join(["1"] * 200_000) + "}", "nests"),
    "a text without end": ("{a: std.repeat('x', 10000000000)}", "memory"),
    "a list without end": ("{a: std.makeArray(1000000000, function(i) i)}", "memory"),
    "doubling": ("local f(s, n) = if n == 0 then s else f(s + s, n - 1) tailstrict; {a: f('x', 40)}", "memory"),
    "a long reckoning": ("local f(n) = if n == 0 then 0 else f(n - 1) + f(n - 1); {a: f(60)}", "1 s of computing"),
}


@pytest.mark.parametrize(("program", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_program_that_ends_the_engine_is_an_error_with_its_cause(program: str, said: str) -> None:
    engine = JsonnetProcess(memory_bytes=512 * 2**20, cpu_s=1)
    with pytest.raises(JsonnetCrash) as caught:
        engine.evaluate(program, nothing)
    assert said in caught.value.reason
    assert caught.value.mend
    assert json.loads(engine.evaluate("{a: 1}", nothing)) == {"a": 1}


def test_a_study_that_ends_the_engine_is_told_with_its_file(read: Read, tmp_path: Path) -> None:
    reading = read("{params: {a: " + "!" * 100_000 + "true}}", "s.jsonnet")
    (fault,) = reading.faults
    assert reading.study is None
    assert fault.file == str(tmp_path / "s.jsonnet")
    assert "stack of the Jsonnet engine" in fault.reason


def test_what_the_engine_itself_finds_wrong_keeps_its_words_and_ends_nothing() -> None:
    engine = JsonnetProcess()
    with pytest.raises(JsonnetError, match="boom"):
        engine.evaluate("error 'boom'", nothing)
    assert json.loads(engine.evaluate("1 + 1", nothing)) == 2


def test_what_an_import_raises_is_raised_and_ends_nothing() -> None:
    def refused(folder: str, name: str) -> tuple[str, str]:
        raise FileNotFoundError(name)

    engine = JsonnetProcess()
    with pytest.raises(FileNotFoundError, match=r"x\.jsonnet"):
        engine.evaluate("import 'x.jsonnet'", refused)
    assert json.loads(engine.evaluate("import 'y'", lambda _, name: (name, "[3]"))) == [3]


def test_text_of_any_alphabet_goes_there_and_back() -> None:
    assert json.loads(JsonnetProcess().evaluate(json.dumps({"ä": "日本 \u2028 \U0001f600"}), nothing)) == {
        "ä": "日本 \u2028 \U0001f600"
    }
