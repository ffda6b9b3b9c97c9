"""Torch tensors as safetensors. Values only: neither gradients nor devices are part of a result; all load on the CPU.

A loaded tensor is fresh: what is written into it stays in memory. Torch is imported only where a value is torch's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from etude.errors import StepError
from etude.store.codecs import tensor_file
from etude.store.codecs.leaf import Tree, TypeName
from etude.store.codecs.tensor_file import Stored, TensorEntry
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

if TYPE_CHECKING:
    import torch

TORCH: tuple[TypeName, ...] = (("torch", "Tensor"),)
_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "complex64": "C64",
    "bool": "BOOL",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
    "float8_e5m2": "F8_E5M2",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
}
_ONLY = "tensor"


class TensorCodec:
    """One tensor per file."""

    name = "tensor"
    types = TORCH

    def encode(self, value: torch.Tensor, draft: Draft, at: str) -> Tree:
        file = f"{at}.safetensors"
        tensor_file.write([entry_of(_ONLY, value)], draft, file)
        return {"codec": self.name, "file": file}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> torch.Tensor:
        buffer, stored = tensor_file.read(content, tree["file"], writable=True)
        return tensor_of(buffer, stored[_ONLY])


def entry_of(name: str, tensor: torch.Tensor) -> TensorEntry:
    """A tensor as safetensors takes it. StepError for one that it cannot hold."""
    import torch

    place = "" if name == _ONLY else f"{name!r}: "
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        raise StepError(f"{place}a {type(tensor).__qualname__} would come back as a plain tensor.\n"
                        "    Mend: return it as a torch.Tensor.")  # fmt: skip
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        kind = "quantised" if tensor.is_quantized else f"{tensor.layout} on {tensor.device}"
        raise StepError(f"{place}a tensor that is {kind} is not stored.\n    Mend: return it dense, with its data.")
    dtype = _NAMES.get(str(tensor.dtype).removeprefix("torch."))
    if dtype is None:
        raise StepError(
            f"{place}a tensor of {tensor.dtype} is not stored.\n"
            "    Mend: convert it (complex128 by torch.view_as_real, quantised ones by dequantize())."
        )
    return TensorEntry(name=name, dtype=dtype, shape=tuple(tensor.shape), data=lambda: _bytes_of(tensor))


def tensor_of(buffer: Any, stored: Stored) -> torch.Tensor:
    """A tensor over bytes that it may change."""
    import torch

    dtype = _dtypes()[stored.dtype]
    if stored.size == 0:
        return torch.empty(stored.shape, dtype=dtype)
    count = stored.size // tensor_file.ITEM_BYTES[stored.dtype]
    return torch.frombuffer(buffer, dtype=dtype, count=count, offset=stored.start).reshape(stored.shape)


def place_of(tensor: torch.Tensor) -> tuple[Any, ...] | None:
    """What two tensors share that are one and the same memory; None for an empty one."""
    if tensor.numel() == 0:
        return None
    return (tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())


def _bytes_of(tensor: torch.Tensor) -> Any:
    import torch

    if tensor.numel() == 0:
        return b""
    dense = tensor.detach().resolve_conj().resolve_neg().to("cpu").contiguous()
    return dense.reshape(-1).view(torch.uint8).numpy()


@lru_cache(maxsize=1)
def _dtypes() -> dict[str, Any]:
    import torch

    return {name: getattr(torch, ours) for ours, name in _NAMES.items() if hasattr(torch, ours)}
