"""A classifier on a backbone: states → (layer mix) → (spectral filter) → pooling → head.

Shapes: B batch, T tokens, D width, L layers with the embedding, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from etude.errors import StepError
from etude.nn.backbone import most_tokens, open_network, read_card
from etude.nn.classifier_heads import LibraryHead, head_of, library_classifier
from etude.nn.classifier_spec import FROZEN, ClassifierSpec
from etude.nn.padding import left_alignment, pad
from etude.nn.pooling import Pooling
from etude.nn.randomness import fixed_seed
from etude.nn.spectral import spectral_filter
from etude.nn.tuning import apply_tuning


class LayerMix(nn.Module):
    """The states of all layers under learned weights that sum to 1, times a learned factor.

    Source: Peters et al., Deep contextualized word representations, 2018, equation 1. It begins as the plain mean.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(layers))
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, states_LBTD: tuple[Tensor, ...]) -> Tensor:
        """Mixed states, shape (B, T, D)."""
        shares_L = self.weight.softmax(dim=0)
        mixed = states_LBTD[0] * shares_L[0]
        for share, states_BTD in zip(shares_L[1:], states_LBTD[1:], strict=True):
            mixed = mixed + share * states_BTD
        return self.factor * mixed


class Classifier(nn.Module):
    """Class logits of token sequences. Where the padding stands and how much there is makes no difference."""

    def __init__(
        self, network: PreTrainedModel, spec: ClassifierSpec, classes: int, *, pad_id: int, own: nn.Module | None = None
    ) -> None:
        """Put a head on a network; random tensors come from the generators as they stand.

        Args:
            network: Its outputs have `last_hidden_state`.
            spec: What stands on it and what is trained.
            classes: C.
            pad_id: What fills up rows.
            own: The architecture's own head, with `head: default`.

        Raises:
            StepError: Fewer than two classes, or the tuning method does not go with the network.
        """
        super().__init__()
        if classes < 2:
            raise StepError(f"a classifier needs two classes or more, and the training texts have {classes}")
        config = network.config.get_text_config()
        self.spec = spec
        self.pad_id = pad_id
        self.source: Path | None = None
        """The folder that the network came from."""
        self.mix = LayerMix(config.num_hidden_layers + 1) if spec.layer_mix else None
        self.filter = spectral_filter(spec.spectral) if spec.spectral is not None else None
        pools = not isinstance(own, LibraryHead)
        self.pooling = Pooling(spec.pooling or "last", _width(network), spec.pooling_heads) if pools else None
        self.head = own if own is not None else head_of(spec.head, _pooled(self.pooling), classes, spec.dropout)
        self.embedded_dropout = nn.Dropout(spec.embedded_dropout)
        self.backbone = apply_tuning(network, spec.tuning)
        most, taken = most_tokens(network), getattr(self.backbone, "positions", 0)
        self.most_tokens = None if most is None else most - taken
        """The longest text that there are positions for; None where there is no such end."""
        self._frozen = spec.tuning.method == "probe"
        self._cache: StateCache | None = None
        self.train()

    @property
    def network(self) -> PreTrainedModel:
        """The backbone without its adapter."""
        network: PreTrainedModel = getattr(self.backbone, "network", self.backbone)
        return network

    @property
    def projection(self) -> nn.Module:
        """The module whose one input is the vector that the classes are told from."""
        return self.head.projection if isinstance(self.head, LibraryHead) else self.head

    def forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Logits, shape (B, C). The mask is 1 (or True) where a token stands."""
        length = self.spec.spectral.length if self.spec.spectral is not None else None
        ids, mask = left_alignment(ids_BT, mask_BT, self.pad_id, length)
        if self.pooling is None:
            own: Tensor = self.head(self._outputs(ids, mask), ids, mask)
            return own
        columns = ids.shape[1] if self._keeps_states else 1
        cached = self._cache.states(ids, mask, columns=columns) if self._cache is not None else None
        if cached is not None and not self._keeps_states:
            vector = cached[:, 0]
        else:
            vector = self._vector(self._states(ids, mask) if cached is None else cached, mask)
        logits: Tensor = self.head(vector.to(next(self.head.parameters()).dtype))
        return logits

    @property
    def bytes_to_remember(self) -> int | None:
        """What one token takes to remember; None where the backbone must be computed anew each time.

        That is so where it is trained or drops embeddings out, where the head is the architecture's own, and where
        layers are mixed or states depend on the rest of a batch (`legacy` filters).
        """
        legacy = self.spec.spectral is not None and self.spec.spectral.kind == "legacy"
        again = not self._frozen or self.pooling is None or self.mix is not None or legacy
        return None if again or self.embedded_dropout.p > 0 else _width(self.network) * 4

    def remember(self, ids_BT: Tensor, mask_BT: Tensor) -> None:
        """Compute what the frozen backbone makes of these sequences, and use that from now on.

        What is kept is the vector that the head takes, or the states below the first part that is trained.
        """
        self._cache = self._cache or StateCache()
        length = self.spec.spectral.length if self.spec.spectral is not None else None
        ids, mask = left_alignment(ids_BT, mask_BT, self.pad_id, length)
        with torch.no_grad():
            states_BTD = self._states(ids, mask)
            kept = states_BTD if self._keeps_states else self._vector(states_BTD, mask)[:, None]
        self._cache.add(ids, mask, kept)

    def forget(self) -> None:
        """Compute the backbone anew from now on."""
        self._cache = None

    @property
    def _keeps_states(self) -> bool:
        """Whether something is trained between the backbone and the head."""
        return any(True for part in (self.filter, self.pooling) if part is not None for _ in part.parameters())

    def _states(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        outputs = self._outputs(ids_BT, mask_BT)
        states_BTD: Tensor = self.mix(outputs.hidden_states) if self.mix is not None else outputs.last_hidden_state
        return states_BTD

    def _vector(self, states_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        assert self.pooling is not None
        states = self.filter(states_BTD, mask_BT) if self.filter is not None else states_BTD
        vector: Tensor = self.pooling(states, mask_BT)
        return vector

    def train(self, mode: bool = True) -> Classifier:
        """As ever, but that a backbone under a probe stays as it is when predicting."""
        super().train(mode)
        if self._frozen:
            self.backbone.eval()
        return self

    def _outputs(self, ids_BT: Tensor, mask_BT: Tensor) -> Any:
        arguments: dict[str, Any] = {"attention_mask": mask_BT}
        if self.mix is not None:
            arguments["output_hidden_states"] = True
        with torch.no_grad() if self._frozen else nullcontext():
            if self.training and self.embedded_dropout.p > 0:
                embedded_BTD = self.network.get_input_embeddings()(ids_BT)
                return self.backbone(inputs_embeds=self.embedded_dropout(embedded_BTD), **arguments)
            return self.backbone(input_ids=ids_BT, **arguments)


def build_classifier(backbone: Path, spec: ClassifierSpec, classes: int, *, seed: int) -> Classifier:
    """A classifier on the backbone in a folder, its new tensors drawn under the seed.

    Raises:
        StepError: Fewer than two classes; training a backbone whose weights are short of digits; `cls` pooling without
            such a token; a tuning method that has nothing to train; targets that match nothing; no own head where
            `default` is wanted.
    """
    card = read_card(backbone)
    if spec.pooling == "cls" and card.cls_id is None:
        raise StepError(
            "pooling cls: this backbone's tokenizer opens no text with a classification token.\n"
            "    Mend: pooling: first for the first token whatever it is, or last for a causal model."
        )
    with fixed_seed(seed):
        if spec.head.kind == "default":
            network, own = library_classifier(backbone, classes)
        else:
            network, own = open_network(backbone), None
        classifier = Classifier(network, spec, classes, pad_id=card.pad_id, own=own)
    if network.dtype != torch.float32 and spec.tuning.method not in FROZEN:
        raise StepError(
            f"tuning.method {spec.tuning.method} trains a backbone whose weights are {str(network.dtype)[6:]}: small "
            "steps would be lost in rounding.\n    Mend: text.backbone with numbers: float32 (precision: bf16 computes "
            "its products in bfloat16 all the same), or an adapter."
        )
    classifier.source = backbone
    return classifier


def _width(network: PreTrainedModel) -> int:
    width: int = network.config.get_text_config().hidden_size
    return width


def _pooled(pooling: Pooling | None) -> int:
    assert pooling is not None
    return pooling.width


class StateCache:
    """The states of token sequences, each of its own length, found again by their tokens."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._states: list[Tensor] = []

    def add(self, ids_BT: Tensor, mask_BT: Tensor, states_BTD: Tensor) -> None:
        """Keep the states of sequences that stand at the left of their rows; T may be 1 for one state of each."""
        for key, states_TD in zip(_keys(ids_BT, mask_BT), states_BTD, strict=True):
            if key not in self._places:
                self._places[key] = len(self._states)
                self._states.append(states_TD[: len(key) // ids_BT.element_size()].clone())

    def states(self, ids_BT: Tensor, mask_BT: Tensor, *, columns: int) -> Tensor | None:
        """The states of these sequences, zeros behind each, shape (B, columns, D); None where one is not known."""
        places = [self._places.get(key) for key in _keys(ids_BT, mask_BT)]
        cached = [self._states[place] for place in places if place is not None]
        if len(cached) < len(places):
            return None
        states_BTD = torch.nn.utils.rnn.pad_sequence(cached, batch_first=True)
        return torch.nn.functional.pad(states_BTD, (0, 0, 0, columns - states_BTD.shape[1]))


def _keys(ids_BT: Tensor, mask_BT: Tensor) -> Iterator[bytes]:
    ids, counts = ids_BT.cpu().numpy(), mask_BT.sum(dim=1).tolist()
    return (row[:count].tobytes() for row, count in zip(ids, counts, strict=True))


TOLERANCE = 0.02
"""Of the largest logit: far beyond rounding even in bfloat16, far below what a leak does."""


def require_blind_to_padding(classifier: Classifier, short: Sequence[int], long: Sequence[int]) -> None:
    """Predict a short text alone and beside a long one; leave the classifier in the mode it was in.

    Some architectures mix neighbouring tokens by convolutions that read no mask: what they predict is the batch's too.

    Raises:
        StepError: The logits of the short text are not the same. Nothing is checked under the `legacy` filter, for
            which it is known.
    """
    spectral = classifier.spec.spectral
    if (spectral is not None and spectral.kind == "legacy") or len(long) <= len(short):
        return
    training = classifier.training
    classifier.eval()
    try:
        with torch.inference_mode():
            alone = classifier(*pad([short], classifier.pad_id)).float()
            beside = classifier(*pad([short, long], classifier.pad_id)).float()[:1]
    finally:
        classifier.train(training)
    if (alone - beside).abs().max() > TOLERANCE * alone.abs().max():
        raise StepError(
            f"{classifier.network.config.model_type} lets padding into the states of a text: what it predicts would "
            "depend on the batch.\n    Mend: another architecture."
        )
