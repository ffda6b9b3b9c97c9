"""Puts étude beside other tools in a harness of correctness probes and overhead measurements.

    python benchmarks/peers.py HARNESS probes [étude Joblib Hamilton ...]
    python benchmarks/peers.py HARNESS bench ours,joblib,hamilton 100,500 [--repeats 3]

HARNESS is a folder with `probes.py` (a class `Tool`, a list `TOOLS` and a function `probe`) and `bench.py` (a table
`TOOLS`, a function `run` and the graph's `truth`). Each other tool lives in a virtual environment of its own under
$PROBE_VENVS. The harness changes one thing between two runs of one small graph and looks at what is computed again and
whether the answer is right; and it times a layered graph of integers, cold, warm and with one input changed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from measuring import Spread, number, slopes
from tables import Table, as_markdown, on_terminal

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


ROWS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "noop": ("nothing", ("",)),
    "param": ("a setting of `a`", ("abcd",)),
    "aba": ("a setting, and back again", ("",)),
    "body": ("body of `b`", ("bc",)),
    "upstream": ("body of `a`, other value", ("abcd",)),
    "helper": ("a helper in the same file", ("bc",)),
    "module": ("a helper in another file", ("bc",)),
    "const": ("a constant of the module", ("bc",)),
    "default": ("a default argument of `b`", ("bc",)),
    "comment": ("a comment in `b`", ("",)),
    "cutoff": ("body of `a`, same value", ("a", "")),
    "rewire": ("`c` reads `d` instead of `b`", ("c",)),
    "mutate": ("`b` changes its input in place", ("",)),
    "keepgoing": ("`d` fails, is mended, rerun", ("d",)),
    "kill": ("kill -9 in `b`, rerun", ("bc", "bcd")),
    "killparam": ("a setting, kill -9, rerun", ("bc", "bcd")),
    "truncate": ("stored files cut in half", ("abcd", "abc", "bc", "abd", "bcd", "")),
    "concurrent": ("two runs at once, one store", ("abcd",)),
}
"""Row of the harness → what changed, and what need be computed again: the nodes' names."""


def verdict(row: str, found: Mapping[str, Any]) -> tuple[str, bool]:
    """What a tool did in one row, in a word or two, and whether it was right and did no more than needed."""
    if "error" in found:
        return "hangs" if "TimeoutExpired" in str(found["error"]) else "error", False
    if row == "truncate" and not found.get("n_files"):
        return "no files", True
    code = next((code for code in found.get("rcs", [found.get("rc", 0)]) if code), 0)
    calls = str(found.get("second_calls" if row == "keepgoing" else "calls", ""))
    if row == "keepgoing" and not found.get("rc1"):
        return "failure not told", False
    if code:
        return f"exit code {code}", False
    if not found.get("right"):
        return "WRONG", False
    return calls or ("ok" if row == "mutate" else "none"), calls in ROWS[row][1]


def probe(probes: ModuleType, names: list[str], keep: Path | None) -> Table:
    """Run the probes of étude and of other tools; not of those whose findings are kept already."""
    tools = {"étude": probe_tool(probes), **{tool.__name__: tool for tool in probes.TOOLS}}
    for name in names:
        if name not in tools:
            raise SystemExit(f"the harness has no tool {name!r}: choose from {', '.join(tools)}")
    found: dict[str, Mapping[str, Any]] = {}
    for name in names:
        kept = keep / f"{name}.json" if keep is not None else None
        if kept is not None and kept.exists():
            found[name] = json.loads(kept.read_text())
            continue
        print(f"probing {name} ...", file=sys.stderr, flush=True)
        found[name] = probes.probe(tools[name])
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found[name], indent=1))
    table = Table(
        "What is computed again, by what was changed",
        ("changed between two runs", "needed", *names),
        "`a(x) → b → c` and `a → d`. WRONG: exit code 0 and a stale or false answer. A star: right, but more was "
        "computed than needed.",
    )
    good = dict.fromkeys(names, 0)
    for row, (changed, needed) in ROWS.items():
        cells = []
        for name in names:
            word, ideal = verdict(row, found[name].get(row, {"error": "no such row"}))
            good[name] += ideal
            right = found[name].get(row, {}).get("right") and not word.startswith("exit")
            cells.append(word if ideal or not right else f"{word} *")
        table.row(changed, needed[0] or ("ok" if row == "mutate" else "none"), *cells)
    table.row("right, and no more than needed", f"{len(ROWS)}", *(str(good[name]) for name in names))
    return table


def bench_tool(bench: ModuleType, backend: str) -> Callable[[Path, int, int], list[str]]:
    """The harness's writer of a layered graph of integers, as one study."""

    def write(folder: Path, layers: int, seed: int) -> list[str]:
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
        study = {"name": "layers", "pipeline": pipeline, "place": {"backend": backend, "workers": 2}}
        (folder / "study.json").write_text(json.dumps(study))
        (folder / "main.py").write_text(BENCH_MAIN)
        return [sys.executable, "main.py"]

    return write


BENCH_MAIN = """
import os
from pathlib import Path
from etude.config.load import load_study
from etude.study.execution import Execution
from etude.study.prepare import Options, prepare
prepared = prepare(load_study(Path("study.json"), project=Path.cwd()))
result = Execution(prepared, Options(environment=dict(os.environ)), lambda event: None).run()
Path("out.txt").write_text(str(result.value("total")))
"""

