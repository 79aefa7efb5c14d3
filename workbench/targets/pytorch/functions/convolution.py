"""Transposed convolutions with padding that depends on the input size."""

from __future__ import annotations

from torch import Tensor


def crop_same(
    x: Tensor,
    input_size: tuple[int, ...],
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    size: tuple[int, ...] | None = None,
) -> Tensor:
    """Crop an unpadded transposed convolution as Paddle's SAME does, or to a given size.

    The padding is that of a plain convolution of the input, with the extra element at the end.
    """
    for axis, (length, kernel, step) in enumerate(
        zip(input_size, kernel_size, stride, strict=True)
    ):
        total = max(((length + step - 1) // step - 1) * step + kernel - length, 0)
        kept = x.shape[axis + 2] - total if size is None else size[axis]
        x = x.narrow(axis + 2, total // 2, kept)
    return x
