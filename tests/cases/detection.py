"""Cases for detection operators. Each was also compared with Paddle on 400 random inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.oracle.case import Case, Spec, case, f32, f64, i32, values


@dataclass(frozen=True)
class Boxes:
    """Boxes within `size`; on a grid of `grid` many touch and coincide, and some have no area."""

    size: float = 60.0
    grid: float = 0.0
    smallest: float = 1.0

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """Corners of random boxes."""
        low = random.uniform(0, self.size, (*shape[:-1], 2))
        high = low + random.uniform(self.smallest, self.size / 2, low.shape)
        both = np.concatenate([low, high], -1)
        return np.round(both / self.grid) * self.grid if self.grid else both


@dataclass(frozen=True)
class Distinct:
    """Numbers between 0 and 1, no two equal."""

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """Random order of evenly spaced numbers."""
        count = int(np.prod(shape))
        return (random.permutation(count).reshape(shape) + 0.5) / count


@dataclass(frozen=True)
class Rotated:
    """Rotated rectangles as 8 coordinates."""

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """Corners of random rectangles."""
        angle = random.uniform(0, 6, (*shape[:-1], 1, 1))
        size = random.uniform(5, 30, (*shape[:-1], 1, 2))
        corner = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * size
        x, y = corner[..., :1], corner[..., 1:]
        turned = np.concatenate(
            [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], -1
        )
        return (turned + random.uniform(0, 50, (*shape[:-1], 1, 2))).reshape(shape)


@dataclass(frozen=True)
class Steps:
    """Scores with many ties."""

    def __call__(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """Sixths between 0 and 1."""
        return random.integers(0, 7, shape) / 6


def boxes(*dims: int | str, dtype: str = "float32", **options: Any) -> Spec:
    """Random boxes."""
    return Spec(dims, dtype, values=Boxes(**options))


def distinct(*dims: int | str, dtype: str = "float32") -> Spec:
    """Random scores without ties."""
    return Spec(dims, dtype, values=Distinct())


def steps(*dims: int | str) -> Spec:
    """Random scores with ties."""
    return Spec(dims, values=Steps())


MANY = ({"B": 2, "N": 60, "H": 7, "W": 6}, {"B": 3, "N": 90, "H": 9, "W": 8})


def nms_case(options: str, x: Spec, s: Spec) -> Case:
    text = f"paddle._C_ops.multiclass_nms3(x, s, None, {options})"
    return case("multiclass_nms3", text, x=x, s=s, sizes=MANY)


def ranked(*dims: int | str) -> Spec:
    return f32(*dims, low=-0.2, high=1.0)


# score_threshold, nms_top_k, keep_top_k, nms_threshold, normalized, nms_eta, background_label
NMS = [
    nms_case("0.01, 1000, 100, 0.5, True, 1.0, -1", boxes("B", "N", 4), ranked("B", 4, "N")),
    nms_case("0.3, 10, 7, 0.45, True, 1.0, 0", boxes("B", "N", 4), ranked("B", 4, "N")),
    nms_case("0.3, -1, -1, 0.6, True, 1.0, 2", boxes("B", "N", 4, grid=8.0), ranked("B", 4, "N")),
    nms_case("0.3, -1, -1, 0.6, True, 1.0, 9", f32("B", "N", 4), ranked("B", 4, "N")),
    nms_case("0.1, 30, 20, 0.3, False, 1.0, -1", boxes("B", "N", 4), ranked("B", 2, "N")),
    nms_case("0.1, 30, 20, 0.8, True, 0.9, -1", boxes("B", "N", 4), ranked("B", 2, "N")),
    nms_case("3.0, 30, 20, 0.8, True, 1.0, -1", boxes("B", "N", 4), ranked("B", 2, "N")),
    nms_case("0.5, 0, -1, 0.5, True, 1.0, -1", boxes("B", "N", 4), ranked("B", 2, "N")),
    nms_case("0.5, -1, 0, 0.5, True, 1.0, -1", boxes("B", "N", 4), ranked("B", 2, "N")),
    nms_case("0.5, -1, 9, 0.5, True, 1.0, 0", boxes("B", "N", 4), ranked("B", 1, "N")),
    nms_case("0.2, 40, 9, 0.5, True, 1.0, -1", boxes("B", "N", 4, grid=4.0), steps("B", 3, "N")),
    nms_case("0.1, 50, 50, 0.5, True, 1.0, -1", boxes(2, 30, 4, dtype="float64"),
             distinct(2, 3, 30, dtype="float64")),
    nms_case("0.1, 50, 50, 0.5, True, 1.0, -1", boxes(1, 0, 4), ranked(1, 3, 0)),
    nms_case("0.1, 30, 20, 0.3, True, 1.0, -1", Spec(("B", "N", 8), values=Rotated()),
             ranked("B", 2, "N")),
    *(
        case("multiclass_nms3",
             f"paddle._C_ops.multiclass_nms3(x, s, n, 0.1, 50, {keep}, 0.4, {normalized}, 1.0, 0)",
             x=boxes(50, 3, 4), s=f32(50, 3, low=0, high=1), n=values([20, 0, 30], dtype))
        for keep, normalized, dtype in ((-1, True, "int32"), (9, False, "int64"))
    ),
    # score_threshold, nms_top_k, keep_top_k, post_threshold, use_gaussian, gaussian_sigma,
    # background_label, normalized
    *(
        case("matrix_nms", f"paddle._C_ops.matrix_nms(x, s, {options})", x=boxes("B", "N", 4),
             s=distinct("B", 3, "N"), sizes=MANY)
        for options in (
            "0.01, 400, 100, 0.1, False, 2.0, -1, True", "0.3, -1, -1, 0.0, True, 2.0, 0, False",
            "0.3, 10, 5, 0.0, False, 2.0, 1, True", "2.0, 10, 5, 0.0, False, 2.0, 1, True",
            "0.1, 20, 0, 0.0, True, 0.5, -1, True",
        )
    ),
    case("matrix_nms", "paddle._C_ops.matrix_nms(x, s, 0.1, 9, 9, 0.0, True, 2.0, 0, True)",
         x=boxes(2, 30, 4, dtype="float64", grid=4.0), s=distinct(2, 3, 30, dtype="float64")),
    case("nms", "paddle.vision.ops.nms(x, 0.5)", x=boxes("N", 4), sizes=MANY),
    case("nms", "paddle.vision.ops.nms(x, 0.6)", x=boxes("N", 4, grid=10.0), sizes=MANY),
    case("nms", "paddle.vision.ops.nms(x, 0.3)", x=boxes(40, 4, dtype="float64")),
    case("nms", "paddle.vision.ops.nms(x, 0.3)", x=f32(0, 4)),
]  # fmt: skip


def proposals(options: str, grid: float = 0.0, dtype: str = "float32") -> Case:
    """pre_nms_top_n, post_nms_top_n, nms_thresh, min_size, eta, pixel_offset."""
    return case(
        "generate_proposals", f"paddle._C_ops.generate_proposals(s, d, m, a, v, {options})",
        s=distinct("B", 3, 7, 5, dtype=dtype), d=Spec(("B", 12, 7, 5), dtype),
        m=Spec(("B", 2), dtype, 40, 60), a=boxes(7, 5, 3, 4, grid=grid, dtype=dtype),
        v=Spec((7, 5, 3, 4), dtype, 0.1, 1.0),
    )  # fmt: skip


COUNTS = values([4, 0, 5], "int32")
LEVELS = {"x": boxes(9, 4, size=400.0), "n": COUNTS}
PROPOSALS = [
    proposals("60, 20, 0.5, 1.0, 1.0, False"),
    proposals("0, 0, 0.7, 0.0, 1.0, True", grid=4.0),
    proposals("6000, 1000, 0.7, 8.0, 0.9, True"),
    proposals("50, 10, 0.7, 500.0, 1.0, False"),  # nothing is large enough
    proposals("50, 10, 0.7, 1.0, 1.0, False", dtype="float64"),
    case("generate_proposals",
         "paddle._C_ops.generate_proposals(s, d, m, a, a, 5, 5, 0.0, 1.0, 1.0, True)",
         s=distinct(1, 1, 3, 3), d=f32(1, 4, 3, 3), m=f32(1, 2, low=40, high=60),
         a=boxes(3, 3, 1, 4), refused="no fixed order"),
    case("distribute_fpn_proposals", "(*r, *c, i)", **LEVELS,
         setup="r, c, i = paddle._C_ops.distribute_fpn_proposals(x, n, 2, 5, 4, 56, False)"),
    case("distribute_fpn_proposals", "(*r, *c, i)", x=LEVELS["x"], n=values([4, 5], "int64"),
         setup="r, c, i = paddle._C_ops.distribute_fpn_proposals(x, n, 3, 3, 4, 224, True)"),
    case("distribute_fpn_proposals", "(r[0], r[3], i)",
         x=boxes(9, 4, size=400.0, smallest=-50.0), n=COUNTS,
         setup="r, c, i = paddle._C_ops.distribute_fpn_proposals(x, n, 2, 5, 4, 56, True)"),
    case("distribute_fpn_proposals", "(*r, *c, i)", x=f32(0, 4), n=values([0, 0], "int32"),
         setup="r, c, i = paddle._C_ops.distribute_fpn_proposals(x, n, 2, 5, 4, 56, False)"),
    *(
        case("collect_fpn_proposals",
             f"paddle._C_ops.collect_fpn_proposals([x, y], [s, t], [n, m], {count})",
             x=boxes(9, 4), y=boxes(5, 4), s=scores(9, 1), t=scores(5, 1),
             n=values([4, 5], "int32"), m=values([2, 3], "int32"))
        for count, scores in ((8, f32), (100, f32), (10, steps))
    ),
]  # fmt: skip

IMAGE = {"x": f32("B", 3, "H", "W"), "b": boxes(9, 4, size=12.0, smallest=0.1)}
THREE = ({"B": 3, "H": 7, "W": 6}, {"B": 3, "H": 9, "W": 8})


def pooling(name: str, options: str, n: Spec = COUNTS, **arguments: Any) -> Case:
    call = f"paddle._C_ops.{name}(x, b, n, {options})"
    return case(name, call, **{**IMAGE, "n": n, "sizes": THREE, **arguments})


#: The result is linear in the image, and agrees; so the gradient cannot differ.
WIDENED = "Paddle's gradient takes boxes below one pixel for wider ones although they are aligned"

POOLING = [
    # pooled_height, pooled_width, spatial_scale, sampling_ratio, aligned
    pooling("roi_align", "2, 3, 0.5, -1, True", no_grad=WIDENED),
    pooling("roi_align", "2, 3, 0.5, 2, True", no_grad=WIDENED),
    pooling("roi_align", "2, 3, 0.5, 2, False", grad=True),
    pooling("roi_align", "2, 2, 0.25, 0, False", values([4, 0, 5], "int64")),
    pooling("roi_align", "3, 1, 1.0, 1, False"),
    pooling("roi_align", "2, 2, 1.0, 2, True", x=f64("B", 2, "H", "W"),
            b=boxes(9, 4, size=12.0, dtype="float64")),
    pooling("roi_align", "2, 2, 1.0, 2, True", values([0, 0, 0], "int32"), b=f32(0, 4)),
    # pooled_height, pooled_width, spatial_scale
    pooling("roi_pool", "2, 3, 0.5"),
    pooling("roi_pool", "2, 2, 1.0", b=boxes(9, 4, size=12.0, grid=0.5)),
    # pooled_height, pooled_width, output_channels, spatial_scale
    pooling("psroi_pool", "2, 3, 2, 0.5", x=f32("B", 12, "H", "W")),
    pooling("psroi_pool", "1, 2, 3, 1.0", x=f64("B", 6, "H", "W"),
            b=boxes(9, 4, size=12.0, grid=0.5, dtype="float64")),
]  # fmt: skip


def prior(options: str, **arguments: Any) -> Case:
    """min_sizes, max_sizes, aspect_ratios, variances, flip, clip, steps, offset, order."""
    inputs = {"x": f32("B", 2, "H", "W"), "y": f32("B", 3, 64, 48), **arguments}
    return case("prior_box", f"paddle.vision.ops.prior_box(x, y, {options})", **inputs)


BOXES = [
    prior("[20.0]"),
    prior("[20.0, 30.5], [40.0, 50.25], [2.0, 3.0], flip=True, clip=True"),
    prior("[20.0], [40.0], [2.0, 0.5, 1.0], flip=True, min_max_aspect_ratios_order=True"),
    prior("[20.0], None, [0.3333, 1.7], [1.0, 2.0, 3.0, 4.0], steps=[8.0, 6.5], offset=0.25"),
    prior("[20.0, 30.0], [40.0, 60.0], [2.0]", x=f64(1, 2, 5, 4), y=f64(1, 3, 64, 48)),
    *(
        case("anchor_generator", f"paddle._C_ops.anchor_generator(x, {options})",
             x=f32("B", 2, "H", "W"))
        for options in (
            "[32.0, 64.0], [0.5, 1.0, 2.0], [0.1, 0.1, 0.2, 0.2], [16.0, 16.0], 0.5",
            "[20.0, 30.0, 45.5], [0.7], [1.0, 1.0, 1.0, 1.0], [8.0, 10.0], 0.0",
        )
    ),
    *(
        case("box_coder",
             f"paddle._C_ops.box_coder(p, {variance}, t, 'encode_center_size', {rest})",
             p=boxes("N", 4), t=boxes("B", 4), **extra)
        for variance, rest, extra in (
            ("v", "True, 0, []", {"v": f32("N", 4, low=0.1, high=1)}),
            ("None", "False, 0, [0.1, 0.1, 0.2, 0.2]", {}), ("None", "True, 0, []", {}),
        )
    ),
    *(
        case("box_coder",
             f"paddle._C_ops.box_coder(p, {variance}, t, 'decode_center_size', {rest})",
             p=boxes("N", 4), t=f32("N", "N", 4), **extra)
        for variance, rest, extra in (
            ("v", "True, 0, []", {"v": f32("N", 4, low=0.1, high=1)}),
            ("v", "False, 1, []", {"v": f32("N", 4, low=0.1, high=1)}),
            ("None", "False, 0, [0.1, 0.1, 0.2, 0.2]", {}), ("None", "True, 1, []", {}),
            ("None", "True, 1, [0.1, 0.1, 0.2, 0.2]", {}),
        )
    ),
    case("box_coder", "paddle.vision.ops.box_coder(p, v, t, 'decode_center_size', False)",
         p=boxes(3, 4, dtype="float64"), v=f64(3, 4, low=0.1, high=1), t=f64(2, 3, 4)),
    case("box_coder", "paddle.vision.ops.box_coder(p, [0.1] * 4, t, 'decode_center_size')",
         p=boxes(3, 4, dtype="float64"), t=f64(2, 3, 4), refused="wrong memory"),
    *(
        case("yolo_box",
             f"paddle.vision.ops.yolo_box(x, s, [10, 13, 16, 30, 33, 23], 4, {options})",
             x=f32("B", channels, "H", "W"), s=i32("B", 2, low=60, high=400))
        for channels, options in (
            (27, "0.01, 32"), (27, "0.4, 8, clip_bbox=False"), (27, "0.2, 16, scale_x_y=1.05"),
            (30, "0.3, 32, iou_aware=True, iou_aware_factor=0.4"), (27, "2.0, 32"),
        )
    ),
    case("yolo_box", "paddle.vision.ops.yolo_box(x, s, [10, 13], 2, 0.1, 8)",
         x=f64(2, 7, 3, 4), s=i32(2, 2, low=60, high=400)),
    *(
        case("bipartite_match", f"paddle._C_ops.bipartite_match(x, '{kind}', {threshold})", x=spec)
        for kind, threshold, spec in (
            ("bipartite", 0.5, distinct("N", "H")), ("bipartite", 0.5, distinct(140, 9)),
            ("per_prediction", 0.3, distinct("N", "H")), ("per_prediction", 0.5, steps(6, 30)),
            ("per_prediction", 0.5, f64("H", "N", low=-1, high=1)),
        )
    ),
    case("yolo_loss", "paddle.vision.ops.yolo_loss(x, b, l, [10, 13], [0], 2, 0.7, 8)",
         x=f32(1, 7, 3, 3), b=f32(1, 2, 4, low=0, high=1), l=i32(1, 2, low=0, high=2),
         refused="training loss"),
]  # fmt: skip
CASES = [*NMS, *PROPOSALS, *POOLING, *BOXES]
