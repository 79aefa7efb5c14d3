"""Fourier transforms and framing of signals."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call
from workbench.core.values import Value
from workbench.sources.paddle.book import rule

Ints = tuple[int, ...]


def transform(name: str, x: Value, axes: Ints, normalization: str, last: int = 0) -> Call:
    """A torch.fft function: the one for one axis where there is one axis.

    `last` is the size of the last axis of a real result, where it is given.
    """
    options: dict[str, Any] = {} if normalization == "backward" else {"norm": normalization}
    if len(axes) == 1:
        size = {"n": last} if last else {}
        where = {} if axes[0] in (-1, len(x.shape) - 1) else {"dim": axes[0]}
        return call(f"torch.fft.{name}", x, **size, **where, **options)
    sizes = {"s": (*(-1,) * (len(axes) - 1), last)} if last else {}
    return call(f"torch.fft.{name}n", x, **sizes, dim=axes, **options)


@rule("pd_op.fft_c2c", traits=())
def fft_c2c(op: Context, x: Value, axes: Ints, normalization: str, forward: bool) -> Call:
    """Complex to complex."""
    return transform("fft" if forward else "ifft", x, axes, normalization)


@rule("pd_op.fft_r2c", traits=())
def fft_r2c(
    op: Context, x: Value, axes: Ints, normalization: str, forward: bool, onesided: bool
) -> Call:
    """Real to complex; one-sided keeps the non-negative frequencies of the last axis."""
    names = ("rfft", "ihfft") if onesided else ("fft", "ifft")
    if forward:
        return transform(names[0], x, axes, normalization)
    return transform(names[1], x, axes, normalization).method("resolve_conj")


@rule("pd_op.fft_c2r", traits=())
def fft_c2r(
    op: Context, x: Value, axes: Ints, normalization: str, forward: bool, last_dim_size: int = 0
) -> Call:
    """Complex to real; the last axis has 2 · (n - 1) elements unless given."""
    name = "hfft" if forward else "irfft"
    return transform(name, x, axes, normalization, last_dim_size)


@rule("pd_op.frame", traits=())
def frame(op: Context, x: Value, frame_length: int, hop_length: int, axis: int = -1) -> Call:
    """Overlapping pieces: (…, frame_length, frames), or (frames, …) for the first axis."""
    first = axis == 0
    pieces = method(x, "unfold", 0 if first else -1, frame_length, hop_length)
    return pieces.method("movedim", -1, 1) if first else pieces.method("transpose", -1, -2)


@rule("pd_op.overlap_add", traits=())
def overlap_add(op: Context, x: Value, hop_length: int, axis: int = -1) -> Call:
    """Frames added up where they overlap; undoes `frame`."""
    if axis != 0:
        return call("fn.overlap_add", x, hop_length)
    frames = method(x, "movedim", (1, 0), (-2, -1))
    return call("fn.overlap_add", frames, hop_length).method("movedim", -1, 0)


@rule("pd_op.stft", traits=())
def stft(
    op: Context, x: Value, window: Value, n_fft: int, hop_length: int, normalized: bool,
    onesided: bool,
) -> Call:  # fmt: skip
    """Short-time Fourier transform without padding at the ends."""
    return call(
        "torch.stft", x, n_fft, hop_length, window=window, center=False, normalized=normalized,
        onesided=onesided, return_complex=True,
    )  # fmt: skip
