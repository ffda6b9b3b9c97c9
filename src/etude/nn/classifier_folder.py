"""A trained classifier in a folder that predicts by itself: backbone, adapter, head, tokenizer, labels, one card."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from etude.errors import StepError
from etude.nn.backbone import BackboneCard, quiet, read_card, write_card
from etude.nn.classifier import Classifier, build_classifier
from etude.nn.classifier_spec import CARD as CARD
from etude.nn.classifier_spec import FROZEN, ClassifierSpec, ParameterCounts
from etude.nn.peft_adapters import WEIGHTS as ADAPTER_WEIGHTS
from etude.nn.peft_adapters import AdaptedBackbone, adapter_state, save_adapter, set_adapter_state

HEAD, ADAPTER, TOKENIZER = "head.safetensors", "adapter", "tokenizer.json"


def save_classifier(
    classifier: Classifier, folder: Path, *, labels: Sequence[str], tokenizer: str, keep_backbone: bool = True
) -> None:
    """Write a classifier; `load_classifier` gives the same logits to the bit.

    The folder holds `config.json` and weights of the backbone, which transformers opens; `head.safetensors`; with an
    adapter `adapter/`, which peft opens; `tokenizer.json`; `backbone.json`; and, last, `classifier.json`.

    Args:
        classifier: Of `build_classifier`, or one that is trained whole.
        folder: Made where it is not there.
        labels: The classes by name, in the order of the logits.
        tokenizer: As JSON text of the library tokenizers.
        keep_backbone: Whether the folder holds the weights of a backbone that was not trained. Without, it is small,
            names them by their digest, and is loaded with the backbone's folder beside it.

    Raises:
        StepError: The backbone is to be left out, and it was trained.
    """
    require_separable(classifier.spec, keep_backbone)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD).unlink(missing_ok=True)
    if classifier.spec.tuning.method in FROZEN and classifier.source is not None:
        for path in [classifier.source / "config.json", *(_weights(classifier.source) if keep_backbone else ())]:
            shutil.copyfile(path, folder / path.name)
    else:
        with quiet():
            classifier.network.save_pretrained(folder)
    if isinstance(classifier.backbone, AdaptedBackbone):
        save_adapter(classifier.backbone, folder / ADAPTER)
    safetensors.torch.save_file(head_state(classifier), folder / HEAD, metadata={"format": "pt"})
    _copy_tokenizer(classifier.source, folder)
    (folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")
    source = classifier.source
    card = read_card(source) if source is not None else BackboneCard(pad_id=0, pad_from="the tokens")
    write_card(replace(card, pad_id=classifier.pad_id), folder)
    content = {
        "spec": asdict(classifier.spec),
        "labels": list(labels),
        "counts": asdict(count_parameters(classifier)),
        "backbone": None if keep_backbone or source is None else weights_digest(source),
        "tensors": _manifest(classifier),
    }
    (folder / CARD).write_text(json.dumps(content, indent=1), encoding="utf-8")


def load_classifier(folder: Path, backbone: Path | None = None) -> tuple[Classifier, tuple[str, ...]]:
    """The classifier, ready to predict, and its labels.

    Args:
        folder: As `save_classifier` wrote it.
        backbone: Where the weights of the backbone are, if the folder was written without them; otherwise not read.

    Raises:
        StepError: A tensor is missing, left over or of another shape than the classifier has it; the backbone's weights
            are wanted and not given, or others than those that the classifier was trained on.
    """
    card = _read(folder)
    spec = _spec(card["spec"])
    place = folder if card["backbone"] is None else _backbone(folder, backbone, card["backbone"])
    classifier = build_classifier(place, spec, len(card["labels"]), seed=0)
    classifier.pad_id = read_card(folder).pad_id
    _put(classifier, head_state(classifier), safetensors.torch.load_file(folder / HEAD), folder / HEAD)
    if isinstance(classifier.backbone, AdaptedBackbone):
        path = folder / ADAPTER / ADAPTER_WEIGHTS
        if not path.exists():
            raise StepError(f"{folder}: the card tells of an adapter ({spec.tuning.method}), and there is none")
        _put_adapter(classifier.backbone, safetensors.torch.load_file(path), path)
    if _manifest(classifier) != card["tensors"]:
        raise StepError(f"{folder}: the tensors are not those that {CARD} lists")
    return classifier.eval(), tuple(card["labels"])


def read_spec(folder: Path) -> ClassifierSpec:
    """What the classifier in a folder is made of."""
    return _spec(_read(folder)["spec"])


def weights_digest(folder: Path) -> str:
    """The sha256 over the names and contents of a backbone's weights."""
    whole = hashlib.sha256()
    for path in _weights(folder):
        with path.open("rb") as content:
            whole.update(f"{path.name}:{hashlib.file_digest(content, 'sha256').hexdigest()};".encode())
    return whole.hexdigest()


