"""Variants take their turns replicate by replicate, in an order that is shuffled and can be had again."""

from __future__ import annotations

from etude.execute.run_events import EventKind
from etude.study.ordering import order_seed, turns
from etude.study.study import Study, Vary
from projects import CALLED, Project

STEPS = (
    CALLED
    + """
@step
def shared(*, size: int) -> int:
    called("shared")
    return size

@step
def train(data: int, *, method: str, seed: int) -> float:
    called(f"{method}{seed}")
    return 1.0
"""
)


def study_of(project: Project) -> Study:
    pipeline = {
        "data": ("shared", None, {"size": 3}),
        "m": ("train", "data", {"method": "${method}", "seed": "${seed}"}),
    }
    vary = Vary(grid={"method": tuple("abcdefgh")}, repeat={"seed": (0, 1, 2, 3)})
    return project.write(STEPS).study(pipeline, params={"method": "a", "seed": 0}, vary=vary)


def test_each_replicate_has_all_conditions_before_the_next_begins_in_an_order_of_its_own_or_its_reverse(
    project: Project,
) -> None:
    project.run(study_of(project))
    shared, *calls = project.calls()
    assert shared == "shared"
    blocks = [calls[start : start + 8] for start in range(0, 32, 8)]
    assert [{call[1] for call in block} for block in blocks] == [{"0"}, {"1"}, {"2"}, {"3"}]
    assert all(sorted(call[0] for call in block) == list("abcdefgh") for block in blocks)
    orders = ["".join(call[0] for call in block) for block in blocks]
    assert orders[1] == orders[0][::-1], "of any two, each goes first as often as the other"
    assert orders[3] == orders[2][::-1]
    assert orders[2] not in orders[:2]


def test_the_order_follows_from_a_seed_that_the_run_records(project: Project) -> None:
    prepared = project.prepare(study_of(project))
    result = project.run_prepared(prepared)
    (started,) = [event for event in project.events if event.kind is EventKind.RUN_STARTED]
    assert started.data["order_seed"] == order_seed(result.run)
    expected = turns(prepared.expansion, order_seed(result.run))
    told = [event.fingerprint for event in project.events if event.kind is EventKind.STARTED and event.name == "m"]
    assert told == sorted(told, key=expected.__getitem__)
    assert turns(prepared.expansion, 1) == turns(prepared.expansion, 1) != turns(prepared.expansion, 2)
    orders = {row["variant"]: row["m.cost.order"] for row in result.records().to_pylist()}
    assert sorted(orders.values()) == list(range(2, 34))
