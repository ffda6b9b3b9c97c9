"""How many trivial nodes a second go through the parsl backend, beside other ways to have functions called by jobs.

    python benchmarks/cluster_tasks.py etude [COUNT]
    python benchmarks/cluster_tasks.py dask|submitit|executorlib|parsl [COUNT]      (each where it is installed)

Two workers on this machine. étude's nodes are whole nodes: fingerprint, lease, a supervised process, measurement, a
stored result with its manifest, events; the others call a function that returns its argument. So this compares what a
user waits for, not engines: `parsl` is étude's engine alone.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

STEPS = """
from __future__ import annotations
from etude import step

@step
def same(*, value: int) -> int:
    return value
"""


def same(value: int) -> int:
    return value


def etude(count: int) -> dict[str, object]:
    from dataclasses import replace

    from etude.config.cluster import read_profile
    from etude.execute.run_events import Event, EventKind
    from etude.study.execution import Execution
    from etude.study.prepare import Options, prepare
    from etude.study.study import NodeSpec, PlaceSettings, Study, Vary

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trivial_steps.py").write_text(STEPS)
        study = Study(
            name="trivial",
            params={"value": 0},
            pipeline={"it": NodeSpec(name="it", step="trivial_steps:same", settings={"value": "${value}"})},
            vary=Vary(grid={"value": tuple(range(count))}),
            place=PlaceSettings(),
            project=Path(folder),
        )
        profile = replace(read_profile("local", Path(folder)), cpus=2)
        options = Options(cluster=profile, environment=dict(os.environ), until=("it",))
        ended: list[float] = []

        def tell(event: Event) -> None:
            if event.kind is EventKind.DONE:
                ended.append(time.perf_counter())

        began = time.perf_counter()
        prepared = prepare(study, options)
        planned = time.perf_counter()
        result = Execution(prepared, options, tell).run()
        assert result.succeeded, result.summary.failures[:1]
        assert len(ended) == count
        return {**rates(planned, ended), "planning_s": round(planned - began, 2)}


def rates(began: float, ended: list[float]) -> dict[str, object]:
    """First result, and tasks a second from then on."""
    return {
        "first_s": round(ended[0] - began, 2),
        "tasks_per_s": round((len(ended) - 1) / (ended[-1] - ended[0]), 1),
        "all_s": round(ended[-1] - began, 1),
    }


def timed(count: int, start: Callable[[], Any], close: Callable[[], None]) -> dict[str, object]:
    began = time.perf_counter()
    submit, collect = start()
    first = [submit(same, 0)]
    ended = [time.perf_counter() for _ in collect(first)]
    futures = [submit(same, value) for value in range(1, count)]
    ended += [time.perf_counter() for _ in collect(futures)]
    close()
    return rates(began, ended)


def of_futures(futures: list[Any]) -> Iterable[object]:
    return (future.result() for future in futures)


def dask(count: int) -> dict[str, object]:
    from dask_jobqueue.local import LocalCluster
    from distributed import Client

    cluster = LocalCluster(cores=2, processes=2, memory="2GB")
    client = Client(cluster)

    def start() -> Any:
        cluster.scale(jobs=1)
        return lambda f, value: client.submit(f, value, pure=False), of_futures

    return timed(count, start, lambda: (client.close(), cluster.close())[0])


def submitit(count: int) -> dict[str, object]:
    import submitit as library

    with tempfile.TemporaryDirectory() as place:
        executor = library.LocalExecutor(folder=place)
        executor.update_parameters(timeout_min=30)
        began, ended, running = time.perf_counter(), [], []
        for value in range(count):  # it starts a process for each call: two at a time
            running.append(executor.submit(same, value))
            if len(running) == 2:
                running.pop(0).result()
                ended.append(time.perf_counter())
        for job in running:
            job.result()
            ended.append(time.perf_counter())
        return rates(began, ended)


def executorlib(count: int) -> dict[str, object]:
    from executorlib import SingleNodeExecutor

    executor = SingleNodeExecutor(max_workers=2, block_allocation=True)
    return timed(count, lambda: (executor.submit, of_futures), lambda: executor.shutdown(wait=True))


def parsl(count: int) -> dict[str, object]:
    from parsl import Config
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    with tempfile.TemporaryDirectory() as place:
        executor = HighThroughputExecutor(
            max_workers_per_node=2,
            cores_per_worker=0.5,
            address="127.0.0.1",
            provider=LocalProvider(init_blocks=1, max_blocks=1),
        )
        pool = ParslPoolExecutor(Config(executors=[executor], initialize_logging=False, run_dir=place))
        return timed(count, lambda: (pool.submit, of_futures), pool.shutdown)


if __name__ == "__main__":
    name, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    sys.path.insert(0, str(Path(__file__).parent))
    from cluster_tasks import same

    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    found = {"etude": etude, "dask": dask, "submitit": submitit, "executorlib": executorlib, "parsl": parsl}[name](
        count
    )
    print(json.dumps({"engine": name, "tasks": count, **found}))
