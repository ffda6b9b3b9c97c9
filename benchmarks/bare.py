"""What the machine itself takes for the same work, without étude: the floor that its figures stand on.

    python bare.py commits FOLDER N        N results, each a folder with two small files, put into place by one rename
    python bare.py arrays FOLDER BYTES     an array saved, checked and loaded, shifted, saved
    python bare.py pool N                  N calls of a function that does nothing, two spawned worker processes
    python bare.py loky N                  the same with joblib's pool
    python bare.py pool-commits FOLDER N   as `pool`, where each call leaves a result as `commits` does

Whoever starts it measures the whole process; `arrays` tells what it took itself, without the imports.
"""

# ruff: noqa: PTH102, PTH103, PTH104
# Plain calls of the system: pathlib would cost as much as what is measured.
from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

WORKERS = 2


def commit(root: str, number: int) -> int:
    """Leave one result: a checksummed value and a manifest, visible at once or not at all."""
    key = hashlib.sha256(f"{root} {number}".encode()).hexdigest()
    value = json.dumps(number).encode()
    draft = f"{root}/tmp/{key}"
    os.mkdir(draft)
    manifest = {"fingerprint": key, "sha256": hashlib.sha256(value).hexdigest(), "identity": {"code": key, "l": number}}
    for name, data in (("value.json", value), ("manifest.json", json.dumps(manifest).encode())):
        handle = os.open(f"{draft}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(handle, data)
        os.close(handle)
    os.makedirs(f"{root}/{key[:2]}", exist_ok=True)
    os.rename(draft, f"{root}/{key[:2]}/{key}")
    return number


def commits(folder: str, count: int) -> None:
    """Leave results one after the other."""
    os.makedirs(f"{folder}/tmp")
    for number in range(count):
        commit(folder, number)


def arrays(folder: str, size_bytes: int) -> dict[str, Any]:
    """Save an array and its checksum, load and check it, shift it, save that: what two nodes do."""
    import numpy as np

    os.makedirs(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    made = np.random.default_rng(0).random(size_bytes // 8)
    np.save(f"{folder}/made.npy", made)
    kept = hashlib.sha256(made.data).digest()
    read = np.load(f"{folder}/made.npy")
    assert hashlib.sha256(read.data).digest() == kept
    shifted = read + 1.0
    np.save(f"{folder}/shifted.npy", shifted)
    hashlib.sha256(shifted.data).digest()
    return {"run_s": time.perf_counter() - wall, "run_cpu_s": time.process_time() - cpu}


def nothing(number: int) -> int:
    """The work of a call."""
    return number


def pool(count: int) -> None:
    """`concurrent.futures`, workers spawned."""
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as workers:
        futures = [workers.submit(nothing, number) for number in range(count)]
        assert [future.result() for future in futures] == list(range(count))


def pool_commits(folder: str, count: int) -> None:
    """`concurrent.futures`, each call leaving a result on the disk."""
    os.makedirs(f"{folder}/tmp")
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as workers:
        futures = [workers.submit(commit, folder, number) for number in range(count)]
        assert [future.result() for future in futures] == list(range(count))


def loky(count: int) -> None:
    """joblib's pool."""
    from joblib.externals.loky import get_reusable_executor  # type: ignore[import-untyped]

    workers = get_reusable_executor(WORKERS)
    futures = [workers.submit(nothing, number) for number in range(count)]
    assert [future.result() for future in futures] == list(range(count))
    workers.shutdown(wait=True)


def main() -> None:
    """Do what the command line asks for."""
    match sys.argv[1:]:
        case ["commits", folder, count]:
            commits(folder, int(count))
        case ["arrays", folder, size]:
            print(json.dumps(arrays(folder, int(size))))
        case ["pool", count]:
            pool(int(count))
        case ["loky", count]:
            loky(int(count))
        case ["pool-commits", folder, count]:
            pool_commits(folder, int(count))
        case words:
            raise SystemExit(f"bare.py: {words} is nothing to measure; see {Path(__file__).name}")


if __name__ == "__main__":
    main()
