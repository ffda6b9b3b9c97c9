"""A classifier comes back from its folder to the bit, whatever it is made of, or is refused with the reason."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
import safetensors.torch
import torch
from torch import Tensor

from backbones import batch, made
from etude.errors import StepError
from etude.nn.classifier import Classifier, build_classifier
from etude.nn.classifier_folder import ADAPTER, CARD, HEAD, load_classifier, require_separable, save_classifier
from etude.nn.classifier_spec import (
    FROZEN,
    ClassifierSpec,
    HeadKind,
    HeadSpec,
    PoolingKind,
    SpectralSpec,
    TuningMethod,
    TuningSpec,
)

HEADS, METHODS, POOLINGS = get_args(HeadKind), get_args(TuningMethod), get_args(PoolingKind)
LABELS = ("ask", "buy", "sell", "tell")
LEARNED = SpectralSpec(kind="low", cutoff=0.2, edge="smooth", learned=True)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    return {name: made(name, root / name) for name in ("bert", "llama")}


def trained(folder: Path, spec: ClassifierSpec) -> Classifier:
    """After two large steps, so that every trained tensor is far from where it began."""
    classifier = build_classifier(folder, spec, len(LABELS), seed=1)
    optimiser = torch.optim.SGD([each for each in classifier.parameters() if each.requires_grad], lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(classifier(*batch(2, 9, 5, 6)), torch.arange(4)).backward()
        optimiser.step()
    return classifier.eval()


def logits(classifier: Classifier) -> Tensor:
    with torch.inference_mode():
        return classifier(*batch(1, 12, 7, 3))


def save(classifier: Classifier, folder: Path) -> Path:
    save_classifier(classifier, folder, labels=LABELS, tokenizer="{}")
    return folder


def spec_of(head: HeadKind, pooling: PoolingKind, method: TuningMethod) -> ClassifierSpec:
    tuning = TuningSpec(method=method)
    if head == "default":
        return ClassifierSpec(pooling=None, head=HeadSpec(kind=head), tuning=tuning)
    return ClassifierSpec(
        pooling=pooling,
        pooling_heads=2 if pooling == "attention" else 1,
        layer_mix=True,
        spectral=LEARNED,
        head=HeadSpec(kind=head),
        dropout=0.1,
        tuning=tuning,
    )


def comes_back(folder: Path, spec: ClassifierSpec, target: Path) -> None:
    classifier = trained(folder, spec)
    expected = logits(classifier)
    save(classifier, target)
    again, labels = load_classifier(target)
    assert labels == LABELS
    assert again.spec == spec
    assert not again.training
    assert torch.equal(logits(again), expected)
    assert not torch.equal(logits(build_classifier(folder, spec, 4, seed=1).eval()), expected)


@pytest.mark.parametrize(("head", "method"), [*product(HEADS, METHODS)])
def test_every_head_comes_back_under_every_tuning(
    head: HeadKind, method: TuningMethod, folders: dict[str, Path], tmp_path: Path
) -> None:
    comes_back(folders["bert"], spec_of(head, "attention", method), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "head", "pooling", "method"),
    [
        each
        for each in product(("bert", "llama"), HEADS, POOLINGS, METHODS)
        if each[0] == "bert" or each[3] != "bitfit"
        if each[1] != "default" or each[2] == "mean"
    ],
)
def test_every_head_and_pooling_comes_back_under_every_tuning(
    architecture: str,
    head: HeadKind,
    pooling: PoolingKind,
    method: TuningMethod,
    folders: dict[str, Path],
    tmp_path: Path,
) -> None:
    comes_back(folders[architecture], spec_of(head, pooling, method), tmp_path)


@pytest.mark.parametrize("method", [method for method in METHODS if method not in FROZEN])
def test_trained_weights_of_the_backbone_open_with_transformers_alone(
    method: TuningMethod, folders: dict[str, Path], tmp_path: Path
) -> None:
    from transformers import AutoModel

    classifier = trained(folders["bert"], ClassifierSpec(pooling="mean", tuning=TuningSpec(method=method)))
    theirs = AutoModel.from_pretrained(save(classifier, tmp_path)).eval()
    ids, mask = batch(9)
    with torch.inference_mode():
        expected = classifier.network(ids, attention_mask=mask).last_hidden_state
        assert torch.equal(theirs(ids, attention_mask=mask).last_hidden_state, expected)


@pytest.mark.parametrize("method", ["lora", "dora", "rslora", "ia3", "prompt", "prefix"])
def test_an_adapter_opens_with_peft_alone(method: TuningMethod, folders: dict[str, Path], tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModel

    classifier = trained(folders["bert"], ClassifierSpec(pooling="mean", tuning=TuningSpec(method=method)))
    save(classifier, tmp_path)
    theirs = PeftModel.from_pretrained(AutoModel.from_pretrained(tmp_path), tmp_path / ADAPTER).eval()
    ids, mask = batch(9)
    with torch.inference_mode():
        expected = classifier.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        found = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[:, -9:], expected, atol=1e-6, rtol=0)


def test_an_adapter_holds_its_own_tensors_and_none_of_the_backbone(folders: dict[str, Path], tmp_path: Path) -> None:
    spec = ClassifierSpec(pooling="mean", tuning=TuningSpec(method="lora", rank=2))
    save(trained(folders["bert"], spec), tmp_path)
    state = safetensors.torch.load_file(tmp_path / ADAPTER / "adapter_model.safetensors")
    assert sum(value.numel() for value in state.values()) == 2 * 2 * 2 * (16 + 16)
    assert all("lora_" in name for name in state)
    frozen = (tmp_path / "model.safetensors").read_bytes()
    assert frozen == (folders["bert"] / "model.safetensors").read_bytes()


@pytest.mark.parametrize("method", FROZEN)
@pytest.mark.parametrize("head", ["linear", "default"])
def test_a_classifier_kept_without_its_backbone_is_small_and_comes_back_beside_it(
    method: TuningMethod, head: HeadKind, folders: dict[str, Path], tmp_path: Path
) -> None:
    classifier = trained(folders["bert"], spec_of(head, "mean_max", method))
    save_classifier(classifier, tmp_path, labels=LABELS, tokenizer="{}", keep_backbone=False)
    assert not (tmp_path / "model.safetensors").exists()
    again, _ = load_classifier(tmp_path, folders["bert"])
    assert torch.equal(logits(again), logits(classifier))


def test_without_the_backbone_or_beside_another_it_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    classifier = trained(folders["bert"], ClassifierSpec(pooling="mean", tuning=TuningSpec(method="lora")))
    save_classifier(classifier, tmp_path / "kept", labels=LABELS, tokenizer="{}", keep_backbone=False)
    with pytest.raises(StepError, match=r"(?s)without its backbone.*Mend: give the step the backbone"):
        load_classifier(tmp_path / "kept")
    with pytest.raises(StepError, match="other weights"):
        load_classifier(tmp_path / "kept", made("bert", tmp_path / "other", num_hidden_layers=3))


@pytest.mark.parametrize("method", ["full", "bitfit", "layernorm"])
def test_a_backbone_that_is_trained_is_never_left_out(method: TuningMethod) -> None:
    with pytest.raises(StepError, match=f"tuning.method {method} trains it"):
        require_separable(ClassifierSpec(pooling="mean", tuning=TuningSpec(method=method)), keep_backbone=False)


def rewritten(path: Path, change: Any) -> None:
    state = safetensors.torch.load_file(path)
    change(state)
    safetensors.torch.save_file(state, path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("head.1.bias"), "head.1.bias is missing"),
        (lambda state: state.update({"head.9.bias": torch.zeros(1)}), "head.9.bias is left over"),
        (lambda state: state.update({"head.1.bias": torch.zeros(3)}), r"head.1.bias has shape \(3,\) for \(4,\)"),
    ],
)
def test_a_head_of_other_tensors_is_refused_and_never_made_up(
    change: Any, told: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    save(trained(folders["bert"], ClassifierSpec(pooling="mean")), tmp_path)
    rewritten(tmp_path / HEAD, change)
    with pytest.raises(StepError, match=told):
        load_classifier(tmp_path)


def test_a_head_that_does_not_match_the_adapters_classifier_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    tuning = TuningSpec(method="lora")
    save(trained(folders["bert"], ClassifierSpec(pooling="mean", tuning=tuning)), tmp_path / "mean")
    save(trained(folders["bert"], ClassifierSpec(pooling="mean_max", tuning=tuning)), tmp_path / "mean_max")
    (tmp_path / "mean_max" / HEAD).replace(tmp_path / "mean" / HEAD)
    with pytest.raises(StepError, match=r"head.1.weight has shape \(4, 32\) for \(4, 16\)"):
        load_classifier(tmp_path / "mean")


def test_an_adapter_of_another_rank_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    for rank in (2, 4):
        tuning = TuningSpec(method="lora", rank=rank)
        save(trained(folders["bert"], ClassifierSpec(pooling="mean", tuning=tuning)), tmp_path / str(rank))
    name = f"{ADAPTER}/adapter_model.safetensors"
    (tmp_path / "4" / name).replace(tmp_path / "2" / name)
    with pytest.raises(StepError, match=r"lora_A.*has shape"):
        load_classifier(tmp_path / "2")


def test_an_adapter_that_is_gone_is_missed(folders: dict[str, Path], tmp_path: Path) -> None:
    save(trained(folders["bert"], ClassifierSpec(pooling="mean", tuning=TuningSpec(method="ia3"))), tmp_path)
    (tmp_path / ADAPTER / "adapter_model.safetensors").unlink()
    with pytest.raises(StepError, match=r"adapter \(ia3\)"):
        load_classifier(tmp_path)


def test_a_backbone_that_lacks_a_tensor_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    save(trained(folders["bert"], ClassifierSpec(pooling="mean")), tmp_path)
    rewritten(tmp_path / "model.safetensors", lambda state: state.pop("embeddings.LayerNorm.bias"))
    with pytest.raises(StepError, match=r"embeddings\.LayerNorm\.bias"):
        load_classifier(tmp_path)


def test_the_card_is_written_last_and_a_folder_without_it_is_no_classifier(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = trained(folders["bert"], ClassifierSpec(pooling="mean"))
    save(classifier, tmp_path)
    monkeypatch.setattr(safetensors.torch, "save_file", lambda *given, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(classifier, tmp_path)
    with pytest.raises(StepError, match=f"has no {CARD}"):
        load_classifier(tmp_path)


def test_the_card_names_every_tensor_and_its_shape(folders: dict[str, Path], tmp_path: Path) -> None:
    classifier = trained(folders["bert"], ClassifierSpec(pooling="mean"))
    card = json.loads((save(classifier, tmp_path) / CARD).read_text(encoding="utf-8"))
    assert card["labels"] == list(LABELS)
    assert card["tensors"] == {name: list(value.shape) for name, value in classifier.state_dict().items()}
