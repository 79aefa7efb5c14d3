"""Fully connected layers and matrix products."""

from __future__ import annotations

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Layer, Weight
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule


@rule("workbench.linear", traits=(Trait.LINEAR,))
def linear(
    op: Context, x: Value, weight: Value, bias: Value | None, transpose_weight: bool
) -> Layer:
    """Fully connected. Paddle keeps the weight as (in, out), PyTorch as (out, in)."""
    kernel = op.weight(weight)
    assert kernel is not None
    if not transpose_weight:
        kernel = kernel.transposed()
    out_features, in_features = kernel.final_shape
    weights: dict[str, Weight] = {"weight": kernel}
    shift = op.weight(bias)
    if shift is not None:
        weights["bias"] = shift
    arguments = {"in_features": in_features, "out_features": out_features}
    return Layer("nn.Linear", (x,), arguments | ({} if shift else {"bias": False}), weights)


@rule("pd_op.matmul", traits=(Trait.LINEAR, Trait.BINARY))
def matmul(
    op: Context, x: Value, y: Value, transpose_x: bool = False, transpose_y: bool = False
) -> Call:
    """Matrix product with optional transposes of the last two axes; 1-D operands as in numpy.

    Some half-precision programs keep float32 weights: Paddle's executor then computes in float32
    and hands on float32, whatever the program declares (measured with 3.3.1).
    """
    return _product(op, x, y, transpose_x, transpose_y)


def _product(op: Context, x: Value, y: Value, transpose_x: bool, transpose_y: bool) -> Call:
    first: Value | Call = x
    other: Value | Call = y
    if y.dtype != x.dtype:
        op.note(f"{x.dtype} times {y.dtype}: computed in float32, as Paddle does")
        first, other = (method(side, "to", Dtype("float32")) for side in (x, y))
    left = method(first, "transpose", -1, -2) if transpose_x and len(x.shape) > 1 else first
    right = method(other, "transpose", -1, -2) if transpose_y and len(y.shape) > 1 else other
    return call("torch.matmul", left, right)


@rule("pd_op.legacy_matmul", traits=())
def legacy_matmul(
    op: Context, x: Value, y: Value, transpose_x: bool = False, transpose_y: bool = False,
    alpha: float = 1.0,
) -> Call:  # fmt: skip
    """The matrix product of Paddle 1, with a factor."""
    product = _product(op, x, y, transpose_x, transpose_y)
    return product if alpha == 1 else product * alpha


@rule("pd_op.matmul_with_flatten", traits=())
def matmul_with_flatten(
    op: Context, x: Value, y: Value, x_num_col_dims: int = 1, y_num_col_dims: int = 1
) -> Call:
    """The product of Paddle 1 (`mul`): both operands are flattened to matrices first."""
    left = x if len(x.shape) == x_num_col_dims + 1 else method(x, "flatten", x_num_col_dims)
    right = y if y_num_col_dims == 1 else method(y, "flatten", 0, y_num_col_dims - 1)
    if len(y.shape) == y_num_col_dims + 1:
        return call("torch.matmul", left, right)
    return call("torch.tensordot", left, right, 1)


@rule("pd_op.bilinear", traits=())
def bilinear(op: Context, x: Value, y: Value, weight: Value, bias: Value | None) -> Layer | Call:
    """xᵀ · W · y for every output; Paddle keeps the bias as (1, out)."""
    kernel, shift = op.weight(weight), op.weight(bias)
    if kernel is None or (bias is not None and shift is None):
        row = method(bias, "reshape", -1) if bias is not None else None
        return call("F.bilinear", x, y, weight, row)
    out_features, first, second = kernel.shape
    arguments = {"in1_features": first, "in2_features": second, "out_features": out_features}
    weights = {"weight": kernel}
    if shift is not None:
        weights["bias"] = shift.reshaped(out_features)
    return Layer("nn.Bilinear", (x, y), arguments | {"bias": shift is not None}, weights)
