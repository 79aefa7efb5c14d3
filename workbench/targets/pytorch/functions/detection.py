"""Non-maximum suppression as Paddle does it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torchvision import ops


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
) -> tuple[Tensor, Tensor, Tensor]:
    """Greedy NMS within every class, then the best `keep_top_k` of every image.

    Boxes are (images, boxes, 4) with scores (images, classes, boxes), or, with `rois_num` boxes per
    image, (boxes, classes, 4) with scores (boxes, classes). Returns rows of label, score and box in
    the order of the labels; their indices among all boxes, (rows, 1); and the rows per image.
    """
    rows, indices, rows_per_image = [], [], []
    for of_image, score, index in by_image(boxes, scores, rois_num):
        none = torch.zeros(0, dtype=torch.long, device=boxes.device)
        labels, places = [none], [none]
        for label in range(scores.shape[1]):
            if label != background_label:
                candidates = best_above(score[label], score_threshold, nms_top_k)
                kept = greedy_nms(of_image[label, candidates], nms_threshold, nms_eta, normalized)
                place = candidates[kept]
                places.append(place if rois_num is None else place.sort().values)
                labels.append(torch.full_like(kept, label))
        found = (torch.cat(labels), torch.cat(places))
        if keep_top_k > -1:
            order = score[found].float().sort(descending=True, stable=True).indices
            best = order[:keep_top_k].sort().values  # still in the order of the labels
            found = (found[0][best], found[1][best])
        head = torch.stack([found[0].to(score.dtype), score[found]], 1)
        rows.append(torch.cat([head, of_image[found]], 1))
        indices.append(index[found])
        rows_per_image.append(torch.full((1,), index[found].shape[0], device=boxes.device))
    return (
        torch.cat(rows),
        torch.cat(indices).to(torch.int32).unsqueeze(1),
        torch.cat(rows_per_image).to(torch.int32),
    )


def by_image(
    boxes: Tensor, scores: Tensor, rois_num: Tensor | None
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Boxes, (classes, boxes, 4), scores and indices, both (classes, boxes), of every image."""
    index = torch.arange(scores.numel(), device=boxes.device)
    if rois_num is None:
        images, classes, count = scores.shape
        index = index[: images * count].reshape(images, 1, count).expand(-1, classes, -1)
        shared = boxes.unsqueeze(1).expand(-1, classes, -1, -1)
        return list(zip(shared.unbind(0), scores.unbind(0), index.unbind(0), strict=True))
    index, row = index.reshape(scores.shape), torch.arange(boxes.shape[0], device=boxes.device)
    found = []
    for count, end in zip(rois_num, rois_num.cumsum(0), strict=True):
        own = torch.nonzero((row >= end - count) & (row < end)).squeeze(1)
        found.append((boxes[own].transpose(0, 1), scores[own].t(), index[own].t()))
    return found


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
    """Matrix NMS: scores decay by the overlap with better boxes of the same class.

    Returns rows of label, decayed score and box in descending order of that score; their indices
    among all boxes, (rows, 1); and the rows per image.
    """
    rows, indices, rows_per_image = [], [], []
    for of_image, by_label, index in by_image(boxes, scores, None):
        labels, places, decayed = [], [], []
        for label in range(scores.shape[1]):
            if label == background_label:
                continue
            place = best_above(by_label[label], score_threshold, nms_top_k)
            candidates = of_image[label, place, :4]
            ious = box_iou(candidates, candidates, normalized)
            score = by_label[label, place] * score_decay(ious, use_gaussian, gaussian_sigma)
            kept = score > post_threshold
            places.append(place[kept])
            decayed.append(score[kept])
            labels.append(torch.full_like(score[kept], label))
        score = torch.cat(decayed) if decayed else scores.new_zeros(0)
        order = score.sort(descending=True, stable=True).indices
        order = order[:keep_top_k] if keep_top_k > -1 else order
        place = torch.cat(places)[order] if places else order
        head = torch.stack([torch.cat(labels)[order] if labels else score, score[order]], 1)
        rows.append(torch.cat([head, of_image[0, place]], 1))
        indices.append(index[0, place])
        rows_per_image.append(torch.full((1,), place.shape[0], device=boxes.device))
    return (
        torch.cat(rows),
        torch.cat(indices).to(torch.int32).unsqueeze(1),
        torch.cat(rows_per_image).to(torch.int32),
    )


