from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs the kernel's high-water mark")
def test_predicting_many_long_texts_takes_little_more_memory_than_the_model() -> None:
    program = Path(__file__).parent.parent / "bounded.py"
    done = subprocess.run([sys.executable, str(program), "25000", "256"], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 100e6, done.stdout
