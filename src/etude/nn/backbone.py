"""A backbone's folder: what a model of transformers is before a head stands on it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import logging

from etude.errors import StepError

CARD = "backbone.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneCard:
    """What `backbone.json` says beside the config."""

    pad_id: int
    """What fills up rows; never read as text, for the mask tells it."""
    pad_from: str
    """Why this id."""
    cls_id: int | None = None
    """The token that opens every text, where the tokenizer puts one there for classification."""
    source: str = ""
    """Where the weights came from."""
    revision: str | None = None
    """The commit on the hub."""
    made_up: tuple[str, ...] = ()
    """Tensors that the source lacked and that are random."""


def read_card(folder: Path) -> BackboneCard:
    """The card of a backbone's folder.

    Raises:
        StepError: There is none, so this is no backbone that was prepared.
    """
    path = folder / CARD
    if not path.exists():
        raise StepError(f"{folder} has no {CARD}.\n    Mend: make the backbone by the step text.backbone.")
    content = json.loads(path.read_text(encoding="utf-8"))
    return BackboneCard(**{**content, "made_up": tuple(content["made_up"])})


def write_card(card: BackboneCard, folder: Path) -> None:
    """Write the card beside config and weights."""
    (folder / CARD).write_text(json.dumps(asdict(card), indent=1), encoding="utf-8")


def open_network(folder: Path, *, bare: bool = True) -> PreTrainedModel:
    """The network of a backbone's folder, its tensors all from there.

    Args:
        folder: `config.json` and weights as transformers writes them.
        bare: Leave out the pooler that some architectures have above their states and that no head of ours reads.

    Raises:
        StepError: A tensor is missing or has another shape.
    """
    config = AutoConfig.from_pretrained(folder)
    with quiet():
        network, loading = AutoModel.from_pretrained(
            folder, config=config, output_loading_info=True, **_without_pooler(config, bare)
        )
    missing = [*loading["missing_keys"], *(str(found) for found in loading["mismatched_keys"])]
    if missing:
        raise StepError(f"{folder}: the weights lack, or have in another shape: {', '.join(sorted(missing)[:5])}")
    network.config.use_cache = False
    return network


def network_from(config: Any, *, bare: bool = True) -> PreTrainedModel:
    """A network of random weights, from the generators as they stand."""
    network = AutoModel.from_config(config, **_without_pooler(config, bare))
    network.config.use_cache = False
    return network


def most_tokens(network: PreTrainedModel) -> int | None:
    """The longest sequence that a network has positions for; None where there is no such end."""
    positions = getattr(network.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return None
    for name, module in network.named_modules():
        # RoBERTa and its kin number positions from behind the padding's id on.
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return min(positions, module.num_embeddings - module.padding_idx - 1)
    return positions


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's reports and bars out of a run's log while a model is read; what they tell is checked here."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _without_pooler(config: Any, bare: bool) -> dict[str, bool]:
    model_class = MODEL_MAPPING.get(type(config), None)
    takes = model_class is not None and "add_pooling_layer" in inspect.signature(model_class.__init__).parameters
    return {"add_pooling_layer": False} if bare and takes else {}


def require_readable(config: Any) -> None:
    """Refuse architectures whose states cannot be those of a text alone.

    Raises:
        StepError: It is an encoder-decoder, or reads no attention mask.
    """
    if config.is_encoder_decoder:
        raise StepError(
            f"{config.model_type} is an encoder-decoder.\n    Mend: name an encoder (BERT, …) or a causal model."
        )
    model_class = MODEL_MAPPING.get(type(config), None)
    if model_class is None:
        raise StepError(f"{config.model_type} is no text model of transformers")
    if "attention_mask" not in inspect.signature(model_class.forward).parameters:
        raise StepError(f"{config.model_type} reads no attention mask, so that padding would change what it says")
