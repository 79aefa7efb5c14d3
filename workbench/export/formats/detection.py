"""Non-maximum suppression of all images at once, for exporters.

The readable helpers go through the images of a batch one by one, of which an exporter would keep
the example's number. Here the boxes of all images and classes stand in one list, sorted by image
and class, best first; a box is only ever suppressed by one of its own image and class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchvision import ops

from workbench.targets.pytorch import functions as fn
from workbench.targets.pytorch.functions.detection import as_float32, box_iou, score_decay


def multiclass_nms(
    boxes: Tensor,
    scores: Tensor,
    rois_num: Tensor | None = None,
    *,
    score_threshold: float,
    nms_top_k: int,
    keep_top_k: int,
    nms_threshold: float,
    normalized: bool = True,
    nms_eta: float = 1.0,
    background_label: int = 0,
    suppress: Callable[..., Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """`fn.multiclass_nms`; what it cannot do at once it leaves to that."""
    if not normalized or nms_eta < 1 or boxes.shape[-1] != 4:
        return fn.multiclass_nms(
            boxes, scores, *(() if rois_num is None else (rois_num,)),
            score_threshold=score_threshold, nms_top_k=nms_top_k, keep_top_k=keep_top_k,
            nms_threshold=nms_threshold, normalized=normalized, nms_eta=nms_eta,
            background_label=background_label,
        )  # fmt: skip
    images, classes = _images(boxes, rois_num), scores.shape[1]
    if rois_num is None:
        image, label, place = _above(scores, score_threshold).unbind(1)
        index = image * scores.shape[2] + place
        score, box = scores[image, label, place], boxes[image, place]
    else:
        label, place = _above(scores.t(), score_threshold).unbind(1)
        image = (place[:, None] >= rois_num.cumsum(0)).sum(1)
        index = place * classes + label
        score, box = scores[place, label], boxes[place, label]
    wanted = torch.nonzero(label != background_label).squeeze(1)
    group, groups = image * classes + label, images * classes
    order = _best(score[wanted], group[wanted], groups, nms_top_k)
    order = wanted[order]
    kept = (suppress or _suppressed)(box[order], group[order], groups, as_float32(nms_threshold))
    order = order[kept]
    if rois_num is not None:  # the boxes of a label in their own order
        order = order[(group[order] * boxes.shape[0] + place[order]).argsort()]
    order = order[_kept(score[order], image[order], images, keep_top_k)]
    head = torch.stack([label[order].to(score.dtype), score[order]], 1)
    return (
        torch.cat([head, box[order]], 1),
        index[order].to(torch.int32).unsqueeze(1),
        _counts(image[order], images),
    )


def matrix_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    score_threshold: float,
    nms_top_k: int,
    keep_top_k: int,
    post_threshold: float = 0.0,
    use_gaussian: bool = False,
    gaussian_sigma: float = 2.0,
    background_label: int = 0,
    normalized: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """`fn.matrix_nms` for all images at once, class by class."""
    count = boxes.shape[0]
    none = torch.zeros(0, dtype=torch.long, device=boxes.device)
    images, labels, places, decayed = [none], [none], [none], [scores.new_zeros(0)]
    for label in range(scores.shape[1]):
        if label == background_label:
            continue
        image, place = _above(scores[:, label], score_threshold).unbind(1)
        order = _best(scores[image, label, place], image, count, nms_top_k)
        image, place = image[order], place[order]
        candidates = boxes[image, place, :4]
        ious = box_iou(candidates, candidates, normalized)
        ious = torch.where(image[:, None] == image, ious, torch.nan)  # of no effect
        score = scores[image, label, place] * score_decay(ious, use_gaussian, gaussian_sigma)
        kept = torch.nonzero(score > post_threshold).squeeze(1)
        images.append(image[kept])
        places.append(place[kept])
        decayed.append(score[kept])
        labels.append(torch.full_like(image[kept], label))
    image, score, place = torch.cat(images), torch.cat(decayed), torch.cat(places)
    order = _best(score, image, count, keep_top_k)
    image, place = image[order], place[order]
    head = torch.stack([torch.cat(labels)[order].to(score.dtype), score[order]], 1)
    return (
        torch.cat([head, boxes[image, place]], 1),
        (image * scores.shape[2] + place).to(torch.int32).unsqueeze(1),
        _counts(image, count),
    )


def _images(boxes: Tensor, rois_num: Tensor | None) -> int:
    return boxes.shape[0] if rois_num is None else rois_num.shape[0]


def _above(scores: Tensor, threshold: float) -> Tensor:
    """Positions of the scores above the threshold, (found, axes)."""
    return torch.nonzero(scores > threshold)


def _best(scores: Tensor, group: Tensor, groups: int, count: int) -> Tensor:
    """Order by group, best first, at most `count` of each; -1 for all."""
    order = scores.float().sort(descending=True, stable=True).indices
    order = order[group[order].sort(stable=True).indices]
    if count < 0:
        return order
    ranks = _ranks(group[order], groups)
    return order[torch.nonzero(ranks < count).squeeze(1)]


def _ranks(group: Tensor, groups: int) -> Tensor:
    """Position within its group of each element of a sorted list of groups."""
    sizes = torch.zeros(groups, dtype=torch.int64, device=group.device)
    sizes = sizes.scatter_add(0, group, torch.ones_like(group))
    starts = sizes.cumsum(0) - sizes
    return torch.arange(group.shape[0], device=group.device) - starts[group]


def _kept(scores: Tensor, image: Tensor, images: int, count: int) -> Tensor:
    """The best `count` of each image, in the order at hand."""
    if count < 0:
        return torch.arange(image.shape[0], device=image.device)
    return _best(scores, image, images, count).sort().values


def _counts(image: Tensor, images: int) -> Tensor:
    """How many there are of each image."""
    each = torch.arange(images, device=image.device)
    return (image[:, None] == each).sum(0).to(torch.int32)


def _suppressed(boxes: Tensor, group: Tensor, groups: int, threshold: float) -> Tensor:
    """Positions of the boxes that stay; they come best first within their group.

    Groups are moved apart, in float64 so that the boxes keep their numbers.
    """
    # two more that always stay, last of all: torchvision tells exporters that no fewer do
    last = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2, dtype=torch.float64, device=boxes.device)
    wide = torch.cat([boxes.double(), last])
    group = torch.cat([group, torch.arange(2, device=group.device) + groups])
    apart = wide + (group.double() * (wide.abs().amax() * 2 + 1).ceil()).unsqueeze(1)
    ranks = torch.arange(wide.shape[0], 0, -1, device=boxes.device)
    kept: Tensor = ops.nms(apart, ranks.double(), threshold)
    return kept[:-2]


@torch.library.custom_op("workbench::grouped_nms", mutates_args=())
def grouped_nms(boxes: Tensor, group: Tensor, groups: int, threshold: float) -> Tensor:
    """`_suppressed` as one operator, which ONNX has: its NMS keeps classes apart."""
    return _suppressed(boxes, group, groups, threshold)


@grouped_nms.register_fake
def _(boxes: Tensor, group: Tensor, groups: int, threshold: float) -> Tensor:
    found = torch.library.get_ctx().new_dynamic_size()
    return boxes.new_empty(found, dtype=torch.int64)


def multiclass_nms_for_onnx(*given: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    """`multiclass_nms` by ONNX's own operator, since that takes no float64."""
    return multiclass_nms(*given, suppress=grouped_nms, **options)


FORMS: dict[Callable[..., Any], Callable[..., Any]] = {
    fn.multiclass_nms: multiclass_nms,
    fn.matrix_nms: matrix_nms,
}
#: Those for ONNX.
ONNX_FORMS = FORMS | {fn.multiclass_nms: multiclass_nms_for_onnx}
