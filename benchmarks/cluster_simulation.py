"""A campaign on a cluster in virtual time: the real runner and the real pools, over simulated jobs and machines.

    python benchmarks/cluster_simulation.py [NODES] [WORKERS]

Half of the pipeline's nodes need a GPU, durations are log-normal, jobs wait in a queue, end at their walltime and are
preempted, workers die, steps fail. Nothing sleeps: the runner is given a clock and an inbox that pass on to the next
thing that happens. Reported are the use of the machines, how long a free worker waits for its next node, what the
driver itself costs per node, and its memory.
"""

from __future__ import annotations

import gc
import heapq
import itertools
import json
import pickle
import queue
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etude.cluster.profile import Blocks, Profile
from etude.execute.runner import Policy, Runner
from etude.execute.task import Outcome, Status, Task
from etude.graph.node import Feed, Node
from etude.graph.pipeline import Needs
from etude.graph.plan import plan
from etude.pilots.attempt import Attempt, Cut
from etude.pilots.node_pools import NodePool, pool_of, refusal
from etude.pilots.parsl_engine import BlockState, PilotMachine
from etude.pilots.pool_queue import PoolQueue, QueuedNode

HOUR = 3600.0
KINDS = {  # median seconds, spread of the logarithm, needs
    "prepare": (600.0, 0.3, Needs(cpus=4)),
    "train": (1500.0, 0.6, Needs(gpus=1, walltime_s=4 * HOUR)),
    "predict": (480.0, 0.4, Needs(gpus=1, walltime_s=1 * HOUR)),
    "evaluate": (90.0, 0.5, Needs()),
    "report": (45.0, 0.5, Needs()),
}
STEP_FAILS, WORKER_DIES_PER_HOUR, PREEMPTED_PER_HOUR = 0.01, 0.002, 0.01
QUEUE_S = 600.0
LOST_S = 20.0
TICK_S = 5.0


class Time:
    """Virtual seconds, and what is to happen at them."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def __call__(self) -> float:
        return self.now

    def at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._count), act))

    def go_on(self) -> None:
        when, _, act = heapq.heappop(self._events)
        self.now = max(self.now, when)
        act()


class News(deque[Any]):
    """The runner's inbox: waiting on it lets virtual time pass."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self.time = time

    def put(self, message: Any) -> None:
        self.append(message)

    def get(self, timeout: float) -> Any:
        while not self:
            self.time.go_on()
        return self.popleft()

    def get_nowait(self) -> Any:
        if not self:
            raise queue.Empty
        return self.popleft()


class Store:
    """Knows nothing and grants every lease."""

    class Lease:
        def release(self) -> None: ...

    def lease(self, _fingerprint: str) -> Lease:
        return self.Lease()

    def inspect(self, _fingerprint: str) -> None:
        return None

    def traced(self, _trace: str) -> None:
        return None

    def record_failure(self, _fingerprint: str, _what: object) -> None: ...


class WorkerLost(Exception): ...


class ManagerLost(Exception): ...


@dataclass(eq=False)
class Block:
    name: str
    workers: int
    begins: float
    ends: float
    state: str = "pending"
    tasks: dict[int, tuple[Task, Future[Any]]] = field(default_factory=dict)
    idle_since: float = 0.0
    held: list[float] = field(default_factory=list)
    freed: deque[float] = field(default_factory=deque)
    """When workers became free while nodes waited."""


