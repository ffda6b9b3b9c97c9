"""What a frozen backbone makes of token sequences, computed once and kept. Shapes: B batch, T tokens, D width."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class RememberedStates:
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
        known = [self._states[place] for place in places if place is not None]
        if len(known) < len(places):
            return None
        states_BTD = torch.nn.utils.rnn.pad_sequence(known, batch_first=True)
        return torch.nn.functional.pad(states_BTD, (0, 0, 0, columns - states_BTD.shape[1]))


def _keys(ids_BT: Tensor, mask_BT: Tensor) -> Iterator[bytes]:
    ids, counts = ids_BT.cpu().numpy(), mask_BT.sum(dim=1).tolist()
    return (row[:count].tobytes() for row, count in zip(ids, counts, strict=True))
