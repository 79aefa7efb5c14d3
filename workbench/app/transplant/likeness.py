"""How much two values, or two names, are alike."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import torch

#: Relative L2 distance below which two float64 values are the same: right weights agree to 1e-12.
SAME = 1e-7
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
#: Words of both worlds that mean one thing.
_SYNONYMS = {
    "kernel": "weight", "w": "weight", "gamma": "weight", "embeddings": "weight",
    "beta": "bias", "b": "bias", "mean": "mean", "variance": "var", "query": "q", "key": "k",
    "value": "v", "dense": "fc", "linear": "fc", "proj": "fc", "fully": "fc", "convolution": "conv",
    "normalization": "norm", "bn": "norm", "ln": "norm", "layers": "layer", "blocks": "block",
    "attention": "attn", "self": "", "moving": "", "running": "", "batch": "",
}  # fmt: skip


def views(value: torch.Tensor, shape: torch.Size) -> Iterator[torch.Tensor]:
    """The value in a shape: as it is, with its axes in another order, or broadcast or reshaped."""
    if value.shape == shape:
        yield value
    if value.ndim == len(shape) and 3 <= value.ndim <= 5:
        for order in itertools.permutations(range(value.ndim)):
            moved = value.permute(order)
            if order != tuple(range(value.ndim)) and moved.shape == shape:
                yield moved
    elif value.ndim != len(shape) and value.numel() == shape.numel():
        yield value.reshape(shape)
        if value.ndim == 2 and len(shape) == 3:
            yield value.reshape(shape[1], shape[0], shape[2]).transpose(0, 1)
        if value.ndim == 3 and len(shape) == 2:
            yield value.transpose(0, 1).reshape(shape)


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Relative L2 distance in the best of the views; infinite where no view fits."""
    if not ours.is_floating_point():
        return 0.0 if _equal_integers(ours, theirs) else float("inf")
    if not theirs.is_floating_point() or ours.numel() != theirs.numel():
        return float("inf")
    size = float(torch.linalg.vector_norm(theirs))
    mine = float(torch.linalg.vector_norm(ours))
    if abs(size - mine) > 0.5 * max(size, mine, 1e-300):
        return float("inf")
    gaps = [float(torch.linalg.vector_norm(ours - view)) for view in views(theirs, ours.shape)]
    return min(gaps, default=float("inf")) / (size or 1.0)


def _equal_integers(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    if theirs.is_floating_point():
        return False
    try:
        return bool((ours == theirs).all())  # broadcast
    except RuntimeError:
        return ours.numel() == theirs.numel() and bool((ours.flatten() == theirs.flatten()).all())


def in_view_of(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor | None:
    """The value in the shape of another, in the nearest view; None where none fits."""
    found = list(views(value, like.shape))
    if not found:
        return None
    if not like.is_floating_point():
        return found[0]
    return min(found, key=lambda view: float(torch.linalg.vector_norm(like - view)))


def words(name: str) -> list[str]:
    """The words of a name in one spelling: `encoder.layers.0.self_attn.q_proj` and the like."""
    found = (_SYNONYMS.get(word.lower(), word.lower()) for word in _TOKEN.findall(name))
    return [word for word in found if word]


def alike(one: str, other: str) -> float:
    """Share of words that two names have in common, later words counting more."""
    left, right = words(one), words(other)
    if not left or not right:
        return 0.0
    score = 0.0
    for place, word in enumerate(reversed(left)):
        if word in right:
            far = abs(place - right[::-1].index(word))
            score += 1.0 / (1 + 0.5 * place + 0.25 * far)
    whole = sum(1.0 / (1 + 0.5 * place) for place in range(max(len(left), len(right))))
    return score / whole
