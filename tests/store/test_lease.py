"""One holder at a time; the dead are replaced, the living never."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from etude.store import Holder, Lease, Store
from etude.store.files.layout import Layout
from etude.store.files.owner import Owner, living
from etude.store.lease import SILENCE_S, Leases
from storing import fingerprint, stored

A, B = fingerprint("a"), fingerprint("b")
context = multiprocessing.get_context("fork")


@dataclass
class World:
    """Some processes on some hosts, who lives, and the time of the file system."""

    root: Path
    now_s: float = 1_000_000.0
    alive: dict[str, bool | None] = field(default_factory=dict)

    def process(self, name: str, *, alive: bool | None = True) -> Leases:
        """The leases as a process of that name takes them; `alive=None`: on another machine."""
        self.alive[name] = alive
        layout = Layout(root=str(self.root))
        return Leases(layout, owner=owner(name), is_living=lambda one: self.alive[one.token], now=lambda: self.now_s)

    def heard(self, name: str, ago_s: float) -> None:
        """Say when a process was last heard of."""
        path = f"{self.root}/leases/holders/{owner(name).name}.json"
        os.utime(path, (self.now_s - ago_s, self.now_s - ago_s))


def owner(name: str) -> Owner:
    return Owner(host="host", machine="machine", pid=1, started="0", token=name)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_lease_is_held_by_one_and_free_again_after(world: World) -> None:
    one, two = world.process("one"), world.process("two")
    with one.take(A) as lease:  # type: ignore[union-attr]
        assert isinstance(lease, Lease)
        assert two.take(A) == Holder(owner=owner("one"))
        assert two.holder(A) == Holder(owner=owner("one"))
        assert isinstance(two.take(B), Lease)
    assert two.holder(A) is None
    assert isinstance(two.take(A), Lease)


def test_a_lease_is_not_taken_twice_by_one_process(world: World) -> None:
    one = world.process("one")
    lease = one.take(A)
    assert isinstance(one.take(A), Holder)
    lease.release()  # type: ignore[union-attr]
    assert isinstance(one.take(A), Lease)


def test_the_lease_of_a_dead_process_is_taken_over(world: World) -> None:
    one, two, three = (world.process(name) for name in ("one", "two", "three"))
    one.take(A)
    world.alive["one"] = False
    assert two.holder(A) is None
    assert isinstance(two.take(A), Lease)
    assert three.take(A) == Holder(owner=owner("two"))


@pytest.mark.parametrize(("silent_s", "taken"), [(SILENCE_S - 1, False), (SILENCE_S + 1, True)])
def test_on_another_machine_a_minute_of_silence_is_death(world: World, silent_s: float, taken: bool) -> None:
    one, two = world.process("one", alive=None), world.process("two")
    one.take(A)
    world.heard("one", ago_s=silent_s)
    assert isinstance(two.take(A), Lease) is taken


def test_one_heartbeat_keeps_all_leases_of_a_process(world: World) -> None:
    one, two = world.process("one", alive=None), world.process("two")
    for name in (A, B):
        one.take(name)
    heart = Path(f"{world.root}/leases/holders/{owner('one').name}.json")
    world.heard("one", ago_s=500)
    world.now_s = heart.stat().st_mtime + 500
    assert two.holder(A) is None
    one.beat()
    world.now_s = heart.stat().st_mtime
    assert two.holder(A) == two.holder(B) == Holder(owner=owner("one"))


def test_a_heartbeat_that_was_removed_comes_back_and_counts(world: World) -> None:
    one, two = world.process("one", alive=None), world.process("two")
    one.take(A)
    world.heard("one", ago_s=500)
    heart = Path(f"{world.root}/leases/holders/{owner('one').name}.json")
    heart.unlink()
    one.beat()
    world.now_s = heart.stat().st_mtime
    assert two.take(A) == Holder(owner=owner("one"))
    assert isinstance(one.take(B), Lease)


def test_giving_back_a_lease_that_was_taken_over_harms_nobody(world: World) -> None:
    one, two, three = (world.process(name) for name in ("one", "two", "three"))
    lease = one.take(A)
    world.alive["one"] = False
    two.take(A)
    lease.release()  # type: ignore[union-attr]
    lease.release()  # type: ignore[union-attr]
    assert three.take(A) == Holder(owner=owner("two"))


def test_while_one_taker_lives_no_other_removes_the_dead_lease(world: World) -> None:
    dead, one, two = (world.process(name) for name in ("dead", "one", "two"))
    dead.take(A)
    world.alive["dead"] = False
    claim = f"{Layout(root=str(world.root)).lease(A)}~dead"
    assert one._create(claim)
    assert two.take(A) == Holder(owner=owner("one"))


def test_a_taker_that_died_while_it_took_over_is_replaced_too(world: World) -> None:
    dead, one, two = (world.process(name) for name in ("dead", "one", "two"))
    dead.take(A)
    claim = f"{Layout(root=str(world.root)).lease(A)}~dead"
    assert one._create(claim)
    world.alive |= {"dead": False, "one": False}
    assert isinstance(two.take(A), Lease)
    assert not list(world.root.glob("leases/*/*~*"))


def test_a_torn_lease_is_dead_after_the_silence(world: World) -> None:
    one = world.process("one")
    world.alive[""] = None
    path = Path(Layout(root=str(world.root)).lease(A))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    world.alive[f"torn{path.stat().st_ino}"] = None
    world.now_s = path.stat().st_mtime + 1
    assert isinstance(one.take(A), Holder)
    world.now_s += SILENCE_S + 1
    assert isinstance(one.take(A), Lease)


def test_leases_work_where_links_cannot_be(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    one, two = world.process("one", alive=None), world.process("two")
    lease = one.take(A)
    assert two.take(A) == Holder(owner=owner("one"))
    lease.release()  # type: ignore[union-attr]
    assert isinstance(two.take(A), Lease)


def test_a_link_that_succeeded_but_was_reported_as_failed_is_ours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As network file systems do when they send a request twice."""
    real = os.link
    one = world.process("one")
    one.take(B)

    def twice(source: str, target: str) -> None:
        real(source, target)
        real(source, target)

    monkeypatch.setattr(os, "link", twice)
    assert isinstance(one.take(A), Lease)