def score_decay(ious: Tensor, use_gaussian: bool, gaussian_sigma: float) -> Tensor:
    """The factor of every score in matrix NMS, from the pairwise IoUs of boxes, best box first."""
    better = torch.ones_like(ious, dtype=torch.bool).tril(-1) & ~ious.isnan()
    worst = F.pad(torch.where(better, ious, 0), (1, 0)).amax(1)
    if use_gaussian:
        decay = torch.exp((worst * worst - ious * ious) * gaussian_sigma)
    else:
        decay = ((1 - ious.double()) / (1 - worst.double())).to(ious.dtype)
    return F.pad(torch.where(better & ~decay.isnan(), decay, 1), (1, 0), value=1.0).amin(1)


def best_above(scores: Tensor, threshold: float, top_k: int) -> Tensor:
    """Indices of the best `top_k` scores above the threshold, best first; -1 for all of them."""
    candidates = torch.nonzero(scores > threshold).squeeze(1)
    # Paddle compares scores as float32, also where they are float64
    order = scores[candidates].float().sort(descending=True, stable=True).indices
    return candidates[order[:top_k] if top_k > -1 else order]


def sorted_nms(boxes: Tensor, threshold: float) -> Tensor:
    """Indices of the boxes that torchvision's NMS keeps; the boxes come best first."""
    ranks = torch.arange(boxes.shape[0], 0, -1, device=boxes.device)
    kept: Tensor = ops.nms(boxes, ranks.to(boxes.dtype), as_float32(threshold))
    return kept


def greedy_nms(
    boxes: Tensor, threshold: float, eta: float = 1.0, normalized: bool = True
) -> Tensor:
    """Indices of the boxes that greedy NMS keeps; the boxes come best first.

    `eta` below 1 lowers the threshold after every box that is kept, while it is above 0.5. Boxes
    without area that touch suppress each other in Paddle, not in torchvision, and so do infinite
    ones: they take the slow way (but not in an exported model, which cannot look at the boxes).
    """
    exporting = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore
    if normalized and eta >= 1 and boxes.shape[1] == 4:
        areas = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)
        if exporting or bool((areas.isfinite() & (areas > 0)).all()):
            return sorted_nms(boxes, threshold)
    limit, rate = as_float32(threshold), as_float32(eta)
    parts = [box_iou(part, boxes, normalized) for part in torch.split(boxes, 1000)]
    ious = torch.cat(parts).tril(-1)  # with the better boxes
    kept = torch.ones(boxes.shape[0], dtype=torch.bool, device=boxes.device)
    if eta < 1:
        for i in range(boxes.shape[0]):
            kept[i] = ((ious[i, :i] <= limit) | ~kept[:i]).all()
            if limit > 0.5 and kept[i]:
                limit = as_float32(limit * rate) if boxes.dtype == torch.float32 else limit * rate
        return torch.nonzero(kept).squeeze(1)
    clash = ~(ious <= limit)
    while True:  # the first boxes are right at once, those that they decide in the next round …
        again = ~(clash & kept).any(1)
        if again.equal(kept):
            return torch.nonzero(kept).squeeze(1)
        kept = again


def as_float32(number: float) -> float:
    """The number rounded as Paddle's attributes hold it."""
    mantissa, exponent = math.frexp(number)
    return math.ldexp(round(mantissa * 2**24), exponent - 24)


