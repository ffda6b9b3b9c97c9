"""How far it is from the command line to a step: what a reader who debugs one has to pass through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

MOST_FRAMES = 12
MOST_FILES = 118
"""Files of étude of which a function runs before the first step; this number may only fall."""

STEPS = """
import sys

def one(*, x: int = 1) -> dict[str, float]:
    sys.setprofile(None)
    sys.first_step(sys._getframe(1))
    return {"y": float(x)}
"""
STUDY = {"name": "least", "pipeline": {"a": {"step": "least:one", "with": {"x": 1}}}, "place": {"backend": "inline"}}
PROGRAM = """
import json, sys
from pathlib import Path
import etude
from etude.cli.main import main

root = f"{Path(etude.__file__).parent}/"
files = set()

def is_imported(frame):
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(root):
            return True
        frame = frame.f_back
    return False

def see(frame, event, _argument):
    code = frame.f_code
    is_function = code.co_flags & 2 and not code.co_name.startswith("<")
    if event == "call" and is_function and code.co_filename.startswith(root) and code.co_filename not in files:
        if not is_imported(frame):
            files.add(code.co_filename)

def first_step(frame):
    frames = []
    while frame is not None:
        frames.append(frame.f_code.co_filename)
        frame = frame.f_back
    own = [name for name in frames if name.startswith(root)]
    Path("seen.json").write_text(json.dumps({"frames": len(own), "files": len(files)}))

sys.first_step = first_step
sys.argv = ["etude", "run", "least.json"]
sys.setprofile(see)
main()
"""


def test_few_frames_and_files_lie_between_the_command_line_and_a_step(tmp_path: Path) -> None:
    (tmp_path / "least.py").write_text(STEPS)
    (tmp_path / "least.json").write_text(json.dumps(STUDY))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (tmp_path / "seen.json").exists(), run.stderr
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["frames"] <= MOST_FRAMES
    assert seen["files"] <= MOST_FILES
