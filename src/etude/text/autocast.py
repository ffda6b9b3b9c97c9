"""Products in the wanted number format, outside of a training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from etude.nn.precision import Format


def computing(format_: Format, device: str) -> AbstractContextManager[Any]:
    """While open, matrix products on this device are computed in this format."""
    if format_ == "fp32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
