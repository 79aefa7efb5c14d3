"""One operator, made by hand and converted: for those that CPU Paddle cannot export or run."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.small_programs import mapped
from workbench.core.integers import Known
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value
from workbench.sources.paddle.signatures import signature
from workbench.targets.pytorch.builder import build

#: Both outputs are asked for.
_TWO_OUTPUTS = {"pd_op.fake_channel_wise_quantize_abs_max"}
RANDOM = np.random.default_rng(3)


def convert(
    name: str, operands: dict[str, Any], attributes: dict[str, Any], shape: Any = None
) -> Any:
    """Run the converted operator on tensors (or lists of them); its main output.

    A numpy array stands for numbers that the program holds.
    """
    feeds: list[Tensor] = []
    values: list[Value] = []
    known: dict[int, Known] = {}

    def made(x: Any) -> Any:
        if isinstance(x, list):
            return tuple(made(item) for item in x)
        if x is None:
            return None
        if isinstance(x, np.ndarray):
            known[50 + len(known)] = Known(x.astype(object), "int64")
            return Value(49 + len(known), x.shape, "int64")
        feeds.append(x)
        values.append(Value(len(feeds), tuple(x.shape), _dtype(x), f"x{len(feeds)}"))
        return values[-1]

    inputs = {key: made(x) for key, x in operands.items()}
    names = signature(name).outputs
    if name not in _TWO_OUTPUTS:
        names = ("out",) if "out" in names else names[:1]
    sizes = tuple(shape or feeds[0].shape)
    outputs = {key: Value(100 + i, sizes, _dtype(feeds[0])) for i, key in enumerate(names)}
    op = Op(name, inputs, outputs, attributes, "0")
    results = tuple(outputs.values())
    program = Program(Block((), (op,), results), tuple(values), results, {}, known=known)
    return build(mapped(program))(*feeds)


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def random(*shape: int) -> Tensor:
    """Random float32 tensor."""
    return torch.from_numpy(RANDOM.uniform(-1, 1, shape).astype(np.float32))


def naive(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, scale: float = 0) -> Tensor:
    """Attention on (batch, sequence, heads, size), as a formula."""
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * (scale or q.shape[-1] ** -0.5)
    weights = (scores if mask is None else scores + mask).softmax(-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v)


def below(rows: int, columns: int) -> Tensor:
    """Additive causal mask that ends at the last column."""
    hidden = torch.ones(rows, columns).triu(columns - rows + 1)
    return torch.zeros(rows, columns).masked_fill(hidden.bool(), float("-inf"))


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer norm over the last axis, as a formula."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias
