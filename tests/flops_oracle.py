"""What torch's FlopCounterMode says of small models with eager attention: the independent source for tests of flops/.

Models stand on the meta device wherever they run there; a few ask for the values of their inputs and stand on the CPU.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
)

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()

LABELS = 3
EOS = 2
_IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": EOS}
_LLAMA = {
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    **_IDS,
}
_LLAMA4 = {**_LLAMA, "head_dim": 10, "num_local_experts": 5, "num_experts_per_tok": 1, "intermediate_size_mlp": 90}
_GPT = {"n_embd": 48, "n_layer": 3, "n_head": 6, "vocab_size": 101, "n_positions": 64, **_IDS}
_NEOX = {key: value for key, value in _LLAMA.items() if key != "num_key_value_heads"}
_BERT = {**_NEOX, "num_hidden_layers": 2}
_T5 = {
    "d_model": 48,
    "d_kv": 10,
    "d_ff": 72,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "num_heads": 6,
    "vocab_size": 101,
    "decoder_start_token_id": 0,
    **_IDS,
}
_BART = {
    "d_model": 48,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_ffn_dim": 72,
    "decoder_ffn_dim": 80,
    "encoder_attention_heads": 6,
    "decoder_attention_heads": 4,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    "decoder_start_token_id": 0,
    "forced_eos_token_id": None,
    **_IDS,
}
_XGLM = {
    "d_model": 48,
    "ffn_dim": 72,
    "num_layers": 3,
    "attention_heads": 6,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    **_IDS,
}
_FALCON = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "vocab_size": 101,
    **_IDS,
}
_LATENT = {
    **_LLAMA,
    "num_key_value_heads": 6,
    "kv_lora_rank": 12,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 6,
    "v_head_dim": 10,
    "num_experts_per_tok": 2,
    "n_routed_experts": 6,
    "moe_intermediate_size": 40,
    "n_shared_experts": 2,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
_FIVE = {"num_local_experts": 5, "num_experts_per_tok": 2}
_QWEN_MOE = {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 40}
_GEMMA3N = {
    "head_dim": 12,
    "vocab_size_per_layer_input": 90,
    "hidden_size_per_layer_input": 14,
    "laurel_rank": 10,
}
_QWEN3_NEXT = {
    **_QWEN_MOE,
    "head_dim": 12,
    "shared_expert_intermediate_size": 56,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 10,
}

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _LLAMA),
    "llama mqa tied biases": (
        "llama",
        {**_LLAMA, "num_key_value_heads": 1, "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
    ),
    "llama odd head_dim": ("llama", {**_LLAMA, "head_dim": 14, "num_attention_heads": 4, "num_key_value_heads": 4}),
    "llama4_text": ("llama4_text", {**_LLAMA4, "attention_chunk_size": 5}),
    "llama4_text in turn": (
        "llama4_text",
        {
            **_LLAMA4,
            "num_hidden_layers": 4,
            "interleave_moe_layer_step": 2,
            "attention_bias": True,
            "use_qk_norm": False,
        }
        | {"no_rope_layer_interval": 2, "tie_word_embeddings": True, "num_experts_per_tok": 2},
    ),
    "mistral": ("mistral", {**_LLAMA, "sliding_window": None}),
    "mistral window": ("mistral", {**_LLAMA, "sliding_window": 5}),
    "ministral": ("ministral", {**_LLAMA, "sliding_window": 5, "head_dim": 8}),
    "qwen2": ("qwen2", _LLAMA),
    "qwen2 window": ("qwen2", {**_LLAMA, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}),
    "qwen3": ("qwen3", {**_LLAMA, "head_dim": 10, "tie_word_embeddings": True}),
    "gemma": ("gemma", {**_LLAMA, "head_dim": 12}),
    "gemma2": ("gemma2", {**_LLAMA, "head_dim": 12, "sliding_window": 5}),
    "gemma3": ("gemma3_text", {**_LLAMA, "head_dim": 12, "sliding_window": 5, "sliding_window_pattern": 2}),
    "gemma3 bidirectional": (
        "gemma3_text",
        {**_LLAMA, "head_dim": 12, "sliding_window": 6, "use_bidirectional_attention": True},
    ),
    "gemma3n": (
        "gemma3n_text",
        {**_LLAMA, **_GEMMA3N, "num_hidden_layers": 6, "num_kv_shared_layers": 3, "sliding_window": 5}
        | {"layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2},
    ),
    "gemma3n sharing nothing": (
        "gemma3n_text",
        {**_LLAMA, **_GEMMA3N, "num_kv_shared_layers": 0, "intermediate_size": [72, 60, 48], "altup_num_inputs": 3}
        | {"altup_correct_scale": False, "tie_word_embeddings": False, "attention_bias": True},
    ),
    "glm": ("glm", {**_LLAMA, "head_dim": 8}),
    "glm4": ("glm4", {**_LLAMA, "head_dim": 10, "attention_bias": False}),
    "glm4 biases": ("glm4", {**_LLAMA, "tie_word_embeddings": True}),
    "phi3": ("phi3", _LLAMA),
    "phi3 window": ("phi3", {**_LLAMA, "sliding_window": 6}),
    "phi": ("phi", _LLAMA),
    "phi query norms": ("phi", {**_LLAMA, "qk_layernorm": True}),
    "granite": ("granite", _LLAMA),
    "smollm3": (
        "smollm3",
        {**_LLAMA, "use_sliding_window": True, "sliding_window": 5, "no_rope_layer_interval": 2},
    ),
    "olmo": ("olmo", _LLAMA),
    "olmo2": ("olmo2", _LLAMA),
    "olmo3": ("olmo3", {**_LLAMA, "sliding_window": 5}),
    "starcoder2": ("starcoder2", {**_LLAMA, "sliding_window": 7}),
    "starcoder2 no bias": ("starcoder2", {**_LLAMA, "use_bias": False, "tie_word_embeddings": False}),
    "stablelm": ("stablelm", _LLAMA),
    "stablelm parallel": ("stablelm", {**_LLAMA, "use_parallel_residual": True, "qk_layernorm": True}),
    "cohere": ("cohere", {**_LLAMA, "use_qk_norm": True}),
    "cohere2": ("cohere2", {**_LLAMA, "sliding_window": 5}),
    "mixtral": ("mixtral", {**_LLAMA, **_FIVE}),
    "mixtral window": ("mixtral", {**_LLAMA, **_FIVE, "sliding_window": 5, "num_experts_per_tok": 3}),
    "qwen2_moe": (
        "qwen2_moe",
        {**_LLAMA, **_QWEN_MOE, "shared_expert_intermediate_size": 56, "decoder_sparse_step": 2},
    ),
    "qwen3_moe": ("qwen3_moe", {**_LLAMA, **_QWEN_MOE, "mlp_only_layers": [1], "head_dim": 10}),
    "qwen3_next": ("qwen3_next", {**_LLAMA, **_QWEN3_NEXT, "num_hidden_layers": 4}),
    "qwen3_next in turn": (
        "qwen3_next",
        {**_LLAMA, **_QWEN3_NEXT, "attention_bias": True, "mlp_only_layers": [1], "tie_word_embeddings": True}
        | {"layer_types": ["full_attention", "linear_attention", "linear_attention"], "linear_conv_kernel_dim": 3},
    ),
    "olmoe": ("olmoe", {**_LLAMA, "num_experts": 5, "num_experts_per_tok": 2}),
    "phimoe": ("phimoe", {**_LLAMA, **_FIVE}),
    "granitemoe": ("granitemoe", {**_LLAMA, **_FIVE}),
    "gpt_oss": ("gpt_oss", {**_LLAMA, **_FIVE, "head_dim": 8, "sliding_window": 5}),
    "gpt2": ("gpt2", _GPT),
    "gpt2 inner": ("gpt2", {**_GPT, "n_inner": 100, "tie_word_embeddings": False}),
    "gpt_bigcode": ("gpt_bigcode", _GPT),
    "gpt_bigcode all heads": ("gpt_bigcode", {**_GPT, "multi_query": False}),
    "gptj": ("gptj", {**_GPT, "rotary_dim": 4}),
    "gpt_neox": ("gpt_neox", _NEOX),
    "gpt_neox in turn": ("gpt_neox", {**_NEOX, "use_parallel_residual": False, "attention_bias": False}),
    "bloom": ("bloom", {"hidden_size": 48, "n_layer": 3, "n_head": 6, "vocab_size": 101, **_IDS}),
    "falcon": ("falcon", _FALCON),
    "falcon new": ("falcon", {**_FALCON, "new_decoder_architecture": True, "num_kv_heads": 2, "bias": True}),
    "falcon new one norm": (
        "falcon",
        {**_FALCON, "new_decoder_architecture": True, "num_kv_heads": 3, "num_ln_in_parallel_attn": 1},
    ),
    "falcon rw": (
        "falcon",
        {**_FALCON, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True, "ffn_hidden_size": 90},
    ),
    "opt": ("opt", {**_NEOX, "ffn_dim": 72}),
    "opt narrow": (
        "opt",
        {**_NEOX, "ffn_dim": 72, "word_embed_proj_dim": 20, "do_layer_norm_before": False},
    ),
    "opt plain": ("opt", {**_NEOX, "ffn_dim": 72, "enable_bias": False, "layer_norm_elementwise_affine": False}),
    "xglm": ("xglm", _XGLM),
    "xglm untied": ("xglm", {**_XGLM, "tie_word_embeddings": False, "layerdrop": 0.5}),
    "deepseek_v2": ("deepseek_v2", {**_LATENT, "q_lora_rank": 16, "topk_method": "greedy"}),
    "deepseek_v3": ("deepseek_v3", {**_LATENT, "q_lora_rank": None}),
    "bert": ("bert", _BERT),
    "bert untied": ("bert", {**_BERT, "tie_word_embeddings": False}),
    "roberta": ("roberta", _BERT),
    "xlm-roberta": ("xlm-roberta", _BERT),
    "camembert": ("camembert", _BERT),
    "distilbert": (
        "distilbert",
        {"dim": 48, "hidden_dim": 72, "n_layers": 2, "n_heads": 6, "vocab_size": 101, "max_position_embeddings": 64}
        | {"pad_token_id": 0},
    ),
    "distilbert fixed positions": (
        "distilbert",
        {"dim": 48, "hidden_dim": 72, "n_layers": 2, "n_heads": 6, "vocab_size": 101, "max_position_embeddings": 64}
        | {"pad_token_id": 0, "sinusoidal_pos_embds": True},
    ),
    "electra": ("electra", {**_BERT, "embedding_size": 20}),
    "electra same width": ("electra", {**_BERT, "embedding_size": 48}),
    "albert": (
        "albert",
        {**_BERT, "embedding_size": 20, "num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2},
    ),
    "mpnet": ("mpnet", _BERT),
    "modernbert": (
        "modernbert",
        {**_BERT, "num_hidden_layers": 4, "local_attention": 6, "cls_token_id": 1, "sep_token_id": EOS},
    ),
    "modernbert biases": (
        "modernbert",
        {**_BERT, "cls_token_id": 1, "sep_token_id": EOS, "attention_bias": True, "mlp_bias": True, "norm_bias": True}
        | {"classifier_bias": True, "classifier_pooling": "mean", "decoder_bias": False},
    ),
    "nomic_bert": ("nomic_bert", _BERT),
    "nomic_bert wide heads": ("nomic_bert", {**_BERT, "head_dim": 10, "tie_word_embeddings": False}),
    "jina_embeddings_v3": ("jina_embeddings_v3", _BERT),
    "deberta-v2": (
        "deberta-v2",
        {**_BERT, "relative_attention": True, "pos_att_type": "p2c|c2p", "position_buckets": 8}
        | {"norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False, "type_vocab_size": 0},
    ),
    "deberta-v2 convolution": (
        "deberta-v2",
        {**_BERT, "relative_attention": True, "pos_att_type": ["c2p"], "position_buckets": -1, "embedding_size": 20}
        | {
            "max_relative_positions": 9,
            "conv_kernel_size": 3,
            "conv_groups": 2,
            "conv_act": "gelu",
            "type_vocab_size": 2,
        },
    ),
    "deberta-v2 plain": ("deberta-v2", {**_BERT, "norm_rel_ebd": "layer_norm", "legacy": False}),
    "t5": ("t5", _T5),
    "t5 gated untied": ("t5", {**_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "mt5": ("mt5", _T5),
    "umt5": ("umt5", _T5),
    "bart": ("bart", _BART),
    "mbart": ("mbart", _BART),
    "pegasus": ("pegasus", _BART),
    "marian": ("marian", {**_BART, "share_encoder_decoder_embeddings": True}),
    "blenderbot": ("blenderbot", _BART),
    "bart untied": ("bart", {**_BART, "tie_word_embeddings": False}),
    "pegasus untied": ("pegasus", {**_BART, "tie_word_embeddings": False}),
    "marian two vocabularies": (
        "marian",
        {**_BART, "share_encoder_decoder_embeddings": False, "decoder_vocab_size": 90, "tie_word_embeddings": False},
    ),
    "m2m_100": ("m2m_100", _BART),
    "m2m_100 layer drop": ("m2m_100", {**_BART, "encoder_layerdrop": 0.9, "decoder_layerdrop": 0.9}),
    "m2m_100 untied": ("m2m_100", {**_BART, "tie_word_embeddings": False}),
}
"""A name → the model type and a small config, between them every architecture and option that is described."""

HEADS = ("none", "language", "classification")
_LANGUAGE = (AutoModelForSeq2SeqLM, AutoModelForMaskedLM, AutoModelForCausalLM)


def config(name: str) -> Any:
    """The small config of this name, as an object of transformers."""
    kind, values = CONFIGS[name]
    return AutoConfig.for_model(kind, **values, num_labels=LABELS)


def model_class(config: Any, head: str) -> Any:
    """The automatic class that builds this model with this head; None where transformers has none."""
    choices = {"none": (AutoModel,), "classification": (AutoModelForSequenceClassification,), "language": _LANGUAGE}
    return next((found for found in choices[head] if type(config) in found._model_mapping), None)


CASES = [(name, head) for name in CONFIGS for head in HEADS if model_class(config(name), head) is not None]
"""All names with all heads that transformers has for them."""


def build(config: Any, head: str, device: str | None = None) -> Any:
    """The model of transformers, with eager attention and experts as plain products."""
    place = device or ("cpu" if reads_values(config, head) else "meta")
    options = {"attn_implementation": "eager"}
    if hasattr(config, "num_experts_per_tok"):
        options["experts_implementation"] = "batched_mm"
    with torch.device(place):
        return model_class(config, head).from_config(config, **options).eval()


def reads_values(config: Any, head: str) -> bool:
    """Whether the model asks for the values of its inputs, and so cannot stand on the meta device."""
    return config.model_type in ("gpt2", "deberta-v2") or (config.is_encoder_decoder and head == "classification")


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """Counts the FLOPs of what runs inside; the function it gives says how many so far."""
    with FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten.convolution_backward: convolution_gradients}
    ) as counter:
        yield counter.get_total_flops


def convolution_gradients(gradient: Any, given: Any, weight: Any, *_: Any, out_shape: Any = None, **more: Any) -> int:
    """The products behind the gradients of a convolution. The counter's own formula takes the gradient of a grouped
    convolution's weight for that of a dense one, as many times too much as there are groups.
    """
    forward = 2 * math.prod(gradient) * math.prod(weight[1:])
    return forward * sum(shape is not None for shape in out_shape[:2])


def run(model: Any, config: Any, batch: int, tokens: int, target: int | None = None, **more: Any) -> Any:
    """One forward pass over ids without meaning."""
    device = next(model.parameters()).device
    ids = torch.full((batch, tokens), 5, device=device)
    ids[:, -1] = EOS
    inputs: dict[str, Any] = {"input_ids": ids}
    if target is not None:
        inputs["decoder_input_ids"] = torch.full((batch, target), 5, device=device)
    if not is_encoder(config):
        inputs["use_cache"] = True
    return model(**inputs, **more)


def is_encoder(config: Any) -> bool:
    """Whether the model keeps no cache and takes no word about one."""
    return not config.is_encoder_decoder and type(config) in AutoModelForMaskedLM._model_mapping


def outcome(output: Any) -> torch.Tensor:
    """What a loss would be computed from."""
    logits = getattr(output, "logits", None)
    return output[0] if logits is None else logits


def forward_and_backward(
    model: Any, config: Any, batch: int, tokens: int, target: int | None = None
) -> tuple[int, int]:
    """FLOPs of one forward and of one backward pass."""
    with counting() as so_far:
        output = run(model, config, batch, tokens, target)
        forward = so_far()
        result = outcome(output)
        if result.requires_grad:
            result.sum().backward()
        return forward, so_far() - forward


def target_of(config: Any, head: str) -> int | None:
    """Tokens for the decoder of an encoder-decoder; None where it has none, or makes its own."""
    return 4 if config.is_encoder_decoder and head != "classification" else None
