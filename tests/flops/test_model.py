"""A model from its config: what is read, what is refused, and the figures of a known model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError

LLAMA_1B: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
}


def test_the_parameters_of_a_known_model_are_counted_to_the_last() -> None:
    model = flops.describe(LLAMA_1B)
    assert model.parameter_count == 1_235_814_400
    embedding = model.parameters["model.embed_tokens.weight"].size
    norms = sum(parameter.size for name, parameter in model.parameters.items() if "norm" in name)
    assert (model.parameter_count - embedding, norms) == (973_146_112, 67_584)


@pytest.mark.parametrize(
    ("tokens", "logits", "torch_gflops", "exact_gflops"),
    [
        (128, "last", 251.780923392, 250.715570176),
        (2048, "last", 4536.010801152, 4261.267111936),
        (128, "all", 318.498668544, 317.433315328),
    ],
)
def test_the_prefill_of_a_known_model(tokens: int, logits: Any, torch_gflops: float, exact_gflops: float) -> None:
    cost = flops.forward(flops.describe(LLAMA_1B), tokens, logits=logits).useful
    assert (cost.torch_flops / 1e9, cost.causal_exact_flops) == (torch_gflops, round(exact_gflops * 1e9))


@pytest.mark.parametrize(("cached", "gflops"), [(128, 2.48840192), (2048, 2.74006016)])
def test_a_decode_step_of_a_known_model(cached: int, gflops: float) -> None:
    cost = flops.forward(flops.describe(LLAMA_1B), 1, cached=cached, logits="last").useful
    assert cost.torch_flops == cost.causal_exact_flops == round(gflops * 1e9)


@pytest.mark.parametrize(
    ("prompt", "new", "gflops"), [(128, 128, 568.856674304), (512, 128, 1354.785357824), (2048, 256, 5238.970908672)]
)
def test_a_request_to_a_known_model(prompt: int, new: int, gflops: float) -> None:
    cost = flops.generation(flops.describe(LLAMA_1B), prompt, new).total.useful
    assert cost.torch_flops == round(gflops * 1e9)


KINDS = {kind: name for name, (kind, _) in reversed(oracle.CONFIGS.items())}
"""Each architecture → the first of its small configs."""


def usual_head(name: str) -> Any:
    return "classification" if oracle.is_encoder(oracle.config(name)) else "language"


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_left_at_its_default_may_be_left_out(kind: str) -> None:
    given, whole = oracle.CONFIGS[KINDS[kind]][1], oracle.config(KINDS[kind]).to_dict()
    head = usual_head(KINDS[kind])
    expected = flops.describe(whole, head=head)
    for key in set(whole) - set(given) - {"model_type", "num_labels", "id2label", "label2id"}:
        rest = {other: value for other, value in whole.items() if other != key}
        try:
            found = flops.describe(rest, head=head)
        except ConfigError:
            assert key in ("num_local_experts", "num_experts", "n_routed_experts"), key
            continue
        assert same(found, expected), key


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_config_leaves_out_is_what_transformers_takes_or_is_refused(kind: str) -> None:
    given, head = oracle.CONFIGS[KINDS[kind]][1], usual_head(KINDS[kind])
    for key in given:
        rest = {other: value for other, value in given.items() if other != key}
        try:
            expected = flops.describe(AutoConfig.for_model(kind, **rest), head=head)
            found = flops.describe({"model_type": kind, **rest}, head=head)
        except (ValueError, TypeError, StrictDataclassError, ConfigError):
            continue
        assert same(found, expected), key


def same(one: flops.Model, other: flops.Model) -> bool:
    """Whether two models have the same parameters and costs, with windows and padding in play."""
    costs = [flops.training(model, [3, 30], trainable="all") for model in (one, other)]
    return dict(one.parameters) == dict(other.parameters) and costs[0] == costs[1]


def test_a_config_may_be_a_mapping_an_object_a_file_or_a_folder(tmp_path: Path) -> None:
    config = oracle.config("gemma2")
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config.to_dict(), default=str), encoding="utf-8")
    counts = {flops.describe(source).parameter_count for source in (config, config.to_dict(), file, str(tmp_path))}
    assert len(counts) == 1


def test_a_config_as_transformers_saves_it_describes_the_same_model(tmp_path: Path) -> None:
    for name in ("llama", "gpt2", "gemma3", "qwen2 window", "modernbert", "t5", "falcon new"):
        config = oracle.config(name)
        config.save_pretrained(tmp_path)
        assert flops.describe(tmp_path).parameters == flops.describe(config).parameters


def test_the_text_part_of_a_model_of_several_modalities_is_described_and_said_to_be_a_part() -> None:
    text = oracle.config("gemma3").to_dict()
    model = flops.describe({"model_type": "gemma3", "text_config": text, "vision_config": {}})
    assert flops.forward(model, 9) == flops.forward(flops.describe(text), 9)
    assert "text" in model.notes[0]


def test_an_unknown_architecture_is_refused_by_name_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"(?s)'qwen3moe'.*did you mean 'qwen3_moe'"):
        flops.describe({**LLAMA_1B, "model_type": "qwen3moe"})


@pytest.mark.parametrize("missing", ["hidden_size", "num_hidden_layers", "vocab_size", "intermediate_size"])
def test_a_missing_size_is_named_and_never_guessed(missing: str) -> None:
    config = {key: value for key, value in LLAMA_1B.items() if key != missing}
    with pytest.raises(ConfigError, match=f"config.{missing}: is missing"):
        flops.describe(config)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", "2048"),
        ("hidden_size", -1),
        ("num_hidden_layers", 1.5),
        ("num_key_value_heads", 5),
        ("tie_word_embeddings", "yes"),
    ],
)
def test_a_senseless_value_is_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match="num_attention_heads" if field == "num_key_value_heads" else field):
        flops.describe({**LLAMA_1B, field: value})


def test_heads_that_do_not_share_out_the_width_are_refused() -> None:
    for name in ("gpt2", "bert", "opt", "bart", "modernbert"):
        config = oracle.config(name).to_dict()
        for key in ("n_head", "num_attention_heads", "encoder_attention_heads"):
            config |= {key: 7} if key in config else {}
        with pytest.raises(ConfigError, match="a divisor of 48"):
            flops.describe(config)


def test_more_active_experts_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_experts_per_tok"):
        flops.describe({**oracle.config("mixtral").to_dict(), "num_experts_per_tok": 6})


def test_a_layer_type_that_is_not_described_is_refused() -> None:
    config = {**oracle.config("qwen3").to_dict(), "layer_types": ["full_attention", "linear_attention", "other"]}
    with pytest.raises(ConfigError, match="linear_attention"):
        flops.describe(config)


@pytest.mark.parametrize("source", [3, None, "/no/such/folder"])
def test_what_is_no_config_is_refused(source: Any) -> None:
    with pytest.raises(ConfigError, match="config"):
        flops.describe(source)


def test_a_file_that_is_no_json_object_is_named(tmp_path: Path) -> None:
    for text in ("[]", "{"):
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"config\.json"):
            flops.describe(tmp_path)


def test_what_is_trained_may_be_said_in_words_or_patterns() -> None:
    model = flops.describe(oracle.config("qwen2"))
    assert model.trainable_count("all") == model.parameter_count
    assert model.trainable_count("none") == 0
    assert model.trainable_count("bias") == 3 * (48 + 16 + 16)
    assert model.trainable_count("norm") == 7 * 48
    assert model.trainable_count("head") == 101 * 48
    assert model.trainable_count(("bias", "*.0.mlp.up_proj.weight")) == 240 + 72 * 48


@pytest.mark.parametrize(("choice", "mend"), [("bias", "no biases"), ("adapter", "adapter"), ("*.q_prj.*", "known")])
def test_training_nothing_by_mistake_is_refused(choice: str, mend: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s)trainable.*{mend}"):
        flops.training(flops.describe(oracle.config("llama")), 5, trainable=choice)


def test_describing_needs_neither_torch_nor_numpy() -> None:
    program = (
        "import sys, json; from etude import flops\n"
        f"model = flops.describe(json.loads({json.dumps(json.dumps(LLAMA_1B))}))\n"
        "flops.generation(model, 12, 34); flops.training(model, [3, 4], trainable='all')\n"
        "flops.weight_bytes(model, quantisation='nf4'); flops.step_traffic(model, [3, 4])\n"
        "print(*{name.split('.')[0] for name in sys.modules} & {'torch', 'transformers', 'numpy'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_supported_name_is_one_that_transformers_knows() -> None:
    for name in flops.supported():
        AutoConfig.for_model(name)


def test_layers_that_share_keys_need_one_of_their_kind_that_has_its_own() -> None:
    config = {**oracle.config("gemma3n").to_dict(), "num_kv_shared_layers": 5}
    with pytest.raises(ConfigError, match="num_kv_shared_layers"):
        flops.describe(config)