PHASES = {"cold": 0, "warm": 0, "one": 5}
"""Phase → the seed of the first node: an empty store, nothing changed, the first input changed."""
IN_PLACE = ("dvc", "snakemake", "tango")
"""Tools whose result is one of their own outputs: it must not be removed between phases."""


def phases(bench: ModuleType, tool: str, nodes: int, timeout_s: int) -> dict[str, float | str]:
    """Wall and CPU seconds of each phase, and what the store takes; `error` where it went wrong."""
    folder = Path(tempfile.mkdtemp(prefix=f"bench_{tool}_"))
    layers = nodes // bench.WIDTH
    row: dict[str, float | str] = {}
    try:
        for phase, seed in PHASES.items():
            command = bench.TOOLS[tool](folder, layers, seed)
            if tool not in IN_PLACE:
                (folder / "out.txt").unlink(missing_ok=True)
            row[phase], row[f"{phase}_cpu"] = bench.run(command, folder, timeout_s)
            if int((folder / "out.txt").read_text()) != bench.truth(layers, seed):
                row[f"{phase}_wrong"] = "WRONG"
        files = [path.stat() for path in folder.rglob("*") if path.is_file()]
        row |= {"files": len(files), "bytes": sum(file.st_size for file in files)}
    except Exception as error:  # another tool may fail in any way; the others are still wanted
        row["error"] = repr(error)[-400:]
        print(f"{tool}, {nodes} nodes: {row['error']}", file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return row


def compare(bench: ModuleType, tools: list[str], sizes: tuple[int, int], repeats: int, timeout_s: int) -> Table:
    """Overhead per node of étude and other tools, as slopes between two sizes."""
    bench.TOOLS["ours"] = bench_tool(bench, "inline")
    bench.TOOLS["ours-processes"] = bench_tool(bench, "processes")
    found: dict[str, dict[int, list[dict[str, float | str]]]] = {tool: {size: [] for size in sizes} for tool in tools}
    for turn in range(repeats):
        for tool in tools:
            for size in sizes:
                print(f"turn {turn + 1} of {repeats}: {tool}, {size} nodes", file=sys.stderr, flush=True)
                found[tool][size].append(phases(bench, tool, size, timeout_s))
    small, large = sizes
    table = Table(
        f"Overhead of one more node, {small} to {large} nodes, layers of {bench.WIDTH}",
        (
            "tool",
            "start-up CPU s",
            "cold CPU ms/node",
            "cold wall ms/node",
            "warm CPU ms/node",
            f"first input changed, {large} nodes, CPU s",
            "files/node",
            "kB/node",
        ),
        "No work in the nodes, so all is overhead. Slopes of whole processes, medians with the lowest and highest. "
        "Cold: empty store. Warm: nothing changed. Start-up: the smaller warm run less its nodes. The first input "
        "reaches nearly every node. Files and kB are what two runs leave, the second with the first input changed.",
    )
    for tool in tools:
        table.row(tool, *_figures(found[tool], small, large))
    return table


def _figures(found: Mapping[int, list[dict[str, float | str]]], small: int, large: int) -> Iterator[str]:
    rows = [row for size in (small, large) for row in found[size]]
    if any("error" in row for row in rows):
        yield from ("error", *[""] * 6)
        return
    more = large - small

    def column(size: int, name: str) -> list[float]:
        return [float(row[name]) for row in found[size]]

    slope = partial(lambda name: slopes(column(small, name), column(large, name), more))
    warm = slope("warm_cpu")
    wrong = any(str(value) == "WRONG" for row in rows for value in row.values())
    yield number(Spread.of(column(small, "warm_cpu")).median - small * warm.median) + (" WRONG" if wrong else "")
    yield slope("cold_cpu").text(1e3)
    yield slope("cold").text(1e3)
    yield warm.text(1e3)
    yield Spread.of(column(large, "one_cpu")).text()
    yield number(slope("files").median)
    yield number(slope("bytes").median / 1e3)


def main() -> None:
    """Run one of the harness's programs with étude among its tools."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("harness", type=Path)
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    programs = parser.add_subparsers(dest="program", required=True)
    probing = programs.add_parser("probes", help="what is computed again, and is it right?")
    probing.add_argument("tools", nargs="*", default=["étude"])
    probing.add_argument("--keep", type=Path, help="folder of raw findings, JSON: kept ones are shown, others probed")
    timing = programs.add_parser("bench", help="overhead per node")
    timing.add_argument("tools", help="names of the harness's tools, ours and ours-processes, comma-separated")
    timing.add_argument("sizes", help="two numbers of nodes, comma-separated")
    timing.add_argument("--repeats", type=int, default=3)
    timing.add_argument("--timeout", type=int, default=300, metavar="SECONDS", help="for one run of one tool")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.path.insert(0, str(given.harness.resolve()))
    show = as_markdown if given.markdown else on_terminal
    if given.program == "probes":
        show(probe(importlib.import_module("probes"), given.tools, given.keep))
        return
    small, large = sorted(int(size) for size in given.sizes.split(","))
    bench = importlib.import_module("bench")
    show(compare(bench, given.tools.split(","), (small, large), given.repeats, given.timeout))


if __name__ == "__main__":
    main()
