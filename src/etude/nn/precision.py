"""The number format that products are computed in: bfloat16 where the hardware multiplies it itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeAlias

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]
"""`bf16`: products of matrices in bfloat16, weights and what adds up in float32. `auto`: that where it is faster."""
Format: TypeAlias = Literal["fp32", "bf16"]

MULTIPLIES_BF16 = ("avx512_bf16", "amx_bf16", "avx10_1", "arm_bf16", "bf16")
"""What torch calls the instructions of processors that multiply bfloat16."""


def format_for(wish: Precision, devices: Sequence[str]) -> Format:
    """The format that a wish comes to on these devices; none for the processor."""
    if wish != "auto":
        return wish
    return "bf16" if multiplies_bf16(devices) else "fp32"


def multiplies_bf16(devices: Sequence[str]) -> bool:
    """Whether all of these devices (the processor, where there are none) have instructions for bfloat16 products."""
    import torch

    if devices:
        return all(_gpu_multiplies_bf16(name) for name in devices)
    # early versions of torch do not tell
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in MULTIPLIES_BF16)


def _gpu_multiplies_bf16(name: str) -> bool:
    import torch

    if not name.startswith("cuda"):
        return False
    major, _ = torch.cuda.get_device_capability(name)
    return bool(torch.version.hip) or major >= 8


def autocast(format_: Format, device: str) -> AbstractContextManager[Any]:
    """While open, matrix products on this device are computed in this format."""
    import torch

    if format_ == "fp32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)
