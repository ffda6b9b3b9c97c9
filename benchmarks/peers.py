"""Puts étude beside other tools in a harness of correctness probes and overhead measurements.

    python benchmarks/peers.py HARNESS probes [Joblib Hamilton ...]
    python benchmarks/peers.py HARNESS bench ours,joblib,hamilton 100,1000 [TIMEOUT]

HARNESS is a folder with `probes.py` (a class `Tool` and a list `TOOLS`) and `bench.py` (a table `TOOLS`). Each other
tool lives in a virtual environment of its own under $PROBE_VENVS.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ETUDE = [sys.executable, "-m", "etude.cli.main"]

MAIN = """
import json, subprocess, sys
etude = [sys.executable, "-m", "etude.cli.main"]
code = subprocess.run([*etude, "run", "study.json"]).returncode
def value(node):
    done = subprocess.run([*etude, "show", "study.json", node, "--json"], capture_output=True, text=True)
    return json.loads(done.stdout)[0].get("value", {}).get("v", [None])[0]
json.dump({"c": value("c"), "d": value("d")}, open("out.json", "w"))
sys.exit(code)
"""

TYPE = "dict[str, list[int]]"


def probe_tool(probes: ModuleType) -> type[Any]:
    """The harness's adapter for étude."""

    class Etude(probes.Tool):  # type: ignore[name-defined, misc]
        name = "étude"
        venv = "etude"

        def write(self, folder: Path, version: Any) -> None:
            (folder / "utils.py").write_text(probes.utils_py(version))
            (folder / "nodes.py").write_text(
                f"{probes.LOG}import utils\nfrom etude import step\n{probes.helper(version)}"
                f"@step\ndef a(*, x: int) -> {TYPE}:\n{probes.body_a(version)}"
                f"@step\ndef b(a: {TYPE}, *, k: int = {version.default_k}) -> {TYPE}:\n{probes.body_b(version)}"
                f"@step\ndef d(a: {TYPE}) -> {TYPE}:\n{probes.body_d(version)}"
                f"@step\ndef c(s: {TYPE}) -> {TYPE}:\n{probes.body_c('s')}"
            )
            pipeline = {
                "a": {"step": "nodes:a", "with": {"x": version.x}},
                "b": {"step": "nodes:b", "from": "a"},
                "d": {"step": "nodes:d", "from": "a"},
                "c": {"step": "nodes:c", "from": version.c_from},
            }
            (folder / "study.json").write_text(json.dumps({"name": "probe", "pipeline": pipeline}))
            (folder / "main.py").write_text(MAIN)

        def cmd(self, folder: Path, version: Any) -> list[str]:
            return [sys.executable, "main.py"]

        def artifacts(self, folder: Path) -> list[Path]:
            store = folder / ".etude" / "store"
            return [path for prefix in store.glob("??") for path in prefix.rglob("*") if path.is_file()]

    return Etude


def bench_tool(bench: ModuleType) -> Any:
    """The harness's writer of a layered graph of integers, as one study."""

    def write(folder: Path, layers: int, seed: int, backend: str = "inline") -> list[str]:
        width = bench.WIDTH
        (folder / "nodes.py").write_text(
            "from etude import step\n"
            "@step\ndef root(*, seed: int) -> int:\n    return seed\n"
            "@step\ndef node(a: int, b: int, *, l: int) -> int:\n    return (a + b + l) % 1000003\n"
            "@step\ndef total(xs: list[int]) -> int:\n    return sum(xs)\n"
        )
        pipeline: dict[str, Any] = {
            f"n0_{i}": {"step": "nodes:root", "with": {"seed": seed if i == 0 else i}} for i in range(width)
        }
        for layer in range(1, layers):
            for i in range(width):
                reads = {"a": f"n{layer - 1}_{i}", "b": f"n{layer - 1}_{(i + 1) % width}"}
                pipeline[f"n{layer}_{i}"] = {"step": "nodes:node", "from": reads, "with": {"l": layer}}
        pipeline["total"] = {"step": "nodes:total", "from": {"xs": [f"n{layers - 1}_{i}" for i in range(width)]}}
        study = {"name": "layers", "pipeline": pipeline, "place": {"backend": backend}}
        (folder / "study.json").write_text(json.dumps(study))
        (folder / "main.py").write_text(BENCH_MAIN)
        return [sys.executable, "main.py"]

    return write


BENCH_MAIN = """
from pathlib import Path
from etude.config.load import load_study
from etude.study.execution import Execution
from etude.study.prepare import Options, prepare
prepared = prepare(load_study(Path("study.json")))
result = Execution(prepared, Options(), lambda event: None).run()
Path("out.txt").write_text(str(result.value("total")))
"""


def main() -> None:
    """Run one of the harness's programs with étude among its tools."""
    folder, program, *words = sys.argv[1:]
    sys.path.insert(0, str(Path(folder).resolve()))
    if program == "probes":
        probes = importlib.import_module("probes")
        tool = probe_tool(probes)
        for each in [tool, *(known for known in probes.TOOLS if known.__name__ in words)]:
            print(f"== {each.name}")
            for row, found in probes.probe(each).items():
                print(f"   {row:10s} {json.dumps(found)[:300]}", flush=True)
        return
    bench = importlib.import_module("bench")
    bench.TOOLS["ours"] = bench_tool(bench)
    sys.argv = ["bench.py", *words]
    source = Path(bench.__file__ or "").read_text(encoding="utf-8")
    start = source.index('if __name__ == "__main__":')
    program_text = "\n".join(line[4:] for line in source[start:].splitlines()[1:])
    exec(compile(program_text, str(bench.__file__), "exec"), vars(bench))  # noqa: S102


if __name__ == "__main__":
    main()
