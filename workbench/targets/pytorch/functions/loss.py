"""Losses by element."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def softmax_cross_entropy(
    x: Tensor, label: Tensor, axis: int, soft_label: bool, use_softmax: bool, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Softmax of x, and its cross entropy with the class axis kept at size 1.

    Paddle takes what is more than 64 below the largest logit as 64 below it; gradients pass.
    """
    if use_softmax:
        lowest = x.detach().amax(axis, keepdim=True) - 64
        x = x + (torch.maximum(x, lowest) - x).detach()
    softmax = F.softmax(x, dim=axis) if use_softmax else x
    scores = F.log_softmax(x, dim=axis) if use_softmax else x.log()
    if soft_label:
        return softmax, -(label * scores).sum(axis, keepdim=True)
    ignored = label == ignore_index
    picked = scores.gather(axis, label.long().masked_fill(ignored, 0))
    return softmax, (-picked).masked_fill(ignored, 0)


def sigmoid_cross_entropy(
    x: Tensor, label: Tensor, weight: Tensor | None, normalize: bool, ignore_index: int
) -> Tensor:
    """Binary cross entropy of logits; ignored labels give 0 and may be left out of a mean."""
    negative = F.softplus(-x, threshold=50)
    loss = (1 - label) * x + (negative if weight is None else weight * negative)
    kept = label != ignore_index
    loss = torch.where(kept, loss, 0.0)
    return loss / kept.sum().clamp(min=1) if normalize else loss


def log_loss(x: Tensor, label: Tensor, epsilon: float) -> Tensor:
    """Binary cross entropy with `epsilon` inside the logarithms."""
    return -label * (x + epsilon).log() - (1 - label) * (1 - x + epsilon).log()


def hierarchical_sigmoid(
    x: Tensor, label: Tensor, weight: Tensor, bias: Tensor | None, num_classes: int,
    path: Tensor | None = None, code: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Sum of the binary cross entropies on the way to each class, as (batch, 1).

    By default the tree is complete: the bits of `label + num_classes` are the way. `path` are the
    inner nodes, `code` the sides taken, both -1 behind the end, which adds log 2 as in Paddle.
    """
    if path is None or code is None:
        bits = torch.arange((2 * num_classes - 1).bit_length() - 1, device=x.device)
        leaf = label.reshape(-1, 1) + num_classes
        path, code = (leaf >> (bits + 1)) - 1, (leaf >> bits) & 1
    inside = path >= 0
    node = path.clamp(min=0)
    score = (weight[node] * x.unsqueeze(1)).sum(-1)
    score = score if bias is None else score + bias.flatten()[node]
    score = score.clamp(-40, 40)
    score = torch.where(inside, score, 0.0)
    return ((1 + score.exp()).log() - code * score).sum(1, keepdim=True)
