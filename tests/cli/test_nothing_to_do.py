"""A run with nothing to do loads nothing that it does not use: that is most of the time it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = """
params: {seed: 0}
pipeline:
  raw: {step: text.load, with: {source: docstrings}}
  splits: {step: text.split, from: raw, with: {seed: "${seed}"}}
  base: {step: text.majority, from: splits}
vary: {repeat: {seed: [0]}}
collect: {held: {step: "mine:held", from: "base[*]"}}
place: {workers: 1}
"""
STEPS = """
from etude import Across, step

@step
def held(base: Across[object]) -> int:
    return 1
"""
PROBE = """
import json, sys
sys.argv = ["etude", "run", "s.yaml"]
from etude.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
import gc
assert gc.isenabled()
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
LARGE = frozenset(
    {
        "torch",
        "sklearn",
        "scipy",
        "matplotlib",
        "pandas",
        "transformers",
        "datasets",
        "lightning",
        "statsmodels",
        "parsl",
    }
)
"""Packages that take tenths of a second to seconds to import."""
OF_RUNS = (
    "etude.pilots.pilot_backend",
    "etude.execute.process_backend",
    "etude.execute.inline_backend",
    "etude.execute.worker",
    "etude.study.search_run",
    "etude.search.samplers",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "multiprocessing.connection",
)
"""What only a run that computes something has a use for."""


@pytest.mark.slow
def test_a_run_with_nothing_to_do_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    (tmp_path / "etude.toml").touch()
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "mine.py").write_text(STEPS)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", PROBE], cwd=tmp_path, capture_output=True, text=True, check=True)

    run()
    again = run()
    assert "nothing to do" in again.stdout
    loaded = set(json.loads(again.stderr.splitlines()[-1]))
    assert {name.partition(".")[0] for name in loaded} & LARGE == set()
    assert loaded & set(OF_RUNS) == set()
