"""Which tensors of a backbone are trained, and what is added to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from etude.errors import StepError, nearest
from etude.nn.classifier_spec import ADAPTERS, LOW_RANK, TuningSpec

_USUAL = (
    ("q_proj", "v_proj"),
    ("query", "value"),
    ("q_lin", "v_lin"),
    ("query_proj", "value_proj"),
    ("q", "v"),
    ("Wqkv",),
    ("query_key_value",),
    ("qkv_proj",),
    ("c_attn",),
)
"""Names that architectures give to the projections of queries and values."""
_USUAL_SCALED = (
    (("k_proj", "v_proj"), ("down_proj", "fc2", "c_proj")),
    (("key", "value"), ("output.dense",)),
    (("k_lin", "v_lin"), ("lin2",)),
    (("key_proj", "value_proj"), ("output.dense",)),
    (("k", "v"), ("output.dense", "wo")),
    (("Wqkv",), ("Wo",)),
    (("query_key_value",), ("dense_4h_to_h",)),
    (("qkv_proj",), ("down_proj",)),
    (("c_attn",), ("mlp.c_proj",)),
)
"""The same for keys and values, and for the second layer of the feed-forward part, whose input IA3 scales."""
_IN_ATTENTION = ("attention.output.dense", "attn.c_proj", "attn.Wo")
"""What has the name of such a second layer and is none."""


def tuned(network: PreTrainedModel, spec: TuningSpec) -> nn.Module:
    """The network with the tensors to train marked, and with an adapter where the method has one.

    Random tensors of an adapter come from the generators as they stand.

    Raises:
        StepError: The method has nothing to train on this network, or a target matches no layer of it.
    """
    match spec.method:
        case "full":
            network.requires_grad_(True)
        case "probe":
            network.requires_grad_(False)
        case "bitfit":
            _train_only(network, [name for name, _ in network.named_parameters() if name.endswith("bias")], spec)
        case "layernorm":
            _train_only(network, _of_norms(network), spec)
        case _:
            from etude.nn.adapters import adapted

            adapted_network: nn.Module = adapted(network, spec)
            return adapted_network
    whole: nn.Module = network
    return whole


def targets_of(network: nn.Module, spec: TuningSpec) -> tuple[str, ...]:
    """The whole names of the layers that an adapter acts on.

    Raises:
        StepError: A target matches none, or the architecture's usual ones are not known.
    """
    linear = [name for name, module in network.named_modules() if isinstance(module, (nn.Linear, Conv1D))]
    if spec.targets == "all-linear":
        return tuple(linear)
    if spec.targets == "auto":
        usual = _usual(network, linear, spec)
        return tuple(name for name in linear if _ends(name, usual) and not _ends(name, _IN_ATTENTION))
    if isinstance(spec.targets, str):
        found = [name for name in linear if re.fullmatch(spec.targets, name)]
        _require(bool(found), spec.targets, linear)
        return tuple(found)
    for target in spec.targets:
        _require(any(_ends(name, (target,)) for name in linear), target, linear)
    return tuple(name for name in linear if _ends(name, spec.targets))


def feed_forward_of(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the targets that are the second layer of a feed-forward part: IA3 scales what they read."""
    ends = {end for _, seconds in _USUAL_SCALED for end in seconds}
    return tuple(name for name in names if _ends(name, tuple(ends)) and not _ends(name, _IN_ATTENTION))


def _usual(network: nn.Module, linear: Sequence[str], spec: TuningSpec) -> tuple[str, ...]:
    if spec.method in LOW_RANK:
        for group in _USUAL:
            if all(any(_ends(name, (end,)) for name in linear) for end in group):
                return group
    else:
        for group, seconds in _USUAL_SCALED:
            present = tuple(end for end in seconds if any(_ends(name, (end,)) for name in linear))
            if present and all(any(_ends(name, (end,)) for name in linear) for end in group):
                return (*group, *present)
    raise StepError(
        f"tuning.targets: the usual layers of {type(network).__name__} are not known; its linear layers end in "
        f"{', '.join(sorted(_ends_of(linear)))}.\n    Mend: list some of them, or write all-linear."
    )


def _train_only(network: nn.Module, names: Sequence[str], spec: TuningSpec) -> None:
    if not names:
        what = {"bitfit": "biases", "layernorm": "norms with parameters"}[spec.method]
        mend = "layernorm or lora" if spec.method == "bitfit" else "bitfit or lora"
        reason = f"tuning.method {spec.method} trains {what}, and {type(network).__name__} has none"
        raise StepError(f"{reason}.\n    Mend: method: {mend}.")
    chosen = frozenset(names)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in chosen)


def _of_norms(network: nn.Module) -> list[str]:
    return [
        f"{place}.{name}" if place else name
        for place, module in network.named_modules()
        if isinstance(module, nn.LayerNorm) or re.search(r"Norm$", type(module).__name__)
        for name, _ in module.named_parameters(recurse=False)
    ]


def _require(holds: bool, target: str, linear: Sequence[str]) -> None:
    if not holds:
        raise StepError(
            f"tuning.targets: {target!r} matches no linear layer of the backbone.\n"
            f"    Mend: {nearest(target, _ends_of(linear))}"
        )


def _ends(name: str, ends: Sequence[str]) -> bool:
    return any(name == end or name.endswith("." + end) for end in ends)


def _ends_of(linear: Sequence[str]) -> set[str]:
    return {name.rsplit(".", 1)[-1] for name in linear}


def is_adapter(spec: TuningSpec) -> bool:
    """Whether the method adds tensors to the backbone."""
    return spec.method in ADAPTERS


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """The tensors that are trained, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
