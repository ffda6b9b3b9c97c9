"""A classifier on a backbone's token states: pool, drop out, project."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import PreTrainedModel

from etude.nn.pooling import Pooling
from etude.nn.pooling_kind import PoolingKind


class PooledClassifier(nn.Module):
    """Class logits of token sequences: states are pooled first and projected after, so no logit is computed in vain.

    The backbone is any transformers model whose output has `last_hidden_state`.
    """

    def __init__(self, backbone: PreTrainedModel, *, pooling: PoolingKind, classes: int, dropout: float = 0.0) -> None:
        """`dropout` acts on the embedded tokens and on the pooled state, while training only."""
        super().__init__()
        width = backbone.config.hidden_size
        self.backbone = backbone
        self.pooling = Pooling(pooling, width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Logits, shape (B, classes)."""
        states_BTD = self._states(ids_BT, mask_BT)
        logits: Tensor = self.head(self.dropout(self.pooling(states_BTD, mask_BT)))
        return logits

    def _states(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        if self.training and self.dropout.p > 0:
            embedded_BTD = self.dropout(self.backbone.get_input_embeddings()(ids_BT))
            states: Tensor = self.backbone(inputs_embeds=embedded_BTD, attention_mask=mask_BT).last_hidden_state
        else:
            states = self.backbone(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
        return states
