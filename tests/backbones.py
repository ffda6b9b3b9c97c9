"""Very small backbones of several architectures, as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

from etude.nn.backbone import BackboneCard, quiet, write_card
from etude.nn.padding import pad
from etude.nn.randomness import fixed_seed

WORDS = 50
"""Rows of every embedding; id 0 is the padding, id 1 opens texts."""
_SIZES: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2},
    "roberta": {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2},
    "distilbert": {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 2},
    "modernbert": {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "cls_token_id": 1,
        "sep_token_id": 2,
    },
    "llama": {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "convbert": {
        "hidden_size": 16,
        "embedding_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
    },
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 2},
    "opt": {
        "hidden_size": 16,
        "ffn_dim": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "word_embed_proj_dim": 16,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
}
ENCODERS, CAUSAL = ("bert", "roberta", "distilbert", "modernbert"), ("llama", "gpt2", "opt")


def config(architecture: str, **changes: Any) -> Any:
    """A config of this architecture."""
    positions = {} if architecture == "gpt2" else {"max_position_embeddings": 64}
    given = {"vocab_size": WORDS, "pad_token_id": 0, **positions, **_SIZES[architecture], **changes}
    return AutoConfig.for_model(architecture, **given)


def made(architecture: str, folder: Path, **changes: Any) -> Path:
    """A backbone of random weights in a folder. Weights are large, so that a mistake shows in the logits."""
    with fixed_seed(5), quiet():
        network = AutoModel.from_config(config(architecture, **changes))
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim == 2:
                    parameter.normal_(std=0.3)
        network.save_pretrained(folder)
    write_card(BackboneCard(pad_id=0, pad_from="a test", cls_id=1), folder)
    return folder


def texts(*lengths: int, seed: int = 3) -> list[list[int]]:
    """Token ids of made-up texts; each begins with id 1."""
    with fixed_seed(seed):
        return [[1, *torch.randint(3, WORDS, (length - 1,)).tolist()] for length in lengths]


def batch(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Such texts as ids and mask."""
    return pad(texts(*lengths), 0)