def head_state(classifier: Classifier) -> dict[str, Tensor]:
    """The tensors that stand on the backbone: layer mix, filter, pooling, head."""
    state = classifier.state_dict()
    return {name: value.contiguous() for name, value in state.items() if not name.startswith("backbone.")}


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("model*.safetensors*"))


def require_separable(spec: ClassifierSpec, keep_backbone: bool) -> None:
    """Refuse to leave out a backbone that is trained."""
    method = spec.tuning.method
    if not keep_backbone and method not in FROZEN:
        raise StepError(
            f"keep_backbone false goes with a backbone that stays as it was, and tuning.method {method} trains it.\n"
            f"    Mend: keep_backbone: true, or one of the methods {', '.join(FROZEN)}."
        )


def _backbone(folder: Path, given: Path | None, digest: str) -> Path:
    """The folder of the backbone that a classifier was trained on."""
    if given is None:
        raise StepError(
            f"{folder}: this classifier was kept without its backbone.\n"
            "    Mend: give the step the backbone too (`from: {…, backbone: …}`), or train with keep_backbone: true."
        )
    if weights_digest(given) != digest:
        raise StepError(f"{folder}: the classifier was trained on a backbone of other weights than those in {given}")
    return given


def _read(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    if not path.exists():
        raise StepError(f"{folder} has no {CARD}: it is no classifier, or one that was not written to its end")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _spec(content: Mapping[str, Any]) -> ClassifierSpec:
    from pydantic import TypeAdapter

    return TypeAdapter(ClassifierSpec).validate_python(content)


def _manifest(classifier: Classifier) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in classifier.state_dict().items()}


def _put(classifier: Classifier, wanted: Mapping[str, Tensor], stored: Mapping[str, Tensor], path: Path) -> None:
    _require_same(wanted, stored, path)
    classifier.load_state_dict(dict(stored), strict=False)


def _put_adapter(backbone: AdaptedBackbone, stored: dict[str, Tensor], path: Path) -> None:
    _require_same(adapter_state(backbone), stored, path)
    set_adapter_state(backbone, stored)


def _require_same(wanted: Mapping[str, Tensor], stored: Mapping[str, Tensor], path: Path) -> None:
    """Names and shapes, both ways."""
    wrong = [f"{name} is missing" for name in wanted.keys() - stored.keys()]
    wrong += [f"{name} is left over" for name in stored.keys() - wanted.keys()]
    wrong += [
        f"{name} has shape {tuple(stored[name].shape)} for {tuple(wanted[name].shape)}"
        for name in wanted.keys() & stored.keys()
        if wanted[name].shape != stored[name].shape
    ]
    if wrong:
        raise StepError(f"{path}: the tensors do not match the classifier: {'; '.join(sorted(wrong)[:5])}")


def _copy_tokenizer(source: Path | None, folder: Path) -> None:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if source is not None and (source / name).exists():
            shutil.copyfile(source / name, folder / name)


def count_parameters(classifier: Classifier) -> ParameterCounts:
    """Count the parts of a classifier."""
    added: set[int] = set()
    targets: tuple[str, ...] = ()
    if isinstance(classifier.backbone, AdaptedBackbone):
        # The library freezes all that was there before.
        added = {id(each) for each in classifier.backbone.parameters() if each.requires_grad}
        targets = tuple(sorted(getattr(classifier.backbone.peft.active_peft_config, "target_modules", None) or ()))
    backbone = {id(each): each for each in classifier.backbone.parameters()}
    own = [each for place, each in backbone.items() if place not in added]
    rest = [each for each in classifier.parameters() if id(each) not in backbone]
    return ParameterCounts(
        backbone=_size(own),
        backbone_trained=_size(each for each in own if each.requires_grad),
        adapter=_size(each for place, each in backbone.items() if place in added),
        head=_size(rest),
        targets=targets,
    )


def _size(parameters: Iterable[nn.Parameter]) -> int:
    return sum(each.numel() for each in parameters)
