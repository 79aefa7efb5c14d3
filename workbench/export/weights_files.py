"""Weights as safetensors, in several files above a size, in the layout of Hugging Face."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from workbench.core.files import write_whole

#: One file, or the index of several.
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
#: Bytes of one file of weights: what the Hugging Face Hub asks for.
SHARD = 5_000_000_000


def save_weights(state: Mapping[str, torch.Tensor], folder: Path, shard: int = SHARD) -> str:
    """Write the tensors; returns the name of the file that loading begins with.

    More than `shard` bytes become several files with an index; a tensor is never divided.
    """
    parts = _divided(state, shard)
    if len(parts) == 1:
        _save(parts[0], folder / WEIGHTS)
        return WEIGHTS
    places: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        name = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        _save(part, folder / name)
        places |= dict.fromkeys(part, name)
    size = sum(tensor.nbytes for tensor in state.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    write_whole(folder / INDEX, json.dumps(index, indent=2))
    return INDEX


def weight_files(folder: Path) -> list[Path]:
    """The files of a folder that hold weights."""
    return sorted(folder.glob("model*.safetensors"))


def _divided(state: Mapping[str, torch.Tensor], shard: int) -> list[dict[str, torch.Tensor]]:
    """The tensors in order, in parts of at most so many bytes where that is possible."""
    parts: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for key, tensor in state.items():
        if parts[-1] and size + tensor.nbytes > shard:
            parts.append({})
            size = 0
        parts[-1][key] = tensor
        size += tensor.nbytes
    return parts


def _save(state: dict[str, torch.Tensor], path: Path) -> None:
    save_file(state, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors makes it readable by its owner only
