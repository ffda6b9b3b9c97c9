"""Adapters on a frozen backbone, as the library peft makes them. Shapes: B batch, T tokens, D width."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterator
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

from etude.errors import StepError
from etude.nn.classifier_spec import LOW_RANK, TuningSpec
from etude.nn.tuning import feed_forward_of, targets_of

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_KIND = TaskType.FEATURE_EXTRACTION
RANK, TOKENS = 8, 16


class Adapted(nn.Module):
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


def adapted(network: PreTrainedModel, spec: TuningSpec) -> Adapted:
    """Freeze the network and add the adapter that a spec describes.

    Raises:
        StepError: A target matches no layer, or the method does not go with the architecture.
    """
    try:
        with _quiet():
            return Adapted(get_peft_model(network, _config(network, spec)))
    except (ValueError, TypeError, NotImplementedError) as error:
        raise StepError(f"tuning.method {spec.method} on {type(network).__name__}: {error}") from error


def save_adapter(backbone: Adapted, folder: Path) -> None:
    """Write config and tensors as peft writes them, so that `PeftModel.from_pretrained` opens them."""
    folder.mkdir(parents=True, exist_ok=True)
    content = backbone.peft.active_peft_config.to_dict()
    content = {name: sorted(value) if isinstance(value, set) else value for name, value in content.items()}
    content |= {"base_model_name_or_path": None, "inference_mode": True}
    (folder / CONFIG).write_text(json.dumps(content, indent=1, sort_keys=True, default=str), encoding="utf-8")
    safetensors.torch.save_file(adapter_state(backbone), folder / WEIGHTS, metadata={"format": "pt"})


def adapter_state(backbone: Adapted) -> dict[str, Tensor]:
    """The adapter's tensors under the names that peft stores them by."""
    with _quiet():
        state = get_peft_model_state_dict(backbone.peft, save_embedding_layers=False)
    return {name: value.detach().contiguous() for name, value in state.items()}


def set_adapter_state(backbone: Adapted, state: dict[str, Tensor]) -> None:
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
