"""Cases for resizing, grids, and moving pixels."""

from __future__ import annotations

from typing import Any

from tests.oracle.case import Case, Spec, case, f16, f32, f64, i64

X = f32("B", 3, "H", "W")
LAST = f32("B", "H", "W", 3)
LINE = f32("B", 3, "T")
SPACE = f32("B", 2, "T", "H", "W")
Y = f32("B", 1, "K", "L")
SIZES = ({"B": 2, "H": 7, "W": 6, "K": 9, "L": 4}, {"B": 1, "H": 5, "W": 8, "K": 3, "L": 11})
_INTERPS = "nearest_interp bilinear_interp bicubic_interp linear_interp trilinear_interp"


def _resize(arguments: str, x: Spec = X, grad: bool = False, **more: Any) -> Case:
    return case(_INTERPS, f"F.interpolate(x, {arguments})", x=x, grad=grad, **more)


def _old(name: str, size: str, corners: bool, mode: int, x: Spec = X, **more: Any) -> Case:
    """The operator itself: combinations that the API no longer makes; `size` is d, h, w, scale."""
    method = name.removesuffix("_interp")
    arguments = f"None, None, None, 'NCHW', {size}, '{method}', {corners}, {mode}"
    return case(name, f"paddle._C_ops.{name}(x, {arguments})", x=x, **more)