def test_a_thousand_leases_cost_one_heartbeat(world: World) -> None:
    one = world.process("one")
    for i in range(1000):
        one.take(fingerprint(i))
    assert len(list(world.root.glob("leases/holders/*"))) == 1
    assert threading.active_count() < 50


def test_this_process_lives_and_another_with_its_number_does_not() -> None:
    me = Owner.current()
    assert living(me) is True
    assert living(replace(me, started="1")) is False
    assert living(replace(me, machine="elsewhere")) is None
    assert Owner.parse(me.name) == me
    assert Owner.parse("no owner") is None


def test_a_forked_process_is_another_owner_and_leaves_the_lease_alone(store: Store) -> None:
    taken = store.lease(A)
    assert isinstance(taken, Lease)

    def child(answer: Any) -> None:
        answer.put((str(store.lease(A)), isinstance(store.lease(B), Lease)))

    answers = context.Queue()
    process = context.Process(target=child, args=(answers,))
    process.start()
    assert answers.get(timeout=30) == (f"process {os.getpid()} on {Owner.current().host}", True)
    process.join()
    assert store.holder(A) is not None
    assert isinstance(store.lease(B), Lease)


def test_the_heartbeat_file_goes_with_the_store(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    with store.lease(A):  # type: ignore[union-attr]
        assert len(list(store.root.glob("leases/holders/*"))) == 1
    del store
    assert list(tmp_path.glob("store/leases/holders/*")) == []


def run(count: int, target: Callable[..., None], *args: Any) -> list[Any]:
    """What each of some processes has to say, all started at once."""
    start, answers = context.Barrier(count), context.Queue()
    processes = [context.Process(target=target, args=(start, answers, *args)) for _ in range(count)]
    for process in processes:
        process.start()
    said = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return said


def contend(start: Any, answers: Any, root: Path) -> None:
    store = Store.open(root)
    start.wait()
    taken = broken = 0
    inside = root / "inside"
    for _ in range(300):
        lease = store.lease(A)
        if isinstance(lease, Lease):
            taken += 1
            try:
                os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                inside.unlink()
            except FileExistsError:
                broken += 1
            lease.release()
    answers.put((taken, broken))


def test_of_eight_processes_at_most_one_holds_a_lease_at_any_time(store: Store) -> None:
    stored(store, 1)
    said = run(8, contend, store.root)
    assert sum(taken for taken, _ in said) > 0
    assert sum(broken for _, broken in said) == 0


def take_and_wait(root: Path, ready: Any) -> None:
    Store.open(root).lease(A)
    ready.send(True)
    time.sleep(600)


def take_once(start: Any, answers: Any, root: Path) -> None:
    store = Store.open(root)
    start.wait()
    lease = store.lease(A)
    start.wait()
    answers.put(isinstance(lease, Lease))
    if isinstance(lease, Lease):
        lease.release()


def test_exactly_one_of_eight_takes_over_from_a_killed_holder(store: Store) -> None:
    stored(store, 1)
    for _ in range(5):
        here, there = context.Pipe()
        holder = context.Process(target=take_and_wait, args=(store.root, there))
        holder.start()
        assert here.recv()
        assert isinstance(store.lease(A), Holder)
        os.kill(holder.pid or 0, signal.SIGKILL)
        holder.join()
        assert run(8, take_once, store.root).count(True) == 1