@dataclass(eq=False)
class Cluster:
    """The engine of one pool, and the machines behind it."""

    pool: NodePool
    profile: Profile
    time: Time
    dice: random.Random
    left: dict[str, float]
    """Seconds that a node that was begun still takes."""
    figures: Figures
    blocks_: dict[str, Block] = field(default_factory=dict)
    queue: deque[tuple[Task, Future[Any]]] = field(default_factory=deque)
    tickets: itertools.count[int] = field(default_factory=itertools.count)
    waiting: Callable[[], int] = field(default=lambda: 0)
    running: dict[str, Block] = field(default_factory=dict)
    free: dict[str, Block] = field(default_factory=dict)
    """Jobs with a worker that has nothing to do."""

    def submit(self, buffer: bytes, done: Callable[[Future[Any]], None]) -> None:
        [(ticket, call)] = pickle.loads(buffer)  # noqa: S301 - how long a node takes is told to nobody here: one a message
        answer: Future[Any] = Future()
        answer.add_done_callback(done)
        future: Future[Any] = Future()
        future.add_done_callback(lambda ended: _answer(answer, ticket, ended))
        self.queue.append((call, future))
        self._start()

    def ask_for(self, count: int) -> None:
        for _ in range(count):
            begins = self.time.now + self.dice.expovariate(1 / QUEUE_S)
            name = str(len(self.blocks_))
            workers = self.pool.workers
            block = self.blocks_[name] = Block(name, workers, begins, begins + self.profile.walltime_s)
            self.time.at(begins, lambda block=block: self._begin(block))

    def _begin(self, block: Block) -> None:
        if block.state != "pending":
            return
        block.state, block.idle_since = "running", self.time.now
        self.free[block.name] = self.running[block.name] = block
        block.held = [self.time.now, block.ends, block.workers]
        self.figures.held.append(block.held)
        block_hours = self.dice.expovariate(PREEMPTED_PER_HOUR)
        self.time.at(min(block.ends, self.time.now + block_hours * HOUR), lambda: self._finish(block))
        self.time.at(block.ends - self.profile.grace_s, lambda: self._warn(block))
        self._start()

    def _taking(self, block: Block) -> bool:
        left = block.ends - self.time.now - self.profile.grace_s - self.pool.time_s
        return block.state == "running" and left > 0

    def _start(self) -> None:
        for block in list(self.free.values()) if self.queue else ():
            while self.queue and len(block.tasks) < block.workers and self._taking(block):
                self._run(block, *self.queue.popleft())
            if len(block.tasks) == block.workers or not self._taking(block):
                del self.free[block.name]
            if not self.queue:
                return

    def _run(self, block: Block, call: Task, future: Future[Any]) -> None:
        ticket = next(self.tickets)
        block.tasks[ticket] = (call, future)
        if block.freed:
            self.figures.gaps.append(self.time.now - block.freed.popleft())
        median, spread, _ = KINDS[call.name]
        takes = self.left.pop(call.fingerprint, None) or self.dice.lognormvariate(0, spread) * median
        self.figures.begun += 1
        dies = self.dice.expovariate(WORKER_DIES_PER_HOUR) * HOUR
        ended = self.time.now + min(takes, dies)
        self.figures.starts[ticket, self.pool.name] = (self.time.now, takes)
        error = WorkerLost("out of memory") if dies < takes else None
        self.time.at(ended, lambda: self._end(block, ticket, error))

    def _end(self, block: Block, ticket: int, error: Exception | None) -> None:
        found = block.tasks.pop(ticket, None)
        if found is None:
            return
        call, future = found
        began, _ = self.figures.starts.pop((ticket, self.pool.name))
        self.figures.used += self.time.now - began
        block.idle_since = self.time.now
        if self._taking(block):
            self.free[block.name] = block
        if self.queue or self.waiting():
            block.freed.append(self.time.now)
        if error is not None:
            future.set_exception(error)
        elif self.dice.random() < STEP_FAILS:
            future.set_result(Attempt(outcome=Outcome(status=Status.FAILED, error="ValueError: loss is nan")))
        else:
            future.set_result(Attempt(outcome=Outcome(status=Status.DONE, content=call.fingerprint)))
        self._start()

    def _warn(self, block: Block) -> None:
        """Those that still run write a checkpoint and stop."""
        for ticket in list(block.tasks):
            call, future = block.tasks.pop(ticket)
            began, takes = self.figures.starts.pop((ticket, self.pool.name))
            self.left[call.fingerprint] = max(1.0, takes - (self.time.now - began))
            self.figures.used += self.time.now - began
            self.figures.moved += 1
            future.set_result(Attempt(outcome=Outcome(status=Status.STOPPED), cut=Cut.BLOCK_END))

    def _finish(self, block: Block) -> None:
        if block.state == "ended":
            return
        block.state = "ended"
        self.running.pop(block.name, None)
        self.free.pop(block.name, None)
        block.held[1] = self.time.now
        for ticket in list(block.tasks):
            _, future = block.tasks.pop(ticket)
            self.figures.starts.pop((ticket, self.pool.name))
            self.figures.lost += 1
            self.time.at(self.time.now + LOST_S, lambda future=future: future.set_exception(ManagerLost("preempted")))

    def blocks(self) -> dict[str, BlockState]:
        return {name: BlockState(job=name, state=block.state) for name, block in self.blocks_.items()}

    def machines(self) -> list[PilotMachine]:
        return [
            PilotMachine(
                block=name,
                workers=block.workers,
                tasks=len(block.tasks),
                idle_s=0.0 if block.tasks else self.time.now - block.idle_since,
                taking=self._taking(block),
            )
            for name, block in self.running.items()
        ]

    def hold(self, blocks: list[str]) -> None: ...

    def give_back(self, blocks: list[str]) -> None:
        for name in blocks:
            if self.blocks_[name].state == "running":
                self._finish(self.blocks_[name])
            self.blocks_[name].state = "ended"

    def close(self, left: Collection[str] = ()) -> None: ...


def _answer(answer: Future[Any], ticket: str, ended: Future[Any]) -> None:
    error = ended.exception()
    answer.set_exception(error) if error is not None else answer.set_result({ticket: ended.result()})


@dataclass
class Figures:
    begun: int = 0
    moved: int = 0
    lost: int = 0
    used: float = 0.0
    held: list[list[float]] = field(default_factory=list)
    starts: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)
    gaps: list[float] = field(default_factory=list)


