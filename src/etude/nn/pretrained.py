"""Backbones to put classifiers on: from the hub, from a folder, or of random weights by a config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import CONFIG_MAPPING, AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel

from etude.errors import StepError, nearest
from etude.nn.backbone import BackboneCard, most_tokens, network_from, quiet, require_readable, write_card
from etude.nn.model_types import Backbone, NumberFormat
from etude.nn.padding import padding_of
from etude.nn.randomness import fixed_seed

_TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors", "*.safetensors.index.json")
_NOT_WANTED = ("onnx/*", "openvino/*", "original/*", "*/*")


def backbone_of(
    *,
    hub: str | None,
    folder: Path | None,
    config: Mapping[str, Any] | None,
    revision: str | None,
    numbers: NumberFormat,
    seed: int,
    target: Path,
) -> Backbone:
    """Write a backbone's folder: config, weights, `backbone.json` and, where the source has one, the tokenizer.

    Args:
        hub: Name of a model on the hub.
        folder: A folder as `save_pretrained` writes it.
        config: `model_type` and the settings of that architecture: random weights.
        revision: On the hub: a commit, branch or tag.
        numbers: The format that weights are stored and computed in.
        seed: For random weights, and for tensors that a source lacks (a pooler, at most).
        target: The folder to write, made here.

    Raises:
        StepError: Not exactly one source; the hub cannot be reached; there is no such model; it is no text encoder or
            causal model; weights are missing; its tokenizer cannot be read.
    """
    sources = {"hub": hub, "folder": folder, "config": config}
    given = [name for name, source in sources.items() if source is not None]
    if len(given) != 1:
        raise StepError(f"expected exactly one of hub, folder and config, got {' and '.join(given) or 'none'}")
    if revision is not None and hub is None:
        raise StepError("revision goes with hub alone")
    target.mkdir(parents=True, exist_ok=True)
    if config is not None:
        with fixed_seed(seed):
            network = network_from(_config(config), bare=False)
        network = network.to(_dtype(numbers)) if numbers != "stored" else network
        return _written(network, None, (), "config", None, target)
    place = folder if folder is not None else _fetched(str(hub), revision)
    network, made_up = _opened(place, numbers, seed)
    commit = place.name if hub is not None else None
    return _written(network, place, made_up, hub or "folder", commit, target)


def tokenizer_of(folder: Path) -> Tokenizer:
    """The tokenizer of a backbone's folder, as the library tokenizers has it.

    Raises:
        StepError: The folder has none.
    """
    if not (folder / "tokenizer.json").exists():
        raise StepError(
            "this backbone has no tokenizer: it is of random weights, or its folder held none.\n"
            "    Mend: learn one by the step text.tokenize."
        )
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _config(given: Mapping[str, Any]) -> Any:
    kind = given.get("model_type")
    if kind not in CONFIG_MAPPING:
        raise StepError(
            f"config.model_type: {kind!r} is no architecture of transformers; {nearest(str(kind), CONFIG_MAPPING)}"
        )
    plain = AutoConfig.for_model(kind)
    for name in given:
        if not hasattr(plain, name):
            hint = nearest(name, plain.to_dict())
            raise StepError(f"config.{name}: the architecture {kind} has no such setting; {hint}")
    config = AutoConfig.for_model(**given)
    require_readable(config)
    return config


def _fetched(hub: str, revision: str | None) -> Path:
    """A model's files from the hub, or from the hub's cache where it has them."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    if Path(hub).exists():
        raise StepError(f"{hub} is a folder here.\n    Mend: name it under `folder:`, which sees when it changes.")
    local = f"fetch it where there is a network, `hf download {hub} --local-dir DIR`, and write `folder: DIR`"
    try:
        place = snapshot_download(
            hub, revision=revision, allow_patterns=list(_WANTED), ignore_patterns=list(_NOT_WANTED)
        )
        if not any(Path(place).glob("*.safetensors")):
            place = snapshot_download(hub, revision=revision, allow_patterns=["pytorch_model*.bin*"])
    except GatedRepoError as error:
        mend = f"ask for access on its page and run `hf auth login`, or {local}"
        raise StepError(f"the hub's model {hub} is not open to you.\n    Mend: {mend}.") from error
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        at = f" at revision {revision}" if revision else ""
        raise StepError(
            f"the hub has no model {hub!r}{at} that is open to you.\n    Mend: correct the name."
        ) from error
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0].removeprefix("Got: ")
        raise StepError(f"{hub}: the hub cannot be reached ({reason}).\n    Mend: try again, or {local}.") from error
    return Path(place)


def _opened(place: Path, numbers: NumberFormat, seed: int) -> tuple[PreTrainedModel, tuple[str, ...]]:
    """The network in a folder, and which of its tensors are made up because the folder lacks them."""
    if not (place / "config.json").exists():
        raise StepError(f"{place} has no config.json.\n    Mend: name a folder as `save_pretrained` writes it.")
    try:
        config = AutoConfig.from_pretrained(place)
        require_readable(config)
        with fixed_seed(seed), quiet():
            network, loading = AutoModel.from_pretrained(
                place, config=config, dtype="auto" if numbers == "stored" else _dtype(numbers), output_loading_info=True
            )
    except (OSError, ValueError) as error:
        raise StepError(f"{place}: {error}") from error
    missing = sorted(loading["missing_keys"])
    wrong = [name for name in missing if "pooler" not in name] + [str(found) for found in loading["mismatched_keys"]]
    if wrong:
        raise StepError(f"{place}: the weights lack, or have in another shape: {', '.join(wrong[:5])}")
    return network, tuple(missing)


def _written(
    network: PreTrainedModel,
    place: Path | None,
    made_up: tuple[str, ...],
    source: str,
    revision: str | None,
    target: Path,
) -> Backbone:
    embedded = int(network.get_input_embeddings().weight.shape[0])
    pad_id, why, cls_id = network.config.get_text_config().pad_token_id, "the config's own padding", None
    if place is not None and any((place / name).exists() for name in _TOKENIZER_FILES):
        tokenizer = _saved_tokenizer(place, target)
        own = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else pad_id
        padding = padding_of(tokenizer.backend_tokenizer, given=own, end=tokenizer.eos_token_id, embedded=embedded)
        pad_id, why = padding.id, padding.why
        opening = tokenizer.backend_tokenizer.encode("a").ids[:1]
        cls_id = tokenizer.cls_token_id if opening == [tokenizer.cls_token_id] else None
        if not padding.in_text:
            network.config.pad_token_id = pad_id
    elif pad_id is None:
        pad_id, why = 0, "none is needed: the mask tells padding"
    with quiet():
        network.save_pretrained(target)
    card = BackboneCard(pad_id=pad_id, pad_from=why, cls_id=cls_id, source=source, revision=revision, made_up=made_up)
    write_card(card, target)
    return Backbone(
        folder=target,
        architecture=network.config.model_type,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        max_tokens=most_tokens(network),
    )


def _saved_tokenizer(place: Path, target: Path) -> Any:
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError, ImportError) as error:
        raise StepError(f"{place}: its tokenizer cannot be read: {error}") from error
    if not tokenizer.is_fast:
        raise StepError(f"{place}: its tokenizer has no form that the library tokenizers reads")
    tokenizer.save_pretrained(target)
    return tokenizer


def _dtype(numbers: str) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, numbers)
    return dtype
