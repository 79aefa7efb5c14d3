"""Cases for Fourier transforms and framing."""

from __future__ import annotations

from tests.oracle.case import Case, c64, case, f32, f64

TRANSFORMS: list[Case] = [
    case(op, f"paddle.fft.{name}(x{more})", x=spec)
    for op, name, more, spec in (
        ("fft_r2c", "fft", "", f32("B", 8)),
        ("fft_c2c", "fft", "", c64("B", 8)),
        ("fft_c2c", "fft", ", n=5, axis=0, norm='ortho'", c64(4, 3)),
        ("fft_c2c", "ifft", "", c64("B", 8)),
        ("fft_c2c", "ifft", ", axis=0, norm='forward'", c64(4, 3)),
        ("fft_r2c", "ifft", "", f64("B", 8)),
        ("fft_c2c", "fft2", "", c64("B", 4, 6)),
        ("fft_c2c", "ifftn", ", axes=(0, 2)", c64(4, 2, 6)),
        ("fft_r2c", "rfft", "", f32("B", 7)),
        ("fft_r2c", "rfft", ", axis=0, norm='ortho'", f64(8, 2)),
        ("fft_r2c", "rfft2", "", f32("B", 4, 6)),
        ("fft_r2c", "rfftn", ", axes=(2, 0), norm='forward'", f32(4, 2, 6)),
        ("fft_c2r", "irfft", "", c64("B", 5)),
        ("fft_c2r", "irfft", ", n=7", c64("B", 4)),
        ("fft_c2r", "irfft", ", axis=0, norm='ortho'", c64(5, 2)),
        ("fft_c2r", "irfft2", "", c64("B", 4, 5)),
        ("fft_c2r", "irfft2", ", s=(4, 7)", c64(2, 4, 4)),
        ("fft_c2r", "irfftn", ", axes=(1, 0)", c64(5, 4)),
        ("fft_c2r", "hfft", "", c64("B", 5)),
        ("fft_c2r", "hfft", ", n=7, norm='ortho'", c64("B", 4)),
        ("fft_r2c", "ihfft", "", f32("B", 8)),
        ("fft_r2c", "ihfft", ", norm='ortho'", f32("B", 7)),
        ("fft_r2c", "ihfft2", "", f32(4, 6)),
        ("fft_c2r", "hfft2", "", c64(4, 5)),
        ("roll", "fftshift", "", f32(5, 4)),
    )
]
SIGNALS = [
    case("frame", "paddle.signal.frame(x, 4, 2)", x=f32("B", 9), grad=True),
    case("frame", "paddle.signal.frame(x, 4, 2)", x=f32("H")),
    case("frame", "paddle.signal.frame(x, 3, 1, axis=0)", x=f32(9, 2)),
    case("frame", "paddle.signal.frame(x, 3, 3, axis=0)", x=f64(9)),
    case("overlap_add", "paddle.signal.overlap_add(x, 2)", x=f32("B", 4, 3), grad=True),
    case("overlap_add", "paddle.signal.overlap_add(x, 1, axis=0)", x=f32(3, 4, 2)),
    case("overlap_add", "paddle.signal.overlap_add(x, 4)", x=f32(4, 3)),
    case("frame", "paddle.signal.stft(x, 8)", x=f32("B", 32)),
    case(
        "overlap_add", "paddle.signal.istft(paddle.signal.stft(x, 8), 8)", x=f32(2, 32), rtol=1e-4
    ),
    case("stft", "paddle._C_ops.stft(x, w, 8, 4, True, True)", x=f32("B", 32), w=f32(8)),
    case("stft", "paddle._C_ops.stft(x, w, 8, 3, False, True)", x=f32("B", 32), w=f32(8)),
]

CASES = [*TRANSFORMS, *SIGNALS]
