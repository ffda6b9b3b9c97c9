"""What is known of a number: its unit, and whether less or more of it is better."""

from __future__ import annotations

import re
from collections.abc import Mapping

from etude.graph.metric import ANY, Direction, Metric


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOWER = _words(
    "loss error err perplexity ppl nll mse rmse mae mape ece brier wer cer eer fpr fnr fid "
    "latency duration energy carbon flops macs"
)
_HIGHER = _words(
    "accuracy acc f1 precision recall auc auroc roc auprc ap map mrr ndcg mcc kappa bleu rouge meteor chrf "
    "r2 iou miou dice psnr ssim tpr tnr sensitivity specificity throughput"
)
_PLAIN = _words(
    "train training validation valid val dev eval test holdout clean noisy oos id ood best final last "
    "macro micro weighted balanced mean median avg average total top at k log squared absolute entropy cross bits "
    "rate score value model percent pct w s ms us j kj kwh wh g kg p50 p90 p95 p99"
)
"""Words beside a known one that leave its direction as it is."""
_COSTS = {
    "wall_s": "s",
    "cpu_s": "s",
    "energy_j": "J",
    "start_up_wall_s": "s",
    "start_up_cpu_s": "s",
    "start_up_energy_j": "J",
    "carbon_g": "g CO₂eq",
    "peak_rss_bytes": "bytes",
    "peak_device_bytes": "bytes",
}
"""What étude measures of every node, with its unit; less of it is better."""

_SPENT = _words("latency duration energy carbon flops macs")
_SPENT_UNITS = _words("ns µs us ms s min h mJ J kJ Wh kWh g kg gCO2eq CO₂eq FLOP MFLOP GFLOP TFLOP bytes B kB MB GB")


def is_cost(number: str, unit: str, better: Direction | None) -> bool:
    """Whether a number tells what something costs: time, energy, carbon, memory, FLOPs, of which less is better."""
    if ".cost." in number:
        return True
    names = {word for part in number.split(".")[1:] for word in re.split(r"[^a-z0-9]+", _spaced(part).lower())}
    spent = _words(unit) & _SPENT_UNITS if unit else names & _SPENT
    return better == "lower" and bool(spent)


def meaning_of(number: str, said: Mapping[str, Metric]) -> Metric:
    """What is known of a metric or cost: by what its step says, else by its name where that is a term of the field.

    A unit is never read off a name.

    Args:
        number: Dotted, `quality.loss` or `model.cost.energy_j`.
        said: What steps say, by dotted name; `quality.*` for all numbers of a node.
    """
    if ".cost." in number:
        unit = _COSTS.get(number.rpartition(".")[2])
        return Metric(unit=unit or "", better="lower" if unit else None)
    if number in said:
        return said[number]
    place = number
    while place:
        place = place.rpartition(".")[0]
        if place and f"{place}.{ANY}" in said:
            return said[f"{place}.{ANY}"]
    return Metric(better=known_direction(number))


def known_direction(number: str) -> Direction | None:
    """Whether lower or higher is better of a number with this name; None where its name does not tell.

    It tells where it is a term of the field (`accuracy`, `loss`, `perplexity`) beside words that change nothing about
    it: `validation_loss` is one, `loss_scale`, `accuracy_drop` and `error_of_method_b` are none.
    """
    parts = number.split(".")[1:] or [number]
    for part in reversed(parts):
        words = [word for word in re.split(r"[^a-z0-9]+", _spaced(part).lower().partition("_per_")[0]) if word]
        lower, higher = _LOWER & {*words}, _HIGHER & {*words}
        if not lower and not higher:
            if all(word in _PLAIN or word.isdigit() for word in words):
                continue  # `loss.test` and `top.3`: the part before it may tell
            return None
        others = {*words} - lower - higher
        if (lower and higher) or not all(word in _PLAIN or word.isdigit() for word in others):
            return None
        return "lower" if lower else "higher"
    return None


def _spaced(name: str) -> str:
    """`testLoss` as `test_Loss`; `F1` and `AUC` as they are."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name)
