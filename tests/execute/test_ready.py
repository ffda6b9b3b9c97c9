"""Which node starts next."""

from __future__ import annotations

from etude.execute.ready import ReadyNodes
from etude.graph.pipeline import Needs

GPU, CPU = Needs(gpus=1), Needs()


def test_the_first_in_the_order_of_the_plan_comes_first_whatever_its_needs() -> None:
    ready = ReadyNodes()
    for position, needs in ((3, CPU), (1, GPU), (2, CPU)):
        ready.push(needs, position, str(position))
    assert [ready.pop(lambda _: True) for _ in range(4)] == ["1", "2", "3", None]
    assert not ready


def test_a_thousand_nodes_that_find_no_room_do_not_hide_the_one_that_would() -> None:
    ready = ReadyNodes()
    for position in range(1000):
        ready.push(GPU, position, str(position))
    ready.push(CPU, 1000, "small")
    assert ready.pop(lambda needs: not needs.gpus) == "small"
    assert not ready.any(lambda needs: not needs.gpus)
    assert ready.any(lambda needs: bool(needs.gpus))
