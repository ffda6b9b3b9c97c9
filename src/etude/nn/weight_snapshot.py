"""Copies on disk of what training changes in a module: the best weights so far, and those at milestones."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from etude.errors import StepError


def changing(module: nn.Module) -> dict[str, Tensor]:
    """What training may change, by name: trainable parameters, each once, and the buffers that a state dict has."""
    kept = module.state_dict(keep_vars=True)
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    buffers = {name: value for name, value in module.named_buffers() if name in kept}
    return {name: value.detach() for name, value in (trained | buffers).items()}


def write_snapshot(module: nn.Module, path: Path) -> str:
    """Write what is changing to a file, whole or not at all; returns the digest of its content."""
    tensors = {name: value.cpu().contiguous() for name, value in changing(module).items()}
    partial = path.with_suffix(".partial")
    safetensors.torch.save_file(tensors, partial)
    with partial.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
        os.fsync(written.fileno())
    partial.replace(path)
    return digest


def read_snapshot(module: nn.Module, path: Path, digest: str | None = None) -> None:
    """Put a snapshot back into the module, and make sure that it is there.

    Args:
        module: The module that it was taken of.
        path: The file.
        digest: What `write_snapshot` returned; None where it is not known.

    Raises:
        StepError: The file is another one, or does not have exactly what is changing in the module.
    """
    with path.open("rb") as written:
        if digest is not None and hashlib.file_digest(written, "sha256").hexdigest() != digest:
            raise StepError(f"{path}: the snapshot of the weights is not the one that was taken")
    stored, target = safetensors.torch.load_file(path), changing(module)
    if {name: value.shape for name, value in stored.items()} != {name: value.shape for name, value in target.items()}:
        odd = sorted(stored.keys() ^ target.keys())
        raise StepError(f"{path}: the snapshot does not fit the model: {', '.join(odd[:5]) or 'other shapes'}")
    with torch.no_grad():
        for name, value in target.items():
            value.copy_(stored[name])
    assert all(torch.equal(value.cpu(), stored[name]) for name, value in target.items() if not value.isnan().any())
