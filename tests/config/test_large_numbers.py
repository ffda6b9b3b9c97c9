"""Numbers of hundreds of digits, wherever a study file takes a number: a fault with its place, never a traceback."""

from __future__ import annotations

import pytest

from study_files import FaultAt, Read

DIGITS = "9" * 400
STUDY = 'params: {n: 1, l: [1, 2]}\npipeline: {x: {step: "text.load", on: {%s}}}\nplace: {%s}\nvary: {%s}\n'
SEARCH = "search: {objective: x.v, space: {n: {int: [1, 3]}}, %s}"

ON = ("gpus: #", "cpus: #", "nodes: #", "processes: #", "memory: #", "memory: #GB", "walltime: #", "walltime: #h")
ON += ("memory: 1.#e300GB", "walltime: '#:00:00'", "walltime: '#:00'")
PLACE = ("workers: #", "gpus: #", "retries: #", "memory: #", "memory: #Gi")
PLACE += ("meter: {pue: #}", "meter: {g_per_kwh: #}")
VARY = ("top: {of: a, by: b.c, k: #}",)
SOUGHT = ("trials: #", "seed: #", "timeout: #", "timeout: #h", "trial_timeout: #")


def path_of(part: str, text: str) -> str:
    """The dotted path of the number: `meter: {pue: #}` is `meter.pue`."""
    return f"{part}.{text.split('#')[0].replace(': {', '.').split(', ')[-1].partition(':')[0]}"


CASES = [
    *(((text, "", ""), path_of("pipeline.x.on", text)) for text in ON),
    *((("", text, ""), path_of("place", text)) for text in PLACE),
    *((("", "", text), "vary.top.k") for text in VARY),
    *((("", "", SEARCH % text), path_of("vary.search", text)) for text in SOUGHT),
]


@pytest.mark.parametrize(("parts", "path"), CASES, ids=[path + str(index) for index, (_, path) in enumerate(CASES)])
def test_a_number_too_large_for_its_place_is_a_fault_there(
    fault_at: FaultAt, parts: tuple[str, str, str], path: str
) -> None:
    fault = fault_at((STUDY % parts).replace("#", DIGITS), path)
    assert "expected" in fault.reason


@pytest.mark.parametrize("bounds", ["int: [1, #]", "float: [1, #]", "int: [1, 9], step: #"])
def test_a_bound_of_a_space_too_large_to_hold_is_a_fault(read: Read, bounds: str) -> None:
    text = SEARCH.replace("int: [1, 3]", bounds.replace("#", DIGITS)) % "trials: 3"
    assert "up to 1.8e308" in " ".join(map(str, read(STUDY % ("", "", text)).faults))


@pytest.mark.parametrize("override", ["l.#=1", "params.l.#=1", "place.workers=#", "place.memory=#GB", "l=[#]", "n=#"])
@pytest.mark.parametrize("digits", [400, 5000])
@pytest.mark.parametrize("name", ["s.yaml", "s.jsonnet"])
def test_an_override_with_a_great_number_ends_in_faults_or_in_its_value(
    read: Read, override: str, digits: int, name: str
) -> None:
    text = '{"params": {"n": 1, "l": [1, 2]}, "pipeline": {"x": {"step": "text.load"}}}'
    found = read(text, name, overrides=[override.replace("#", "9" * digits)])
    assert found.faults or override in ("l=[#]", "n=#")


@pytest.mark.parametrize("number", ["1e999", "-1e999", DIGITS, "9" * 5000])
def test_a_number_that_overflows_in_jsonnet_is_a_fault(read: Read, number: str) -> None:
    text = '{params: {n: NUMBER}, pipeline: {x: {step: "text.load"}}}'.replace("NUMBER", number)
    assert read(text, "s.jsonnet").faults