@dataclass(eq=False)
class Backend:
    profile: Profile
    time: Time
    dice: random.Random
    folder: Path
    figures: Figures
    pools: dict[NodePool, PoolQueue] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)
    known: dict[Needs, NodePool] = field(default_factory=dict)

    def _queue(self, needs: Needs) -> PoolQueue:
        if needs not in self.known:
            self.known[needs] = pool_of(self.profile, needs)
        pool = self.known[needs]
        if pool not in self.pools:
            engine = Cluster(pool, self.profile, self.time, self.dice, self.left, self.figures)
            made = PoolQueue(
                pool=pool,
                profile=self.profile,
                engine=engine,
                journal=self.folder / "jobs.log",
                wait_for=lambda _entry: None,
                moved=lambda _entry, _why: None,
                ask_to_leave=lambda name: (engine.give_back([name]), made.left(name))[0],
                clock=self.time,
            )
            engine.waiting = lambda: len(made.waiting)
            self.pools[pool] = made
            self._tick(made)
        return self.pools[pool]

    def _tick(self, made: PoolQueue) -> None:
        made.tick()
        self.time.at(self.time.now + TICK_S, lambda: self._tick(made))

    def admits(self, needs: Needs) -> bool:
        made = self._queue(needs)
        return made.load < made.room

    def refuses(self, needs: Needs) -> str | None:
        return refusal(self.profile, needs)

    def submit(self, call: Task) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._queue(call.needs).put(QueuedNode(call=call, future=future))
        return future

    def interrupt(self) -> None: ...
    def cancel(self, fingerprint: str, reason: str) -> None: ...
    def close(self) -> None: ...


def campaign(nodes: int) -> list[Node]:
    """Chains of train, predict, evaluate and report, a hundred of them over one preparation."""

    def node(name: str, turn: int, reads: Node | None) -> Node:
        inputs = {"value": Feed(reads)} if reads else {}
        needs = KINDS[name][2]
        return Node(
            name=name,
            step=f"sim:{name}",
            use=None,
            settings={},
            settings_text=f"turn={turn}",
            code="",
            pins=(),
            inputs=inputs,
            needs=needs,
            params={"turn": turn},
        )

    ends, prepared = [], node("prepare", 0, None)
    for turn in range(nodes // 4):
        if turn % 100 == 0:
            prepared = node("prepare", turn, None)
        last = prepared
        for name in ("train", "predict", "evaluate", "report"):
            last = node(name, turn, last)
        ends.append(last)
    return ends


def rss_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(nodes: int, workers: int) -> None:
    before = rss_mb()
    clock, dice, figures = Time(), random.Random(7), Figures()
    profile = Profile(
        name="simulated",
        scheduler="slurm",
        walltime_s=12 * HOUR,
        cpus=32,
        gpus=8,
        workers=8,
        blocks=Blocks(most=workers // 8, idle_s=300),
        grace_s=300,
        poll_s=30,
    )
    began = time.perf_counter()
    made = plan(campaign(nodes), lambda _fingerprint: None)
    planned_s, planned_mb = time.perf_counter() - began, rss_mb()
    with tempfile.TemporaryDirectory() as folder:
        backend = Backend(profile, clock, dice, Path(folder), figures)
        runner = Runner(
            plan=made,
            store=Store(),  # type: ignore[arg-type]
            backend=backend,
            provenance=lambda _node: {},
            policy=Policy(retries=2, watch_walltime=False),
            clock=clock,
            inbox=News(clock),  # type: ignore[arg-type]
        )
        gc.collect()
        began, cpu = time.perf_counter(), time.process_time()
        summary = runner.run()
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    worker_s = sum((min(end, clock.now) - start) * count for start, end, count in figures.held)
    total = len(made.actions)
    gaps = sorted(figures.gaps) or [0.0]
    print(
        json.dumps(
            {
                "nodes": total,
                "workers": workers,
                "virtual_hours": round(clock.now / HOUR, 2),
                "computed": len(summary.computed),
                "failed": len(summary.failures),
                "blocked": len(summary.blocked),
                "attempts": figures.begun,
                "moved_to_another_job": figures.moved,
                "lost_with_their_machine": figures.lost,
                "jobs": len(figures.held),
                "utilisation": round(figures.used / worker_s, 4),
                "gap_of_a_free_worker_s": {
                    "median": round(statistics.median(gaps), 3),
                    "p99": round(gaps[int(0.99 * (len(gaps) - 1))], 3),
                },
                "planning_s": round(planned_s, 2),
                "driver_wall_s": round(wall_s, 1),
                "driver_cpu_ms_per_node": round(1000 * cpu_s / total, 3),
                "memory_mb": {
                    "before": round(before),
                    "planned": round(planned_mb),
                    "peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                },
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
