"""Why a node runs, in words that name what differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from etude.graph.explain import Earlier, Reason, ReasonKind, changes, why
from etude.graph.library import StepUse
from etude.graph.node import Feed, Node
from etude.graph.pipeline import Needs
from etude.graph.plan import Action, Cause, State
from etude.graph.signature import signature_of
from etude.graph.step import step
from etude.identity.canonical import canonical
from etude.identity.code import SymbolMap


@step
def train(*, rate: float = 0.1) -> float:
    return rate


def node(step: str = "m:train", rate: object = 0.1, code: str = "a" * 64, **rest: Any) -> Node:
    text = canonical({"rate": rate, "words": {"content": rest.pop("words", "w" * 64)}})
    given: dict[str, Any] = {"use": None, "pins": (), "inputs": {}, **rest}
    return Node(
        name="model",
        step=step,
        use=given.pop("use"),
        settings={},
        settings_text=text,
        code=code,
        needs=Needs(),
        params={},
        **given,
    )


def use(**symbols: str) -> StepUse:
    found = SymbolMap(symbols=symbols, opaque=(), packages=(), files={}, digest="d")
    return StepUse(reference="m:train", signature=signature_of("m:train", train), symbols=found)


def earlier(of: Node, **symbols: str) -> Earlier:
    return Earlier(fingerprint=of.fingerprint, identity=of.identity(), symbols=symbols)


def told(new: Node, old: Node, **symbols: str) -> list[str]:
    return [str(change) for change in changes(new, earlier(old, **symbols))]


def test_a_node_that_does_not_run_needs_no_reason() -> None:
    assert why(Action(node=node(), state=State.CACHED), None) == ()


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (Cause.FORCED, "asked for"),
        (Cause.DAMAGED, "stored result damaged: it"),
        (Cause.OBSERVED, "it (seen when it ran)"),
        (Cause.UPSTREAM, "upstream it"),
        (Cause.NEW, "never computed"),
    ],
)
def test_each_cause_is_told_in_its_own_words(cause: Cause, text: str) -> None:
    assert [str(change) for change in why(Action(node=node(), state=State.RUN, cause=cause, detail="it"), None)] == [
        text
    ]


def test_a_result_made_before_with_the_same_identity_is_gone() -> None:
    told = why(Action(node=node(), state=State.RUN, cause=Cause.NEW), earlier(node()))
    assert [str(change) for change in told] == ["its result is no longer in the store"]


def test_nothing_that_differs_is_told_as_never_computed() -> None:
    other = replace(earlier(node()), fingerprint="0" * 64)
    assert why(Action(node=node(), state=State.RUN, cause=Cause.NEW), other) == (
        Reason(kind=ReasonKind.MISSING, what=""),
    )


def test_a_setting_that_differs_is_told_with_both_values() -> None:
    assert told(node(rate=0.2), node()) == ["setting rate: 0.1 → 0.2"]


def test_a_file_that_differs_is_told_without_digests() -> None:
    assert told(node(words="v" * 64), node()) == ["file words has other content"]


def test_another_step_is_told_with_both_names() -> None:
    assert told(node(step="m:other"), node()) == ["step : m:train → m:other"]


def test_pins_are_told_as_they_were_and_are() -> None:
    assert told(node(pins=("numpy 2", "torch 3")), node()) == ["version pinned: absent → numpy 2, torch 3"]


def test_symbols_are_told_by_name() -> None:
    new = node(code="b" * 64, use=use(f="1", g="2", n="3"))
    assert told(new, node(), f="1", g="1", o="3") == ["symbol g changed", "symbol n is new", "symbol o is gone"]


def test_code_without_known_symbols_is_told_by_its_digest() -> None:
    assert told(node(code="b" * 64, use=use(f="1")), node()) == [f"symbol code: {'a' * 12} → {'b' * 12}"]
    assert told(node(code="b" * 64), node(), f="1") == [f"symbol code: {'a' * 12} → {'b' * 12}"]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("a" * 64, "ignore", "code tracking: track → ignore"),
        ("version:1", "version:2", "code tracking: version:1 → version:2"),
        ("ignore", "b" * 64, "code tracking: ignore → track"),
    ],
)
def test_how_code_counts_is_told_where_it_differs(old: str, new: str, text: str) -> None:
    assert told(node(code=new), node(code=old)) == [text]


def test_inputs_are_told_as_new_gone_or_made_anew() -> None:
    one, two = Feed(node(rate=1.0)), Feed(node(rate=2.0))
    new, old = (
        node(inputs={"same": one, "other": two, "new": one}),
        node(inputs={"same": one, "other": one, "old": one}),
    )
    assert told(new, old) == ["upstream other is made anew", "upstream old is gone", "upstream new is new"]
