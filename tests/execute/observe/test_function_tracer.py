"""Which functions a step enters is seen at a bounded cost."""

from __future__ import annotations

import sys
import time
from types import CodeType

import pytest

from etude.execute.observe import function_tracer
from etude.execute.observe.function_tracer import FunctionTracer


def first() -> int:
    return second()


def second() -> int:
    return 1


def late() -> int:
    return 2


def seen(watch: FunctionTracer, until_s: float = 0.0) -> set[str]:
    watch.start()
    first()
    began = time.perf_counter()
    while time.perf_counter() - began < until_s:
        second()
    late()
    return {code.co_name for code in watch.stop() if isinstance(code, CodeType)}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_tracer, "_spent_s", {})
    monkeypatch.setattr(function_tracer, "_ran_s", {})


def test_the_functions_of_the_first_call_of_a_code_are_seen_and_those_of_the_next_are_not() -> None:
    assert {"first", "second", "late"} <= seen(FunctionTracer("code", opaque=False))
    assert seen(FunctionTracer("code", opaque=False)) == set()
    assert {"first", "second", "late"} <= seen(FunctionTracer("other code", opaque=False))


def test_code_that_hides_something_is_looked_at_again_as_long_as_it_costs_little() -> None:
    for _ in range(3):
        assert {"first", "second", "late"} <= seen(FunctionTracer("code", opaque=True))
    function_tracer._spent_s["code"] = 1.0
    assert not function_tracer.may_look("code", opaque=True)
    function_tracer._ran_s["code"] = 200.0
    assert function_tracer.may_look("code", opaque=True)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="sys.monitoring tells each function once, so it has no end")
def test_counting_ends_when_it_costs_too_much() -> None:
    """Of code that does nothing but call functions: what it has entered by then is seen, what comes later is not."""
    found = seen(FunctionTracer("code", opaque=False), until_s=6 * function_tracer.FIRST_LOOK_S)
    assert {"first", "second"} <= found
    assert "late" not in found
    assert sys.getprofile() is None
    assert function_tracer._spent_s["code"] < 1.0


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_functions_of_other_threads_are_seen_and_nothing_is_left_behind() -> None:
    import threading

    watch = FunctionTracer("code", opaque=False)
    watch.start()
    thread = threading.Thread(target=first)
    thread.start()
    thread.join()
    assert {"first", "second"} <= {code.co_name for code in watch.stop()}
    assert sys.monitoring.get_tool(4) is None  # type: ignore[attr-defined]


def test_a_profiler_of_the_steps_own_is_left_alone() -> None:
    import cProfile

    profiler = cProfile.Profile()
    profiler.enable()
    watch = FunctionTracer("code", opaque=False)
    watch.start()
    first()
    watch.stop()
    profiler.disable()
    assert any(getattr(entry.code, "co_name", "") == "first" for entry in profiler.getstats())
