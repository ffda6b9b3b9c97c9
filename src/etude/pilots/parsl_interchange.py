"""The engine's interchange, tied to its driver: it ends when the driver does, however that ended.

Started as `python -m etude.pilots.parsl_interchange` in place of the engine's own program, which is looked for on PATH
and stays behind when its driver is killed.
"""

from __future__ import annotations

import os
import runpy
import threading
import time


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__")
