"""What a plan decides about single nodes, over stores of manifests made by hand."""

from __future__ import annotations

from collections.abc import Mapping

from etude.graph.library import StepUse
from etude.graph.node import Feed, Made, Node, Row, Spread, input_contents
from etude.graph.pipeline import Needs
from etude.graph.plan import Plan, plan, topological_order
from etude.graph.signature import signature_of
from etude.graph.step import step
from etude.identity.code import SymbolMap
from etude.store.files.manifest import Damaged, Manifest

Store = dict[str, Manifest | Damaged]


def node(name: str, *reads: Node, **settings: object) -> Node:
    inputs = {f"from_{read.name}": Feed(read) for read in reads}
    return Node(
        name=name,
        step=f"m:{name}",
        use=None,
        settings=settings,
        settings_text=str(settings),
        code="code",
        pins=(),
        inputs=inputs,
        needs=Needs(),
        params=settings,
    )


def manifest(of: Node, made: Mapping[str, Made], observed: Mapping[str, str] | None = None) -> Manifest:
    return Manifest(
        fingerprint=of.fingerprint,
        content=f"bytes of {of.name}",
        codec={"codec": "json"},
        files=(),
        trace="",
        inputs=input_contents(of, made) or {},
        identity=of.identity(),
        provenance={},
        cost={},
        deterministic=True,
        created="",
        observed=observed or {},
    )


def stored(*nodes: Node, observed: Mapping[str, str] | None = None) -> Store:
    """The results of nodes, each made from those before it."""
    found: dict[str, Manifest] = {}
    for each in nodes:
        made = {fingerprint: Made.of(one) for fingerprint, one in found.items()}
        found[each.fingerprint] = manifest(each, made, observed)
    return dict(found)


def told(decided: Plan) -> dict[str, tuple[str, str | None]]:
    return {action.node.name: (str(action.state), action.cause and str(action.cause)) for action in decided.actions}


BASE = node("base")
MIDDLE = node("middle", BASE)
LAST = node("last", MIDDLE)


def test_what_was_never_made_runs_as_new_and_what_is_there_is_used() -> None:
    decided = plan([LAST], stored(BASE, MIDDLE).get)
    assert told(decided) == {"base": ("cached", None), "middle": ("cached", None), "last": ("run", "new")}
    assert decided.todo == (LAST,)
    assert decided.cached == (BASE, MIDDLE)
    assert decided.by_fingerprint[BASE.fingerprint].manifest is not None


def test_what_is_asked_for_runs_even_where_nothing_needs_it() -> None:
    decided = plan([LAST], stored(BASE, MIDDLE, LAST).get, force=[BASE.fingerprint])
    assert told(decided)["base"] == ("run", "forced")
    assert decided.forced == {BASE.fingerprint}


def test_what_touched_something_that_changed_runs_even_where_nothing_needs_it() -> None:
    store = stored(BASE, MIDDLE, LAST)
    store |= stored(BASE, observed={"file": "1"})
    decided = plan([LAST], store.get, differences=lambda seen: f"{sorted(seen)} differ")
    assert told(decided)["base"] == ("run", "observed")
    assert decided.actions[0].detail == "['file'] differ"
    assert told(decided)["last"] == ("cached", None)


def test_what_was_seen_and_is_as_it_was_or_is_not_asked_for_is_used() -> None:
    store = stored(BASE, observed={"file": "1"})
    assert told(plan([BASE], store.get, differences=lambda seen: "")) == {"base": ("cached", None)}
    assert told(plan([BASE], store.get)) == {"base": ("cached", None)}


def test_a_damaged_result_runs_with_its_reason_where_it_is_needed_and_only_there() -> None:
    store = stored(BASE, MIDDLE, LAST)
    store[LAST.fingerprint] = Damaged(fingerprint=LAST.fingerprint, reason="torn")
    store[BASE.fingerprint] = Damaged(fingerprint=BASE.fingerprint, reason="torn")
    decided = plan([LAST], store.get)
    assert told(decided) == {"base": ("unneeded", None), "middle": ("cached", None), "last": ("run", "damaged")}
    assert decided.actions[2].detail == "torn"


def test_a_result_made_from_other_bytes_runs_anew_and_names_the_input() -> None:
    store = stored(BASE, MIDDLE, LAST)
    (other,) = stored(BASE).values()
    assert isinstance(other, Manifest)
    store[BASE.fingerprint] = Manifest(
        **{**{name: getattr(other, name) for name in Manifest.__slots__}, "content": "other bytes"}
    )
    decided = plan([MIDDLE], store.get)
    assert told(decided) == {"base": ("cached", None), "middle": ("run", "upstream")}
    assert decided.actions[1].detail == "from_base has other content now"


def test_a_missing_result_is_needed_as_soon_as_something_it_feeds_is_compared_anew() -> None:
    other = node("other")
    both = node("both", other, BASE)
    store = stored(BASE, other, both)
    del store[other.fingerprint]
    assert told(plan([both], store.get))["other"] == ("unneeded", None)
    decided = plan([both], store.get, force=[BASE.fingerprint])
    assert told(decided) == {"other": ("run", "new"), "base": ("run", "forced"), "both": ("cached", None)}


def test_each_node_stands_once_and_behind_all_that_it_reads_in_the_order_of_the_study() -> None:
    left, right = node("left", BASE), node("right", BASE)
    both = node("both", left, right)
    assert [each.name for each in topological_order([both, left])] == ["base", "left", "right", "both"]
    assert [each.name for each in topological_order([right, left])] == ["base", "right", "left"]


