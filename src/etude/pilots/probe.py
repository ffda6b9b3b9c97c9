"""Looks around on a cluster machine, and writes down what it finds: the job that `etude cluster check` submits.

Started as `python -m etude.pilots.probe ORDER REPORT`.
"""

from __future__ import annotations

import contextlib
import json
import platform
import socket
import sys
import time
from pathlib import Path

from etude import __version__
from etude.environment import variables
from etude.execute.devices import usable_cpus, visible_gpus


def main(order: Path, report: Path) -> None:
    """Carry out an order and write the report, whole or not at all."""
    asked = json.loads(order.read_text())
    found = {
        "etude": __version__,
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "cpus": usable_cpus(),
        "gpus": list(visible_gpus(variables())),
        "parsl": _parsl(),
        "store": _store(Path(asked["store"]), asked["token"]),
        "ahead_s": ahead_s(report.with_suffix(".touched")),
        "reached": _reached(asked["addresses"], asked["port"]),
    }
    fresh = report.with_suffix(".new")
    fresh.write_text(json.dumps(found))
    fresh.replace(report)


def ahead_s(path: Path) -> float:
    """How far this machine's clock is ahead of that of the file system on which a path lies."""
    path.write_text("touched")
    return time.time() - path.stat().st_mtime


def _parsl() -> str | None:
    with contextlib.suppress(ImportError):
        from importlib.metadata import PackageNotFoundError, version

        with contextlib.suppress(PackageNotFoundError):
            return version("parsl")
    return None


def _store(folder: Path, token: str) -> str:
    """See what the submitter has put into the store's folder, and answer there. What went wrong, or nothing."""
    try:
        said = (folder / f"check-{token}").read_text()
        if said != token:
            return f"{folder} holds another check than the one that was written: {said[:50]!r}"
        (folder / f"check-{token}.answer").write_text(token)
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    return ""


def _reached(addresses: list[str], port: int) -> str | None:
    """The first address under which the submitting machine can be reached from here."""
    for address in addresses:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=5):
            return address
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
