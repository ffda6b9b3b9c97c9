"""LoRA and IA3 as peft puts them on a model: the same parameters, the same FLOPs forward and backward."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import IA3Config, LoraConfig, get_peft_model

import flops_oracle as oracle
from etude import flops
from etude.errors import ConfigError
from etude.flops.adapters import STACKED as STACKED_TYPES

TARGETS = {
    "llama": ("q_proj", "v_proj", "down_proj"),
    "gpt2": ("c_attn",),
    "bert": ("query", "value"),
    "roberta": ("dense",),
    "t5": ("q", "v", "wo"),
    "falcon": ("query_key_value",),
    "mixtral": ("q_proj", "k_proj"),
    "modernbert": ("Wqkv", "Wi"),
    "bart": ("q_proj", "fc2"),
    "phi3": ("qkv_proj",),
    "qwen3_next": ("in_proj_qkvz", "in_proj_ba", "out_proj", "q_proj"),
    "deberta-v2": ("query_proj", "dense"),
}
NAMES = [pytest.param(name, marks=() if name in ("llama", "bert") else pytest.mark.slow) for name in TARGETS]
_TASKS = {"classification": "SEQ_CLS", "language": "CAUSAL_LM"}


def task(config: Any, head: str) -> str | None:
    if oracle.is_encoder(config) and head == "language":
        return None
    return "SEQ_2_SEQ_LM" if config.is_encoder_decoder and head == "language" else _TASKS[head]


def with_adapter(name: str, head: str, adapter: flops.Lora | flops.Ia3) -> Any:
    """The model of transformers with the same adapter by peft."""
    config = oracle.config(name)
    on_parameters = adapter.targets == "all-linear" and config.model_type in STACKED_TYPES
    model = oracle.build(config, head, device="cpu" if on_parameters else None)
    targets = adapter.targets if isinstance(adapter.targets, str) else list(adapter.targets)
    if isinstance(adapter, flops.Lora):
        how: Any = LoraConfig(r=adapter.rank, target_modules=targets, task_type=task(config, head))
    else:
        how = IA3Config(
            target_modules=targets, feedforward_modules=list(adapter.feedforward), task_type=task(config, head)
        )
    with torch.device(next(model.parameters()).device):
        return get_peft_model(model, how)


def saved_whole(name: str, head: str) -> tuple[str, ...]:
    """What peft trains beside the adapter, as patterns over names."""
    if head == "language":
        return ("adapter",)
    model = flops.describe(oracle.config(name), head=head)
    return ("adapter", *(p for p in ("score.*", "classifier.*") if any(n.startswith(p[:-1]) for n in model.parameters)))


def check(name: str, head: str, adapter: flops.Lora | flops.Ia3) -> None:
    config = oracle.config(name)
    theirs = with_adapter(name, head, adapter)
    ours = flops.describe(config, head=head, adapter=adapter)
    trainable = saved_whole(name, head)
    assert ours.trainable_count(trainable) == sum(p.numel() for p in theirs.parameters() if p.requires_grad)
    target = oracle.target_of(config, head)
    counted = oracle.forward_and_backward(theirs, config, 2, 6, target)
    targets = None if target is None else [target] * 2
    cost = flops.training(ours, [6, 6], target=targets, trainable=trainable)
    assert (cost.forward.issued.torch_flops, cost.backward.issued.torch_flops) == counted


@pytest.mark.parametrize("name", NAMES)
def test_lora_costs_what_torch_counts(name: str) -> None:
    for head in oracle.HEADS[1:]:
        check(name, head, flops.Lora(rank=4, targets=TARGETS[name]))


@pytest.mark.parametrize("name", NAMES)
def test_ia3_costs_what_torch_counts(name: str) -> None:
    for head in oracle.HEADS[1:]:
        check(name, head, flops.Ia3(targets=TARGETS[name], feedforward=TARGETS[name][-1:]))


STACKED = ("mixtral", "qwen3_moe", "qwen3_next", "qwen3_next in turn", "olmoe", "deepseek_v2", "deepseek_v3")
"""Small configs of the architectures whose stacked experts take adapters as well."""
EXPERTS = (*STACKED, "qwen2_moe", "granitemoe", "gpt_oss")


@pytest.mark.parametrize(
    "name", [*NAMES, *(pytest.param(n, marks=pytest.mark.slow) for n in EXPERTS if n not in TARGETS)]
)
def test_lora_on_all_linear_layers_costs_what_torch_counts(name: str) -> None:
    for head in oracle.HEADS[1:]:
        if oracle.model_class(oracle.config(name), head) is None:
            continue
        check(name, head, flops.Lora(rank=3, targets="all-linear"))


@given(rank=st.integers(1, 64), tokens=st.integers(1, 500))
@settings(max_examples=25, deadline=None)
def test_lora_adds_two_small_products_for_each_target(rank: int, tokens: int) -> None:
    config = oracle.CONFIGS["llama"][1] | {"model_type": "llama"}
    model = flops.describe(config, adapter=flops.Lora(rank=rank, targets=("down_proj",)))
    assert flops.forward(model, tokens).useful.adapter_flops == 3 * 2 * tokens * rank * (72 + 48)


def test_ia3_adds_no_product() -> None:
    plain = flops.describe(oracle.config("llama"))
    scaled = flops.describe(oracle.config("llama"), adapter=flops.Ia3(targets=("k_proj", "v_proj")))
    assert flops.forward(scaled, 9).useful == flops.forward(plain, 9).useful


def test_a_frozen_backbone_is_cheaper_to_train_than_a_trained_one_and_dearer_than_a_head() -> None:
    config = oracle.config("llama")
    model = flops.describe(config, head="classification", adapter=flops.Lora(rank=2, targets=("q_proj",)))
    whole, low, head = (
        flops.training(model, 12, trainable=choice).backward.useful.torch_flops
        for choice in ("all", ("adapter", "head"), "head")
    )
    assert head < low < whole


def test_a_target_that_matches_nothing_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"(?s)'q_prj'.*did you mean 'q_proj'"):
        flops.describe(oracle.config("llama"), adapter=flops.Lora(rank=2, targets=("q_prj", "v_proj")))


@pytest.mark.parametrize("target", ["lm_head", "gate", "experts.gate_up_proj"])
def test_heads_routers_and_stacked_experts_take_no_adapter(target: str) -> None:
    with pytest.raises(ConfigError, match="takes an adapter"):
        flops.describe(oracle.config("mixtral"), adapter=flops.Lora(rank=2, targets=(target,)))


def test_a_rank_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"adapter\.rank"):
        flops.Lora(rank=0, targets=("q_proj",))


def test_every_architecture_whose_stacks_peft_adapts_is_among_the_cases() -> None:
    assert {oracle.CONFIGS[name][0] for name in STACKED} == set(STACKED_TYPES)


def test_decoding_pays_for_adapted_stacks_in_every_step() -> None:
    model = flops.describe(oracle.config("mixtral"), adapter=flops.Lora(rank=2, targets="all-linear"))
    cost = flops.generation(model, [5, 3], [4, 4])
    assert cost.decode.issued.adapter_flops > 2 * cost.prefill.issued.adapter_flops
