"""Which tensors of a backbone are trained, and what is added to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel

from etude.errors import StepError
from etude.nn.classifier_spec import TuningSpec
from etude.nn.peft_adapters import add_adapter


def apply_tuning(network: PreTrainedModel, spec: TuningSpec) -> nn.Module:
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
            adapted_network: nn.Module = add_adapter(network, spec)
            return adapted_network
    whole: nn.Module = network
    return whole


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