def box_iou(first: Tensor, second: Tensor, normalized: bool = True) -> Tensor:
    """IoU of every pair of boxes; 0 where they are apart, NaN where two without area touch.

    Boxes that are not normalized are in pixels and include their last row and column. With more
    than 4 numbers they are polygons: x, y, x, y …
    """
    if first.shape[1] > 4:
        return polygon_iou(first, second)
    extra = 0 if normalized else 1
    left, top, right, bottom = first[:, :, None].unbind(1)
    left_2, top_2, right_2, bottom_2 = second.unbind(1)
    width = torch.minimum(right, right_2) - torch.maximum(left, left_2) + extra
    height = torch.minimum(bottom, bottom_2) - torch.maximum(top, top_2) + extra
    apart = (left > right_2) | (right < left_2) | (top > bottom_2) | (bottom < top_2)
    shared = width * height
    both = box_area(first, extra)[:, None] + box_area(second, extra)
    return torch.where(apart, 0, shared / (both - shared))


def box_area(boxes: Tensor, extra: int) -> Tensor:
    """Area of boxes, 0 for one whose corners are swapped."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(1)
    return torch.where((width < 0) | (height < 0), 0, (width + extra) * (height + extra))


def polygon_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of every pair of simple polygons; 0 where one of the two has no area."""
    points = first.shape[1] // 2
    first, second = first.reshape(-1, points, 2), second.reshape(-1, points, 2)
    area, area_2 = polygon_area(first)[:, None], polygon_area(second)
    low, high = first.amin(1)[:, None], first.amax(1)[:, None]
    meet = (low < second.amax(1)) & (high > second.amin(1))
    row, column = torch.nonzero(meet.all(2), as_tuple=True)
    shared = torch.zeros_like(area * area_2)
    shared[row, column] = polygon_overlap(first[row], second[column]).to(shared.dtype)
    none = (shared == 0) | (area_2 == 0) | (area == 0)
    return torch.where(none, 0, shared / (area + area_2 - shared))


def polygon_area(points: Tensor) -> Tensor:
    """Area of polygons, (…, points, 2), summed in the order of the points as Paddle does."""
    x, y = points.unbind(-1)
    parts = x * y.roll(-1, -1) - y * x.roll(-1, -1)
    area = torch.zeros_like(parts[..., 0])
    for part in parts.unbind(-1):
        area = area + part
    return (area / 2).abs()


def polygon_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Area that pairs of simple polygons, (pairs, points, 2), share.

    Below each edge lies a strip down to a common floor. The overlap is the signed sum of what any
    strip of one polygon shares with any strip of the other: the integral of the lower of two edges.
    """
    floor = torch.minimum(first.amin(1), second.amin(1)).double()
    first, second = first.double() - floor[:, None], second.double() - floor[:, None]
    (xa, ya), (xb, yb) = first.unsqueeze(2).unbind(-1), second.unsqueeze(1).unbind(-1)
    step_a, step_b = xa.roll(-1, 1) - xa, xb.roll(-1, 2) - xb
    slope_a = (ya.roll(-1, 1) - ya) / torch.where(step_a == 0, 1, step_a)
    slope_b = (yb.roll(-1, 2) - yb) / torch.where(step_b == 0, 1, step_b)
    left = torch.maximum(torch.minimum(xa, xa + step_a), torch.minimum(xb, xb + step_b))
    right = torch.minimum(torch.maximum(xa, xa + step_a), torch.maximum(xb, xb + step_b))
    gap_left = ya + (left - xa) * slope_a - (yb + (left - xb) * slope_b)
    gap_right = ya + (right - xa) * slope_a - (yb + (right - xb) * slope_b)
    # where edge a is below edge b, on average; only a part of the range when they cross
    below = (gap_left.clamp(max=0) + gap_right.clamp(max=0)) / 2
    total = gap_left.abs() + gap_right.abs()
    part = torch.where(gap_left * gap_right < 0, -2 * below / total, 1)
    height = yb + ((left + right) / 2 - xb) * slope_b + below * part
    signs = step_a.sign() * step_b.sign()
    return (signs * (right - left).clamp(min=0) * height).sum((1, 2)).abs()
