"""Training without the rows of tokens that do not occur is the same training."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from transformers import AutoModel, BertConfig, LlamaConfig, PretrainedConfig

from etude.nn.classifier import Classifier
from etude.nn.classifier_spec import ClassifierSpec
from etude.nn.embedding_subset import SubsetEmbedding, embedding_subset
from etude.nn.optimisation import parameter_groups
from etude.nn.randomness import fixed_seed

IDS = [0, 3, 7, 8, 20, 33]
CONFIGS = {
    "bert": BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=0
    ),
    "llama": LlamaConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, pad_token_id=0
    ),
}


def classifier(config: PretrainedConfig) -> Classifier:
    with fixed_seed(3):
        return Classifier(AutoModel.from_config(config), ClassifierSpec(), 3, pad_id=0)


def trained(config: PretrainedConfig, *, trim: bool) -> Classifier:
    """Twelve steps, decay and clipping included."""
    model = classifier(config)
    with fixed_seed(5), embedding_subset(model.network, IDS) if trim else nullcontext():
        assert isinstance(model.network.get_input_embeddings(), SubsetEmbedding) == trim
        groups = parameter_groups(model, learning_rate=0.01, weight_decay=0.1, is_head=lambda name: "head" in name)
        optimiser = torch.optim.AdamW(groups, fused=True)
        for _ in range(12):
            ids = torch.tensor(IDS)[torch.randint(1, len(IDS), (4, 5))]
            ids[:2, 4] = 0
            loss = nn.functional.cross_entropy(model(ids, ids != 0), torch.randint(0, 3, (4,)))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimiser.step()
    return model.eval()


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_trimmed_training_gives_the_same_logits_for_every_token(kind: str) -> None:
    whole, some = trained(CONFIGS[kind], trim=False), trained(CONFIGS[kind], trim=True)
    ids = torch.arange(1, 60)[None, :].reshape(-1, 59)
    with torch.inference_mode():
        assert torch.allclose(some(ids, ids > 0), whole(ids, ids > 0), atol=1e-6, rtol=1e-5)
    assert some.state_dict().keys() == whole.state_dict().keys()


def test_rows_that_do_not_occur_stay_as_they_were_to_the_bit() -> None:
    before = classifier(CONFIGS["bert"]).network.get_input_embeddings().weight
    after = trained(CONFIGS["bert"], trim=True).network.get_input_embeddings().weight
    rest = [row for row in range(60) if row not in IDS]
    assert torch.equal(before[rest], after[rest])
    assert not torch.equal(before[IDS], after[IDS])


def test_only_the_rows_that_occur_are_walked_through() -> None:
    model = classifier(CONFIGS["bert"])
    with embedding_subset(model.network, IDS):
        assert model.network.get_input_embeddings().weight.shape == (len(IDS), 16)
    assert model.network.get_input_embeddings().weight.shape == (60, 16)


def test_frozen_mostly_used_and_foreign_embeddings_are_left_alone() -> None:
    for change, ids in (
        (lambda model: model.network.requires_grad_(False), IDS),
        (lambda model: None, range(50)),
        (lambda model: model.network.set_input_embeddings(Scaled(60, 16)), IDS),
    ):
        model = classifier(CONFIGS["bert"])
        change(model)
        embedding = model.network.get_input_embeddings()
        with embedding_subset(model.network, ids):
            assert model.network.get_input_embeddings() is embedding


class Scaled(nn.Embedding):
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(ids)


def test_the_rows_are_put_back_where_training_fails() -> None:
    model = classifier(CONFIGS["bert"])
    embedding = model.network.get_input_embeddings()
    with pytest.raises(ZeroDivisionError), embedding_subset(model.network, IDS):
        raise ZeroDivisionError
    assert model.network.get_input_embeddings() is embedding
