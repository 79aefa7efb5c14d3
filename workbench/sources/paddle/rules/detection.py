"""Detection: non-maximum suppression, proposals, region pooling, priors, box coding."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.conversion.context import Context, call
from workbench.core.calls import Call, Layer, Result
from workbench.core.numbers import shortest
from workbench.core.traits import Role, Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule

Floats = tuple[float, ...]
#: Defaults of the helper functions, as `targets.pytorch.functions` has them; importing them here
#: would import torch, which loading a program does not need.
DEFAULTS: dict[str, dict[str, Any]] = {
    "anchor_boxes": {"offset": 0.5},
    "decode_boxes": {"normalized": True, "axis": 0},
    "distribute_fpn_proposals": {"pixel_offset": False},
    "encode_boxes": {"normalized": True},
    "generate_proposals": {"eta": 1.0, "pixel_offset": True},
    "matrix_nms": {
        "post_threshold": 0.0, "use_gaussian": False, "gaussian_sigma": 2.0,
        "background_label": 0, "normalized": True,
    },
    "multiclass_nms": {
        "rois_num": None, "normalized": True, "nms_eta": 1.0, "background_label": 0,
    },
    "prior_box": {"step": (0.0, 0.0), "offset": 0.5, "clip": False},
    "yolo_box": {
        "clip_bbox": True, "scale_x_y": 1.0, "iou_aware": False, "iou_aware_factor": 0.5,
    },
}  # fmt: skip


def helper(name: str, *args: Any, **options: Any) -> Call:
    """A call of a helper function, without options that equal its defaults."""
    usual = DEFAULTS[name]
    given = {k: value for k, value in options.items() if k not in usual or value != usual[k]}
    return call(f"fn.{name}", *args, **given)


def _need_counts(op: Context, rois_num: Value | None) -> None:
    op.require(
        rois_num is not None,
        f"{op.name} without the number of boxes per image takes it from LoD, which torch lacks",
        "Export the model with the boxes_num / rois_num input given.",
    )


# --- non-maximum suppression ------------------------------------------------------------------


@rule(
    "pd_op.multiclass_nms3",
    traits=(Trait.DECIDES, Trait.SCORED, Trait.SCORED_BY_CLASS, Trait.CONSTRAINED, Trait.ORDERS),
    roles={
        Role.BOXES: "bboxes",
        Role.SCORES: "scores",
        Role.OVERLAP: "nms_threshold",
        Role.LEAST_SCORE: "score_threshold",
    },
)
def multiclass_nms3(
    op: Context,
    bboxes: Value,
    scores: Value,
    rois_num: Value | None = None,
    score_threshold: float = 0.0,
    nms_top_k: int = -1,
    keep_top_k: int = -1,
    nms_threshold: float = 0.3,
    normalized: bool = True,
    nms_eta: float = 1.0,
    background_label: int = 0,
) -> Call:
    """NMS by class, the rows in Paddle's order: by label, then by score.

    With 2-D scores every class has its own boxes and the rows of a label follow the box number.
    """
    if len(scores.shape) == 2:
        _need_counts(op, rois_num)
    if bboxes.shape[-1] > 4:
        op.note("overlap of polygons in float64, where Paddle rounds to float32")
    return helper(
        "multiclass_nms", bboxes, scores, *((rois_num,) if len(scores.shape) == 2 else ()),
        score_threshold=score_threshold, nms_top_k=nms_top_k, keep_top_k=keep_top_k,
        nms_threshold=nms_threshold, normalized=normalized, nms_eta=nms_eta,
        background_label=background_label,
    )  # fmt: skip


@rule(
    "pd_op.matrix_nms",
    traits=(Trait.DECIDES, Trait.SCORED, Trait.SCORED_BY_CLASS, Trait.CONSTRAINED, Trait.ORDERS),
    roles={
        Role.BOXES: "bboxes",
        Role.SCORES: "scores",
        Role.OVERLAP: "post_threshold",
        Role.LEAST_SCORE: "score_threshold",
    },
)
def matrix_nms(
    op: Context,
    bboxes: Value,
    scores: Value,
    score_threshold: float = 0.0,
    nms_top_k: int = -1,
    keep_top_k: int = -1,
    post_threshold: float = 0.0,
    use_gaussian: bool = False,
    gaussian_sigma: float = 2.0,
    background_label: int = 0,
    normalized: bool = True,
) -> Call:
    """Matrix NMS. The order of equal scores, which Paddle leaves open, is that of the boxes."""
    return helper(
        "matrix_nms", bboxes, scores, score_threshold=score_threshold, nms_top_k=nms_top_k,
        keep_top_k=keep_top_k, post_threshold=post_threshold, use_gaussian=use_gaussian,
        gaussian_sigma=gaussian_sigma, background_label=background_label, normalized=normalized,
    )  # fmt: skip


@rule("pd_op.nms", traits=(Trait.DECIDES, Trait.CONSTRAINED, Trait.ORDERS))
def nms(op: Context, x: Value, threshold: float = 1.0) -> Call:
    """Plain NMS: the boxes come best first, so that torchvision gets falling scores."""
    return call("fn.sorted_nms", x, threshold)


# --- proposals and feature pyramids -----------------------------------------------------------


@rule(
    "pd_op.generate_proposals",
    traits=(Trait.DECIDES, Trait.SCORED, Trait.CONSTRAINED, Trait.ORDERS),
    roles={Role.SCORES: "scores"},
)
def generate_proposals(
    op: Context,
    scores: Value,
    bbox_deltas: Value,
    im_shape: Value,
    anchors: Value,
    variances: Value,
    pre_nms_top_n: int,
    post_nms_top_n: int,
    nms_thresh: float,
    min_size: float,
    eta: float = 1.0,
    pixel_offset: bool = True,
) -> Call:
    """Region proposals. Paddle leaves the order of equal scores open."""
    op.require(nms_thresh > 0, "generate_proposals without NMS returns boxes in no fixed order")
    return helper(
        "generate_proposals", scores, bbox_deltas, im_shape, anchors, variances,
        pre_nms_top_n=pre_nms_top_n, post_nms_top_n=post_nms_top_n, nms_threshold=nms_thresh,
        min_size=min_size, eta=eta, pixel_offset=pixel_offset,
    )  # fmt: skip


@rule("pd_op.distribute_fpn_proposals", traits=(Trait.DECIDES, Trait.CONSTRAINED))
def distribute_fpn_proposals(
    op: Context,
    fpn_rois: Value,
    rois_num: Value | None,
    min_level: int,
    max_level: int,
    refer_level: int,
    refer_scale: int,
    pixel_offset: bool = True,
) -> Result:
    """Boxes by pyramid level; every level has its own, input-dependent number of them."""
    _need_counts(op, rois_num)
    made = helper(
        "distribute_fpn_proposals", fpn_rois, rois_num, min_level=min_level,
        max_level=max_level, refer_level=refer_level, refer_scale=refer_scale,
        pixel_offset=pixel_offset,
    )  # fmt: skip
    places: dict[str, tuple[int, ...]] = {"restore_index": (2,)}
    for number, name in enumerate(("multi_fpn_rois", "multi_level_rois_num")):
        places[name] = (number,)
        places |= {f"{name}.{i}": (number, i) for i in range(max_level - min_level + 1)}
    return Result(made, places)


@rule("pd_op.collect_fpn_proposals", traits=(Trait.CONSTRAINED,))
def collect_fpn_proposals(
    op: Context,
    multi_level_rois: tuple[Value, ...],
    multi_level_scores: tuple[Value, ...],
    multi_level_rois_num: tuple[Value, ...] | None,
    post_nms_topn: int,
) -> Call:
    """The best boxes of all levels. Paddle miscounts when an image is left without any box."""
    op.require(
        isinstance(multi_level_rois_num, tuple) and multi_level_rois_num,
        "collect_fpn_proposals without the number of boxes per image takes it from LoD",
    )
    lists = (multi_level_rois, multi_level_scores, multi_level_rois_num or ())
    return call("fn.collect_fpn_proposals", *(list(part) for part in lists), post_nms_topn)


# --- region pooling ---------------------------------------------------------------------------


@rule("pd_op.roi_align", traits=(Trait.CONSTRAINED,))
def roi_align(
    op: Context,
    x: Value,
    boxes: Value,
    boxes_num: Value | None = None,
    pooled_height: int = 1,
    pooled_width: int = 1,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Call:
    """Same in torchvision, which takes the image number with each box.

    With `aligned`, Paddle's CPU gradient is wrong for boxes smaller than one feature cell.
    """
    _need_counts(op, boxes_num)
    if aligned and sampling_ratio <= 0:
        op.note("a box without area gives 0, in Paddle NaN")
    return call(
        "ops.roi_align", x, call("fn.boxes_with_image", boxes, boxes_num),
        (pooled_height, pooled_width), spatial_scale=spatial_scale,
        sampling_ratio=sampling_ratio, aligned=aligned,
    )  # fmt: skip


@rule("pd_op.roi_pool", traits=(Trait.CONSTRAINED,))
def roi_pool(
    op: Context,
    x: Value,
    boxes: Value,
    boxes_num: Value | None = None,
    pooled_height: int = 1,
    pooled_width: int = 1,
    spatial_scale: float = 1.0,
) -> Result:
    """Same in torchvision, which takes the image number with each box and gives no positions."""
    _need_counts(op, boxes_num)
    pooled = call(
        "ops.roi_pool", x, call("fn.boxes_with_image", boxes, boxes_num),
        (pooled_height, pooled_width), spatial_scale=spatial_scale,
    )  # fmt: skip
    return Result(pooled, {"out": ()})


@rule("pd_op.psroi_pool", traits=(Trait.CONSTRAINED,))
def psroi_pool(
    op: Context,
    x: Value,
    boxes: Value,
    boxes_num: Value | None = None,
    pooled_height: int = 1,
    pooled_width: int = 1,
    output_channels: int = 1,
    spatial_scale: float = 1.0,
) -> Call:
    """Position-sensitive pooling; Paddle and torchvision round the boxes differently."""
    _need_counts(op, boxes_num)
    size = (pooled_height, pooled_width)
    return call("fn.psroi_pool", x, boxes, boxes_num, size, spatial_scale)


# --- priors, anchors, coding ------------------------------------------------------------------


def prior_sizes(
    min_sizes: Floats, max_sizes: Floats, aspect_ratios: Floats, flip: bool, max_second: bool
) -> list[tuple[float, float]]:
    """(width, height) of the priors of one cell, in Paddle's order.

    A square for each minimum size, one for the mean with its maximum, and one box for each other
    aspect ratio; the mean comes second (`max_second`) or last.
    """
    ratios = [1.0]
    for ratio in aspect_ratios:
        if all(abs(ratio - other) >= 1e-6 for other in ratios):
            ratios += [ratio, 1 / ratio] if flip else [ratio]
    sizes = []
    for number, small in enumerate(min_sizes):
        means = [(small * max_sizes[number]) ** 0.5] if max_sizes else []
        kept = [ratio for ratio in ratios[1:] if not max_second or abs(ratio - 1) >= 1e-6]
        boxes = [(shortest(small * ratio**0.5), shortest(small / ratio**0.5)) for ratio in kept]
        squares = [(shortest(mean), shortest(mean)) for mean in means]
        first = [(shortest(small), shortest(small))]
        sizes += first + (squares + boxes if max_second else boxes + squares)
    return sizes


@rule("pd_op.prior_box", traits=(Trait.FLOAT32_INSIDE, Trait.CONSTRAINED))
def prior_box(
    op: Context,
    input_: Value,
    image: Value,
    min_sizes: Floats,
    max_sizes: Floats = (),
    aspect_ratios: Floats = (),
    variances: Floats = (),
    flip: bool = True,
    clip: bool = True,
    step_w: float = 0.0,
    step_h: float = 0.0,
    offset: float = 0.5,
    min_max_aspect_ratios_order: bool = False,
) -> Call:
    """SSD priors; their sizes are written out, the grid follows the feature map."""
    sizes = prior_sizes(min_sizes, max_sizes, aspect_ratios, flip, min_max_aspect_ratios_order)
    return helper(
        "prior_box", input_, image, sizes, list(variances), step=(step_w, step_h),
        offset=offset, clip=clip,
    )  # fmt: skip


@rule("pd_op.anchor_generator", traits=(Trait.CONSTRAINED,))
def anchor_generator(
    op: Context,
    input_: Value,
    anchor_sizes: Floats,
    aspect_ratios: Floats,
    variances: Floats,
    stride: Floats = (16.0, 16.0),
    offset: float = 0.5,
) -> Call:
    """Anchors in pixels; the sizes of one cell, rounded as Paddle does, are written out."""
    sizes = []
    for ratio in np.array(aspect_ratios, np.float32):
        width = _half_up(np.sqrt(np.float32(stride[0]) * np.float32(stride[1]) / ratio))
        height = _half_up(width * ratio)
        for size in np.array(anchor_sizes, np.float32):
            scales = size / np.array(stride[:2], np.float32)
            sizes.append((shortest(scales[0] * width), shortest(scales[1] * height)))
    made = (input_, sizes, list(variances), tuple(stride[:2]))
    return helper("anchor_boxes", *made, offset=offset)


def _half_up(number: Any) -> np.float32:
    return np.float32(np.floor(number + np.float32(0.5)))


@rule("pd_op.box_coder", traits=(Trait.CONSTRAINED,))
def box_coder(
    op: Context,
    prior_box: Value,
    prior_box_var: Value | None,
    target_box: Value,
    code_type: str = "encode_center_size",
    box_normalized: bool = True,
    axis: int = 0,
    variance: Floats = (),
) -> Call:
    """Boxes to offsets from priors, or back; the variance is a tensor, four numbers, or absent."""
    spread = prior_box_var if prior_box_var is not None else list(variance) or None
    if "encode" in code_type:
        return helper("encode_boxes", prior_box, target_box, spread, normalized=box_normalized)
    op.require(
        prior_box_var is not None or not variance or prior_box.dtype == "float32",
        "Paddle reads the variance of a float64 box_coder from the wrong memory",
    )
    return helper(
        "decode_boxes", prior_box, target_box, spread, normalized=box_normalized, axis=axis
    )


@rule("pd_op.yolo_box", traits=(Trait.DECIDES, Trait.CONSTRAINED))
def yolo_box(
    op: Context,
    x: Value,
    img_size: Value,
    anchors: tuple[int, ...],
    class_num: int,
    conf_thresh: float,
    downsample_ratio: int,
    clip_bbox: bool = True,
    scale_x_y: float = 1.0,
    iou_aware: bool = False,
    iou_aware_factor: float = 0.5,
) -> Call:
    """Boxes and scores of one YOLO head."""
    return helper(
        "yolo_box", x, img_size, anchors=list(anchors), class_num=class_num,
        conf_thresh=conf_thresh, downsample_ratio=downsample_ratio, clip_bbox=clip_bbox,
        scale_x_y=scale_x_y, iou_aware=iou_aware, iou_aware_factor=iou_aware_factor,
    )  # fmt: skip


@rule("pd_op.bipartite_match", traits=(Trait.CONSTRAINED,))
def bipartite_match(
    op: Context, dist_mat: Value, match_type: str = "bipartite", dist_threshold: float = 0.5
) -> Call:
    """Greedy matching of rows with columns."""
    return call("fn.bipartite_match", dist_mat, match_type == "per_prediction", dist_threshold)


# --- refused ----------------------------------------------------------------------------------


@rule("pd_op.box_clip", traits=(Trait.CONSTRAINED,))
def box_clip(op: Context, input_: Value, im_info: Value) -> Layer:
    """Needs LoD: Paddle itself crashes on a tensor without it."""
    op.require(False, "box_clip takes the boxes of each image from LoD, which torch lacks")
    raise AssertionError


@rule("pd_op.yolo_box_head", "pd_op.yolo_box_post", traits=())
def yolo_box_fused(op: Context) -> Layer:
    """Parts of a GPU-only fusion."""
    op.require(
        False,
        f"{op.name} is part of a fusion that only Paddle's GPU inference makes",
        "Export the model before such optimisation; it then has yolo_box.",
    )
    raise AssertionError


@rule("pd_op.yolo_loss", traits=())
def yolo_loss(op: Context) -> Layer:
    """A training loss."""
    op.require(False, "yolo_loss is a training loss", "Export the model in eval mode.")
    raise AssertionError