CASES = [
    _resize("scale_factor=2", grad=True),
    _resize("scale_factor=[2, 3]"),
    _resize("scale_factor=0.5"),
    _resize("scale_factor=1.7"),
    _resize("scale_factor=0.7"),
    _resize("scale_factor=2.1"),
    _resize("scale_factor=1.1"),
    _resize("scale_factor=2.5"),
    _resize("scale_factor=1.5"),
    _resize("size=[5, 9]", grad=True),
    _resize("size=[1, 1]"),
    _resize("size=[3, 4, 5], data_format='NCDHW'", x=SPACE),
    _resize("size=[5, 9], data_format='NHWC'", x=LAST),
    _resize("size=[5, 9]", x=f64("B", 3, "H", "W")),
    _resize("size=[5, 9]", x=i64("B", 3, "H", "W")),
    _resize("scale_factor=2", x=i64("B", 3, "H", "W")),
    _resize("size=y.shape[2:]", y=Y, sizes=SIZES),
    _resize("size=paddle.shape(y)[2:]", y=Y, sizes=SIZES),
    _resize("size=[y.shape[2], 5]", y=Y, sizes=SIZES),
    _resize("size=[x.shape[2] * 2, x.shape[3] * 2]"),
    _resize("size=y.shape[2:], mode='bilinear'", y=Y, sizes=SIZES),
    _resize("size=paddle.shape(y)[2:], mode='bilinear', align_corners=True", y=Y, sizes=SIZES),
    _resize("size=y.shape[2:], mode='bilinear', align_mode=1", y=Y, sizes=SIZES),
    _resize("scale_factor=s", s=f32(1, low=1.5, high=3)),
    _resize("scale_factor=s, mode='bilinear'", s=f32(1, low=1.5, high=3)),
    _resize("scale_factor=paddle.to_tensor([1.5, 2.0])"),
    *(
        _resize(f"{size}, mode='bilinear', align_corners={corners}, align_mode={mode}", grad=True)
        for size in ("size=[5, 9]", "scale_factor=1.7", "scale_factor=[0.6, 2]")
        for corners, mode in ((False, 0), (False, 1), (True, 0), (True, 1))
    ),
    _resize("size=[1, 5], mode='bilinear'"),
    _resize("size=[1, 1], mode='bilinear'"),
    _resize("size=[1, 5], mode='bilinear', align_corners=True"),
    _resize("size=[1, 5], mode='bilinear', align_mode=1"),
    _resize("size=[5, 9], mode='bilinear', data_format='NHWC'", x=LAST),
    _resize("size=[5, 9], mode='bilinear', align_mode=1, data_format='NHWC'", x=LAST),
    _resize("size=[5, 9], mode='bilinear'", x=f64("B", 3, "H", "W")),
    _resize("size=[5, 9], mode='bilinear'", x=f32("B", 3, 1, 1)),
    _resize("size=[5, 9], mode='bicubic'", grad=True),
    _resize("size=[5, 9], mode='bicubic', align_corners=True"),
    _resize("scale_factor=1.7, mode='bicubic'"),
    _resize("size=[1, 5], mode='bicubic'", grad=True),
    *(
        _resize(f"scale_factor={scale}, mode='{mode}'", x=x)
        for mode in ("bilinear", "bicubic")
        for scale in ("1.1", "[1.1, 1.5]", "[1.5, 1.2]", "0.2", "[0.3, 1.0]", "[1.0, 1.3]")
        for x in (X, f32(2, 3, 5, 6))
    ),
    _resize("scale_factor=s, mode='bilinear'", s=f32(1, low=1.1, high=1.3)),
    _resize("scale_factor=s, mode='bicubic'", s=f32(1, low=1.1, high=1.3)),
    _resize("scale_factor=0.2, mode='linear', data_format='NCW'", x=LINE),
    _resize("scale_factor=1.1, mode='linear', data_format='NCW'", x=LINE),
    _resize("scale_factor=0.2, mode='trilinear', data_format='NCDHW'", x=SPACE),
    _resize("scale_factor=[1.1, 1.4, 1.2], mode='trilinear', data_format='NCDHW'", x=SPACE),
    _resize("size=[1, 5], mode='bicubic', align_corners=True"),
    _resize("size=[9], mode='linear', data_format='NCW'", x=LINE, grad=True),
    _resize("scale_factor=1.7, mode='linear', data_format='NCW'", x=LINE),
    _resize("size=[9], mode='linear', align_corners=True, data_format='NCW'", x=LINE),
    _resize("size=[9], mode='linear', align_mode=1, data_format='NCW'", x=LINE),
    _resize(
        "size=[1], mode='linear', data_format='NCW'",
        x=LINE,
        no_grad="Paddle's gradient goes to the first element, its result is from the middle",
    ),
    _resize("size=[1], mode='linear', align_mode=1, data_format='NCW'", x=LINE),
    _resize("size=[1], mode='linear', align_corners=True, data_format='NCW'", x=LINE),
    _resize("size=[9], mode='linear', data_format='NWC'", x=f32("B", "T", 3)),
    _resize("size=[3, 4, 9], mode='trilinear', data_format='NCDHW'", x=SPACE, grad=True),
    _resize("scale_factor=1.7, mode='trilinear', data_format='NCDHW'", x=SPACE),
    _resize("size=[3, 4, 9], mode='trilinear', align_corners=True, data_format='NCDHW'", x=SPACE),
    _resize("size=[3, 4, 9], mode='trilinear', align_mode=1, data_format='NCDHW'", x=SPACE),
    _resize("size=[3, 1, 9], mode='trilinear', data_format='NCDHW'", x=SPACE),
    _resize("size=[1, 1, 1], mode='trilinear', align_mode=1, data_format='NCDHW'", x=SPACE),
    _resize("size=[3, 4, 9], mode='trilinear', data_format='NDHWC'", x=f32("B", "T", "H", "W", 2)),
    _resize("size=[4, 3]"),
    *(
        case(
            "interp_antialias",
            f"F.interpolate(x, {size}, mode='{mode}', align_corners={corners}, antialias=True)",
            x=X,
            no_grad="torch's backward by this scale is not that of its forward" * ("1.1" in size),
        )
        for size in ("size=[3, 4]", "size=[13, 1]", "scale_factor=[1.7, 0.4]", "scale_factor=1.1")
        for mode in ("bilinear", "bicubic")
        for corners in (False, True)
    ),
    case(
        "interp_antialias",
        "F.interpolate(x, size=[3, 4], mode='bilinear', antialias=True, data_format='NHWC')",
        x=LAST,
    ),
    case(
        "interp_antialias",
        "F.interpolate(x, size=[3, 4], mode='bilinear', antialias=True)",
        x=f64("B", 3, "H", "W"),
        grad=True,
    ),
    case(
        "interp_antialias",
        "F.interpolate(x, size=[3, 4], mode='bilinear', antialias=True)",
        x=f16("B", 3, "H", "W"),
    ),
    case(_INTERPS, "up(x)", x=X, up="nn.Upsample(scale_factor=2)"),
    case(_INTERPS, "up(x)", x=X, up="nn.Upsample(size=[4, 5], mode='bilinear')"),
    case(_INTERPS, "up(x)", x=X, up="nn.UpsamplingBilinear2D(scale_factor=2)"),
    case(_INTERPS, "up(x)", x=X, up="nn.UpsamplingNearest2D(scale_factor=2)"),
    _old("nearest_interp", "-1, 5, 9, []", True, 1),
    _old("nearest_interp", "-1, 5, 1, []", True, 1),
    _old("nearest_interp", "-1, -1, -1, [2.0, 2.0]", True, 1),
    _old("nearest_interp", "3, 5, 9, []", True, 1, x=SPACE),
    _old("bilinear_interp", "-1, 5, 9, []", False, 1),
    _old("bilinear_interp", "-1, 5, 9, []", True, 1),
    _old("bilinear_interp", "-1, 14, 12, [2.0, 2.0]", False, 0, x=f32(2, 3, 7, 6)),
    *(
        case(
            "grid_sample",
            f"F.grid_sample(x, g, '{mode}', '{padding}', {corners})",
            x=X,
            g=f32("B", "K", "L", 2, low=-1.5, high=1.5),
            sizes=SIZES,
            grad=mode == "bilinear",
        )
        for mode in ("bilinear", "nearest")
        for padding in ("zeros", "border", "reflection")
        for corners in (True, False)
    ),
    case(
        "grid_sample",
        "F.grid_sample(x, g)",
        x=f32("B", 2, 4, 5, 6),
        g=f32("B", 3, 2, 4, 3, low=-1.2, high=1.2),
        grad=True,
    ),
    case(
        "grid_sample",
        "F.grid_sample(x, g, 'nearest', 'border', False)",
        x=f64("B", 2, 4, 5, 6),
        g=f64("B", 3, 2, 4, 3, low=-1.2, high=1.2),
    ),
    case("affine_grid", "F.affine_grid(t, [2, 3, 5, 6])", t=f32(2, 2, 3), grad=True),
    case("affine_grid", "F.affine_grid(t, [2, 3, 4, 5, 6], align_corners=False)", t=f32(2, 3, 4)),
    case("affine_grid", "F.affine_grid(t, [-1, 3, 5, 6])", t=f32("B", 2, 3)),
    case("affine_grid", "F.affine_grid(t, x.shape)", t=f32("B", 2, 3), x=X),
    case(
        "affine_grid",
        "F.affine_grid(t, paddle.shape(x), False)",
        t=f64("B", 2, 3),
        x=f64("B", 3, "H", "W"),
    ),
    case("pixel_shuffle", "F.pixel_shuffle(x, 2)", x=f32("B", 8, "H", "W"), grad=True),
    case("pixel_shuffle", "p(x)", x=f32("B", 9, "H", "W"), p="nn.PixelShuffle(3)"),
    case("pixel_shuffle", "p(x)", x=f32("B", "H", "W", 8), p="nn.PixelShuffle(2, 'NHWC')"),
    case("pixel_unshuffle", "F.pixel_unshuffle(x, 2)", x=f32("B", 3, 4, 6), grad=True),
    case("pixel_unshuffle", "p(x)", x=f32("B", 4, 6, 3), p="nn.PixelUnshuffle(2, 'NHWC')"),
    case("channel_shuffle", "F.channel_shuffle(x, 3)", x=f32("B", 6, "H", "W"), grad=True),
    case("channel_shuffle", "p(x)", x=f32("B", "H", "W", 6), p="nn.ChannelShuffle(2, 'NHWC')"),
    case(
        "shuffle_channel",
        "paddle._C_ops.shuffle_channel(x, 3)",
        x=f64("B", 6, 4, 5),
        refused="moves only a part",
    ),
    case("shuffle_channel", "paddle._C_ops.shuffle_channel(x, 3)", x=f32("B", 6, 4, 5)),
    case("temporal_shift", "F.temporal_shift(x, 3, 0.25)", x=f32(6, 8, "H", "W"), grad=True),
    case(
        "temporal_shift",
        "F.temporal_shift(x, 2, 0.3)",
        x=f32("N", 5, 4, 3),
        sizes=({"N": 4}, {"N": 6}),
    ),
    case(
        "temporal_shift", "F.temporal_shift(x, 3, 0.2, data_format='NHWC')", x=f32(6, "H", "W", 10)
    ),
    case("unfold", "F.unfold(x, 3)", x=X, grad=True),
    case("unfold", "F.unfold(x, [3, 2], [1, 2], [1, 0], [1, 2])", x=X),
    case("unfold", "F.unfold(x, 2, 1, [1, 2, 0, 3])", x=X, grad=True),
    case("unfold", "u(x)", x=f64("B", 3, "H", "W"), u="nn.Unfold(2, paddings=1)"),
    case("fold", "F.fold(x, [4, 5], 2)", x=f32(2, 12, 12), grad=True),
    case("fold", "F.fold(x, [5, 6], [3, 2], [1, 2], [1, 0], 1)", x=f32(2, 12, 15)),
    case("fold", "u(x)", x=f32(2, 12, 12), u="nn.Fold([4, 5], 2)"),
]

CASES += [
    _resize("size=[5, 9]", x=f16("B", 3, "H", "W")),
    _resize("size=[5, 9], mode='bilinear'", x=f16("B", 3, "H", "W")),
    _resize("size=[5, 9], mode='bilinear', align_mode=1", x=f16("B", 3, "H", "W")),
    _resize("size=[5, 9], mode='bicubic'", x=f16("B", 3, "H", "W")),
]
