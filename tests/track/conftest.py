"""A finished study to tell trackers of, and runs made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from etude.study.execution import Result
from etude.study.study import Study, Vary
from etude.track.sink import MetricCurve, TrackerRun
from projects import Project

STEPS = """
import pyarrow as pa
from dataclasses import dataclass

@dataclass(frozen=True)
class Fit:
    history: pa.Table
    rate: float

@step
def fit(*, rate: float, seed: int, options: dict) -> Fit:
    steps = list(range(5))
    loss = [None, *(1.0 / (at + rate) for at in steps[1:])]
    return Fit(pa.table({"step": steps, "loss": loss, "word": ["a"] * 5}), rate)

@step
def score(fitted: Fit, *, seed: int) -> dict[str, float | None]:
    if fitted.rate > 5:
        raise ValueError(f"rate {fitted.rate} is too high")
    return {"accuracy": 0.5 + 0.1 * seed, "mcc": float("nan"), "unknown": None}
"""


@pytest.fixture
def toy(project: Project) -> Callable[..., Study]:
    """Makes a study of a node with a learning curve and one with metrics, over rates and two seeds."""
    project.write(STEPS)

    def make(*rates: float, **place: object) -> Study:
        return project.study(
            {
                "model": ("fit", None, {"rate": "${rate}", "seed": "${seed}", "options": "${options}"}),
                "quality": ("score", "model", {"seed": "${seed}"}),
            },
            params={"rate": 1.0, "seed": 0, "options": {"deep": {"er": 1}}},
            vary=Vary(grid={"rate": rates or (1.0,)}, repeat={"seed": (0, 1)}),
            **place,
        )

    return make


@pytest.fixture
def finished(project: Project, toy: Callable[..., Study]) -> Result:
    """The study with one rate, run."""
    return project.run(toy())


@pytest.fixture
def variant(tmp_path: Path) -> TrackerRun:
    """A variant that has everything that trackers find hard."""
    return TrackerRun(
        key="a1" * 32,
        name="pooling=max seed=0",
        study="toy",
        parent="b2" * 32,
        params={
            "pooling": "max",
            "seed": 0,
            "spectral": None,
            "noisy": False,
            "rate": 0.5,
            "model.options.[odd] name": "x",
            "long": "l" * 7000,
            **{f"model.p{index}": index for index in range(150)},
        },
        metrics={"quality.accuracy": 0.75, "model.cost.wall_s": 12.5},
        curves=(
            MetricCurve("model.history.loss", "step", tuple((at, 1.0 / (at + 1)) for at in range(1500))),
            MetricCurve("model.history.accuracy", "step", ((0, 0.1), (10, 0.2))),
        ),
        tags={"run": "r1", "fingerprint": "f" * 16, "description": "d" * 9000},
        texts={"record.json": "{}\n"},
        started_s=1_700_000_000.0,
        ended_s=1_700_000_060.5,
    )


@pytest.fixture
def whole(tmp_path: Path) -> TrackerRun:
    """A study as a whole, with a picture and a table."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0\xff\xff\xff")
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    (tmp_path / "chart.png").write_bytes(png + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    return TrackerRun(
        key="b2" * 32,
        name="toy",
        study="toy",
        whole=True,
        metrics={"variants": 2.0},
        files={"charts/chart.png": tmp_path / "chart.png", "table.csv": tmp_path / "table.csv"},
        started_s=1_700_000_000.0,
        ended_s=1_700_000_060.5,
    )
