"""Which source feeds which input, and whether their types fit."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from etude import Across, step
from etude.graph.pipeline import NodeSpec, Source
from etude.graph.signature import signature_of
from etude.graph.wiring import Wiring, wire


@dataclass(frozen=True)
class Splits:
    train: list[str]
    test: list[str]


@step
def two(left: list[str], right: list[str] | None = None, *, size: int = 1) -> int:
    return 0


@step
def gather(parts: list[int]) -> int:
    return 0


@step
def every(*parts: int) -> int:
    return 0


@step
def across(values: Across[int]) -> int:
    return 0


@step
def nothing() -> int:
    return 0


@step
def single(value: int) -> int:
    return 0


@step
def table(records: pa.Table) -> int:
    return 0


@step
def anything(value: object) -> int:
    return 0


@step
def any_across(values: Across) -> int:  # type: ignore[type-arg]
    return 0


RETURNS = {"words": list[str], "splits": Splits, "number": int, "unknown": object, "@other/far": list[str]}


def bind(function: object, sources: dict[str, Source | tuple[Source, ...]]) -> tuple[Wiring, list[str]]:
    wiring, faults = wire(
        NodeSpec(name="it", step="here:it", sources=sources), signature_of("here:it", function), RETURNS, "pipeline.it"
    )
    return wiring, [f"{fault.path}|{fault.reason}|{fault.mend}" for fault in faults]


WORDS, NUMBER = Source(node="words"), Source(node="number")


def test_a_single_source_feeds_the_first_input() -> None:
    wiring, faults = bind(two, {"": WORDS})
    assert wiring.bindings == {"left": WORDS}
    assert not faults


def test_sources_bind_by_name_and_by_position() -> None:
    assert bind(two, {"right": WORDS, "left": Source(node="splits", item="train")})[0].bindings == {
        "left": Source(node="splits", item="train"),
        "right": WORDS,
    }
    assert bind(two, {"0": WORDS, "1": WORDS})[0].bindings == {"left": WORDS, "right": WORDS}


def test_a_list_of_sources_feeds_an_input_that_takes_a_list() -> None:
    wiring, faults = bind(gather, {"parts": (NUMBER, NUMBER)})
    assert wiring.bindings == {"parts": (NUMBER, NUMBER)}
    assert not faults


def test_open_ended_inputs_take_every_source() -> None:
    assert bind(every, {"0": NUMBER, "1": NUMBER, "2": NUMBER})[0].bindings == {"parts": (NUMBER, NUMBER, NUMBER)}


def test_a_missing_input_is_named_with_its_type() -> None:
    _, (fault,) = bind(two, {})
    assert "'left'" in fault
    assert "list[str]" in fault


def test_an_unknown_input_suggests_the_nearest() -> None:
    _, faults = bind(two, {"left": WORDS, "rihgt": WORDS})
    assert "'right'" in faults[0]


def test_a_setting_among_the_inputs_is_told_where_it_belongs() -> None:
    _, faults = bind(two, {"left": WORDS, "size": NUMBER})
    assert "with" in faults[0]


def test_too_many_sources_are_told() -> None:
    assert "takes 2 inputs: left, right" in bind(two, {"0": WORDS, "1": WORDS, "2": WORDS})[1][0]
    assert "takes no input" in bind(nothing, {"": WORDS})[1][0]


def test_a_producer_of_the_wrong_type_is_told_with_both_types() -> None:
    _, (fault,) = bind(two, {"": NUMBER})
    assert "list[str]" in fault
    assert "int" in fault


def test_an_unknown_item_suggests_the_nearest() -> None:
    assert "'train'" in bind(two, {"": Source(node="splits", item="trian")})[1][0]


def test_a_result_of_unknown_type_is_left_to_the_run() -> None:
    assert not bind(two, {"": Source(node="unknown")})[1]


def test_all_variants_need_an_input_that_takes_them() -> None:
    assert not bind(across, {"": Source(node="number", across=True)})[1]
    assert "Across[list[int]]" in bind(gather, {"": Source(node="number", across=True)})[1][0]
    assert "number[*]" in bind(across, {"": NUMBER})[1][0]


def test_the_items_across_variants_are_checked_too() -> None:
    assert bind(across, {"": Source(node="words", across=True)})[1]


def test_all_variants_of_a_node_cannot_be_one_of_several_sources() -> None:
    every_variant = Source(node="number", across=True)
    for function, sources in ((gather, {"parts": (NUMBER, every_variant)}), (every, {"0": NUMBER, "1": every_variant})):
        _, (fault,) = bind(function, sources)
        assert "number[*] gives a whole input by itself" in fault


def test_a_list_of_nodes_for_a_single_value_is_refused_and_its_elements_are_checked() -> None:
    _, (fault,) = bind(single, {"value": (NUMBER, NUMBER)})
    assert "'value' of here:it takes one int, not a list of nodes" in fault
    assert "pipeline.it.from|" in fault
    _, faults = bind(gather, {"parts": (NUMBER, WORDS, WORDS)})
    assert ["words gives list[str]" in fault for fault in faults] == [True, True]


def test_the_first_of_several_inputs_takes_a_source_alone_and_one_input_is_one() -> None:
    assert bind(two, {"0": WORDS})[0].bindings == {"left": WORDS}
    assert "takes one input: value|drop one" in bind(single, {"0": NUMBER, "1": NUMBER})[1][0]
    assert bind(every, {"": NUMBER, "parts": (NUMBER, NUMBER)})[0].bindings == {"parts": (NUMBER, NUMBER, NUMBER)}


def test_a_fault_of_one_source_stands_at_its_input() -> None:
    assert bind(two, {"left": WORDS, "size": NUMBER})[1][0].startswith("pipeline.it.from.size|'size' is a setting")
    assert bind(two, {"left": WORDS, "rihgt": WORDS})[1][0].startswith("pipeline.it.from.rihgt|here:it has no input")


def test_an_item_of_a_number_is_refused_as_it_has_none() -> None:
    _, (fault,) = bind(single, {"": Source(node="number", item="part")})
    assert "node 'number' gives no item 'part'|its result has no items" in fault


def test_an_item_is_judged_by_its_own_type() -> None:
    assert not bind(two, {"": Source(node="splits", item="train")})[1]
    assert bind(single, {"": Source(node="splits", item="train")})[1]


def test_a_node_whose_step_is_not_known_is_left_to_the_run() -> None:
    assert not bind(single, {"": Source(node="gone")})[1]
    assert not bind(single, {"": Source(node="words", study="other")})[1]
    assert bind(single, {"": Source(node="far", study="other")})[1]


def test_the_table_of_records_is_a_table() -> None:
    assert not bind(table, {"": Source(node="records")})[1]
    assert "gives Table" in bind(single, {"": Source(node="records")})[1][0]


def test_all_variants_without_a_said_type_are_taken_as_they_come() -> None:
    assert not bind(anything, {"": Source(node="words", across=True)})[1]
    assert not bind(any_across, {"": Source(node="words", across=True)})[1]
