"""Adapters on a frozen backbone, as the library peft makes them. Shapes: B batch, T tokens, D width."""

from __future__ import annotations

import inspect
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    TaskType,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from etude.errors import StepError, nearest
from etude.nn.classifier_spec import LOW_RANK, TuningSpec

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_KIND = TaskType.FEATURE_EXTRACTION
RANK, TOKENS = 8, 16


class AdaptedBackbone(nn.Module):
    """A backbone with an adapter. What it gives is of the text's own tokens: virtual ones are not among them."""

    def __init__(self, peft: PeftModel) -> None:
        super().__init__()
        self.peft = peft
        config = peft.active_peft_config
        self.virtual = config.num_virtual_tokens if isinstance(config, PromptTuningConfig) else 0
        """How many states of virtual tokens stand before those of the text."""
        self.positions = config.num_virtual_tokens if config.is_prompt_learning else 0
        """How many positions virtual tokens take."""

    @property
    def network(self) -> PreTrainedModel:
        """The backbone that the adapter is on."""
        return self.peft.get_base_model()

    def forward(self, **given: Any) -> Any:
        """As the backbone's own."""
        outputs = self.peft(**given)
        if not self.virtual:
            return outputs
        outputs.last_hidden_state = outputs.last_hidden_state[:, self.virtual :]
        if outputs.get("hidden_states") is not None:
            outputs.hidden_states = tuple(states[:, self.virtual :] for states in outputs.hidden_states)
        if outputs.get("pooler_output") is not None:
            outputs.pooler_output = self.network.pooler(outputs.last_hidden_state)
        return outputs


def add_adapter(network: PreTrainedModel, spec: TuningSpec) -> AdaptedBackbone:
    """Freeze the network and add the adapter that a spec describes.

    Raises:
        StepError: A target matches no layer, or the method does not go with the architecture.
    """
    try:
        with _quiet():
            return AdaptedBackbone(get_peft_model(network, _config(network, spec)))
    except (ValueError, TypeError, NotImplementedError) as error:
        raise StepError(f"tuning.method {spec.method} on {type(network).__name__}: {error}") from error


def save_adapter(backbone: AdaptedBackbone, folder: Path) -> None:
    """Write config and tensors as peft writes them, so that `PeftModel.from_pretrained` opens them."""
    folder.mkdir(parents=True, exist_ok=True)
    content = backbone.peft.active_peft_config.to_dict()
    content = {name: sorted(value) if isinstance(value, set) else value for name, value in content.items()}
    content |= {"base_model_name_or_path": None, "inference_mode": True}
    (folder / CONFIG).write_text(json.dumps(content, indent=1, sort_keys=True, default=str), encoding="utf-8")
    safetensors.torch.save_file(adapter_state(backbone), folder / WEIGHTS, metadata={"format": "pt"})


def adapter_state(backbone: AdaptedBackbone) -> dict[str, Tensor]:
    """The adapter's tensors under the names that peft stores them by."""
    with _quiet():
        state = get_peft_model_state_dict(backbone.peft, save_embedding_layers=False)
    return {name: value.detach().contiguous() for name, value in state.items()}


def set_adapter_state(backbone: AdaptedBackbone, state: dict[str, Tensor]) -> None:
    """Put back what `adapter_state` gave."""
    set_peft_model_state_dict(backbone.peft, state)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep out of a run's log what one library warns the other of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"peft(\.|$)")
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")
        yield


def _config(network: PreTrainedModel, spec: TuningSpec) -> PeftConfig:
    rank, tokens = spec.rank or RANK, spec.tokens or TOKENS
    if spec.method in LOW_RANK:
        return LoraConfig(
            task_type=_KIND,
            r=rank,
            lora_alpha=spec.alpha if spec.alpha is not None else 2 * rank,
            lora_dropout=spec.dropout,
            target_modules=list(targets_of(network, spec)),
            use_dora=spec.method == "dora",
            use_rslora=spec.method == "rslora",
        )
    if spec.method == "ia3":
        targets = targets_of(network, spec)
        return IA3Config(
            task_type=_KIND, target_modules=list(targets), feedforward_modules=list(feed_forward_of(targets))
        )
    if spec.method == "prefix":
        if "past_key_values" not in inspect.signature(network.forward).parameters:
            raise ValueError("this architecture takes no states of tokens before the text. Mend: method: prompt")
        return PrefixTuningConfig(task_type=_KIND, num_virtual_tokens=tokens)
    config = network.config.get_text_config()
    return PromptTuningConfig(
        task_type=_KIND,
        num_virtual_tokens=tokens,
        token_dim=network.get_input_embeddings().weight.shape[1],
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
    )


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
        matching = [name for name in linear if re.fullmatch(spec.targets, name)]
        _require(bool(matching), spec.targets, linear)
        return tuple(matching)
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