def test_a_node_reads_each_other_node_once_through_inputs_and_rows() -> None:
    one, two = node("one"), node("two")
    inputs = {"a": Feed(one), "b": (Feed(two), Feed(one)), "c": Spread(({"k": 1},), (Feed(two, "x"),))}
    reader = Node(
        name="it",
        step="m:it",
        use=None,
        settings={},
        settings_text="",
        code="",
        pins=(),
        inputs=inputs,
        needs=Needs(),
        params={},
        rows=(Row("v", {}, (BASE, one)),),
    )
    assert reader.feeds() == [Feed(one), Feed(two), Feed(one), Feed(two, "x")]
    assert reader.upstream() == (one, two, BASE)


def test_a_label_tells_the_study_where_it_is_another_one_and_the_params() -> None:
    assert node("model", pooling="max", seed=0).label() == "model pooling=max seed=0"
    other = Node(
        name="model",
        step="m:f",
        use=None,
        settings={},
        settings_text="",
        code="",
        pins=(),
        inputs={},
        needs=Needs(),
        params={},
        study="search",
    )
    assert other.label() == other.title == "@search/model"


def test_of_rows_the_state_of_the_variant_and_what_it_cost_count() -> None:
    def contents(row: Row, made: Made) -> dict[str, str] | None:
        reader = Node(
            name="records",
            step="etude:records/1",
            use=None,
            settings={},
            settings_text="",
            code="",
            pins=(),
            inputs={},
            needs=Needs(),
            params={},
            rows=(row,),
        )
        return input_contents(reader, {BASE.fingerprint: made})

    plain = contents(Row("v", {}, (BASE,)), Made("x", {"wall_s": 1.0}))
    others = [
        contents(Row("w", {}, (BASE,)), Made("x", {"wall_s": 1.0})),
        contents(Row("v", {}, (BASE,), "stopped"), Made("x", {"wall_s": 1.0})),
        contents(Row("v", {}, (BASE,)), Made("x", {"wall_s": 2.0})),
        contents(Row("v", {}, (BASE,)), Made("y", {"wall_s": 1.0})),
        contents(Row("v", {}, (BASE,)), Made("x", {"wall_s": 1.0}, accepted=True)),
        contents(Row("v", {}, ()), Made("x", {"wall_s": 1.0})),
    ]
    assert plain is not None
    assert plain == contents(Row("v", {}, (BASE,)), Made("x", {"wall_s": 1.0}))
    assert len({str(each) for each in [plain, *others]}) == 7


def test_inputs_of_which_one_is_missing_are_not_known() -> None:
    assert input_contents(MIDDLE, {}) is None
    assert input_contents(MIDDLE, {BASE.fingerprint: Made("x", {})}) == {"from_base": "x"}


def test_the_trace_is_of_what_was_read_and_the_fingerprint_of_how_it_was_made() -> None:
    one, two = node("it", node("base", k=1)), node("it", node("base", k=2))
    assert one.fingerprint != two.fingerprint
    assert one.trace_key({"from_base": "x"}) == two.trace_key({"from_base": "x"})
    assert one.trace_key({"from_base": "x"}) != one.trace_key({"from_base": "y"})
    assert node("it", k=1).trace_key({}) != node("it", k=2).trace_key({})


def test_an_item_and_the_variants_of_a_spread_count() -> None:
    def reader(source: Feed | tuple[Feed, ...] | Spread) -> Node:
        return Node(
            name="it",
            step="m:it",
            use=None,
            settings={},
            settings_text="",
            code="",
            pins=(),
            inputs={"a": source},
            needs=Needs(),
            params={},
        )

    made = {BASE.fingerprint: Made("x", {})}
    sources = [
        Feed(BASE),
        Feed(BASE, "item"),
        (Feed(BASE),),
        (Feed(BASE), Feed(BASE)),
        Spread(({"k": 1},), (Feed(BASE),)),
        Spread(({"k": 2},), (Feed(BASE),)),
    ]
    assert len({reader(source).fingerprint for source in sources}) == 6
    assert len({str(input_contents(reader(source), made)) for source in sources}) == 6


@step
def reader() -> int:
    return 0


def test_an_object_of_a_class_that_the_reader_does_not_name_counts_with_the_node_that_gave_it() -> None:
    made = {BASE.fingerprint: Made("x", {}, classes=frozenset({"m:Seen", "m:Other"}))}

    def contents(*symbols: str) -> dict[str, str] | None:
        found = SymbolMap(symbols=dict.fromkeys(symbols, ""), opaque=(), packages=(), files={}, digest="")
        use = StepUse(reference="m:reader", signature=signature_of("m:reader", reader), symbols=found)
        return input_contents(replace_use(MIDDLE, use), made)

    assert contents("m:Seen", "m:Other") == {"from_base": "x"}
    assert contents("m:Seen") == contents() == {"from_base": f"x~{BASE.fingerprint}"}
    assert input_contents(MIDDLE, made) == {"from_base": "x"}


def replace_use(of: Node, use: StepUse) -> Node:
    return Node(
        name=of.name,
        step=of.step,
        use=use,
        settings={},
        settings_text=of.settings_text,
        code=of.code,
        pins=(),
        inputs=of.inputs,
        needs=Needs(),
        params={},
    )
