"""A method trains the tensors that it says, and says when there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from backbones import batch, made
from etude.errors import StepError
from etude.nn.backbone import open_network
from etude.nn.classifier import Classifier, build_classifier
from etude.nn.classifier_spec import ClassifierSpec, TuningMethod, TuningSpec
from etude.nn.peft_adapters import feed_forward_of, targets_of


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    return {name: made(name, root / name) for name in ("bert", "llama", "gpt2", "distilbert", "modernbert", "opt")}


def built(folder: Path, method: TuningMethod, **settings: Any) -> Classifier:
    spec = ClassifierSpec(pooling="mean", tuning=TuningSpec(method=method, **settings))
    return build_classifier(folder, spec, 4, seed=1)


def trained_in_backbone(classifier: Classifier) -> set[str]:
    return {name for name, value in classifier.backbone.named_parameters() if value.requires_grad}


def test_bitfit_trains_all_biases_and_nothing_else(folders: dict[str, Path]) -> None:
    model = built(folders["bert"], "bitfit")
    names = {name for name, _ in model.backbone.named_parameters()}
    assert trained_in_backbone(model) == {name for name in names if name.endswith("bias")}
    assert "encoder.layer.0.attention.self.query.bias" in trained_in_backbone(model)


def test_bitfit_on_a_model_without_biases_is_refused_with_what_to_do(folders: dict[str, Path]) -> None:
    with pytest.raises(StepError, match=r"(?s)bitfit.*LlamaModel has none.*Mend: method: layernorm or lora"):
        built(folders["llama"], "bitfit")


@pytest.mark.parametrize(("architecture", "tensors"), [("bert", 2 * 5), ("llama", 5), ("modernbert", 5)])
def test_layernorm_trains_the_norms_and_nothing_else(architecture: str, tensors: int, folders: dict[str, Path]) -> None:
    found = trained_in_backbone(built(folders[architecture], "layernorm"))
    assert len(found) == tensors
    assert all("norm" in name.lower() for name in found)


@pytest.mark.parametrize(
    ("architecture", "method"),
    [
        (architecture, method)
        for architecture in ("bert", "llama", "gpt2", "distilbert", "opt")
        for method in ("lora", "dora", "rslora", "ia3", "prefix", "prompt")
        if (architecture, method) != ("distilbert", "prefix")  # refused, see below
    ],
)
def test_an_adapter_alone_is_trained_and_every_tensor_of_it(
    architecture: str, method: TuningMethod, folders: dict[str, Path]
) -> None:
    model = built(folders[architecture], method)
    names = trained_in_backbone(model)
    assert names
    assert all(any(word in name for word in ("lora_", "ia3_", "prompt_encoder")) for name in names)
    for _ in range(2):  # LoRA's first matrix has a gradient once the second is not zero
        model(*batch(3, 12, 7)).square().sum().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad
    for name, parameter in model.backbone.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)) == (name in names), name


@pytest.mark.parametrize(("architecture", "name"), [("distilbert", "DistilBert"), ("modernbert", "ModernBert")])
def test_prefixes_are_refused_where_the_architecture_takes_none(
    architecture: str, name: str, folders: dict[str, Path]
) -> None:
    with pytest.raises(StepError, match=f"prefix on {name}Model: this architecture takes no states"):
        built(folders[architecture], "prefix")


@pytest.mark.parametrize(
    ("architecture", "ends"),
    [
        ("bert", {"query", "value"}),
        ("llama", {"q_proj", "v_proj"}),
        ("gpt2", {"c_attn"}),
        ("distilbert", {"q_lin", "v_lin"}),
        ("modernbert", {"Wqkv"}),
        ("opt", {"q_proj", "v_proj"}),
    ],
)
def test_the_usual_targets_are_the_projections_of_queries_and_values(
    architecture: str, ends: set[str], folders: dict[str, Path]
) -> None:
    found = targets_of(open_network(folders[architecture]), TuningSpec(method="lora"))
    assert {name.rsplit(".", 1)[-1] for name in found} == ends
    assert len(found) == 2 * len(ends)


@pytest.mark.parametrize(
    ("architecture", "keys_and_values", "feed_forward"),
    [
        ("bert", ("key", "value"), "output.dense"),
        ("llama", ("k_proj", "v_proj"), "mlp.down_proj"),
        ("gpt2", ("c_attn",), "mlp.c_proj"),
        ("distilbert", ("k_lin", "v_lin"), "ffn.lin2"),
        ("opt", ("k_proj", "v_proj"), "fc2"),
    ],
)
def test_ia3_scales_keys_values_and_what_the_second_feed_forward_layer_reads(
    architecture: str, keys_and_values: tuple[str, ...], feed_forward: str, folders: dict[str, Path]
) -> None:
    network = open_network(folders[architecture])
    found = targets_of(network, TuningSpec(method="ia3"))
    second = feed_forward_of(found)
    assert len(second) == 2
    assert all(name.endswith(feed_forward) and "attention" not in name for name in second)
    rest = set(found) - set(second)
    assert {name.rsplit(".", 1)[-1] for name in rest} == set(keys_and_values)
    assert len(rest) == 2 * len(keys_and_values)


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        (("query", "dense"), 2 * 4),
        (("attention.output.dense",), 2),
        ("all-linear", 2 * 6),
        (r".*layer\.1\..*query", 1),
    ],
)
def test_targets_are_names_ends_of_names_or_an_expression(
    targets: str | tuple[str, ...], count: int, folders: dict[str, Path]
) -> None:
    network = open_network(folders["bert"])
    assert len(targets_of(network, TuningSpec(method="lora", targets=targets))) == count


@pytest.mark.parametrize("targets", [("query", "valeu"), "valeu", ("embeddings",)])
def test_a_target_that_matches_nothing_is_told_even_beside_one_that_does(
    targets: str | tuple[str, ...], folders: dict[str, Path]
) -> None:
    with pytest.raises(StepError, match=r"tuning.targets: '(valeu|embeddings)' matches no linear layer"):
        built(folders["bert"], "lora", targets=targets)


def test_a_misspelt_target_is_met_with_the_nearest_name(folders: dict[str, Path]) -> None:
    with pytest.raises(StepError, match="did you mean 'value'"):
        built(folders["bert"], "lora", targets=("valeu",))


@pytest.mark.parametrize(
    ("method", "rank", "scale"), [("lora", 4, 2.0), ("rslora", 4, 4.0), ("dora", 8, 2.0), ("lora", 8, 2.0)]
)
def test_what_lora_adds_is_scaled_by_alpha_over_rank_or_its_root(
    method: TuningMethod, rank: int, scale: float, folders: dict[str, Path]
) -> None:
    model = built(folders["bert"], method, rank=rank)
    layer = model.network.get_submodule("encoder.layer.0.attention.self.query")
    assert layer.scaling["default"] == pytest.approx(scale)  # type: ignore[index]
    assert layer.lora_A["default"].weight.shape == (rank, 16)  # type: ignore[index, union-attr]


@pytest.mark.parametrize("method", ["lora", "dora", "rslora", "ia3"])
def test_an_adapter_that_has_not_learned_changes_nothing(method: TuningMethod, folders: dict[str, Path]) -> None:
    plain = open_network(folders["bert"]).eval()
    model = built(folders["bert"], method).eval()
    ids, mask = batch(9)
    with torch.inference_mode():
        found = model.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        torch.testing.assert_close(found, plain(ids, attention_mask=mask).last_hidden_state, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("rank", {"method": "probe", "rank": 4}),
        ("rank", {"method": "lora", "rank": 0}),
        ("alpha", {"method": "ia3", "alpha": 2.0}),
        ("dropout", {"method": "lora", "dropout": 1.0}),
        ("targets", {"method": "bitfit", "targets": ("query",)}),
        ("tokens", {"method": "lora", "tokens": 4}),
    ],
)
def test_a_setting_that_the_method_does_not_have_is_refused(field: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}:"):
        TuningSpec(**settings)
