"""Boxes: priors and anchors, their coding, YOLO heads, matching."""

from __future__ import annotations

import torch
from torch import Tensor


def prior_box(
    feature: Tensor,
    image: Tensor,
    sizes: list[tuple[float, float]],
    variances: list[float],
    step: tuple[float, float] = (0.0, 0.0),
    offset: float = 0.5,
    clip: bool = False,
) -> tuple[Tensor, Tensor]:
    """Boxes of the given (width, height) in pixels around the centre of every feature cell.

    Returns them as fractions of the image, (H, W, sizes, 4), and the variances in the same shape.
    `step` is the cell's width and height in pixels; from the shapes where one of them is 0.
    """
    (rows, columns), (height, width) = feature.shape[2:], image.shape[2:]
    step_x, step_y = (width / columns, height / rows) if 0 in step else step
    half_width, half_height = (feature.new_tensor(sizes) / 2).unbind(1)
    x = ((torch.arange(columns).to(feature) + offset) * step_x)[:, None]
    y = ((torch.arange(rows).to(feature) + offset) * step_y)[:, None, None]
    left, right = (x - half_width) / width, (x + half_width) / width
    top, bottom = (y - half_height) / height, (y + half_height) / height
    edges = [edge.expand(rows, columns, -1) for edge in (left, top, right, bottom)]
    boxes = torch.stack(edges, -1).clamp(0, 1) if clip else torch.stack(edges, -1)
    return boxes, feature.new_tensor(variances).expand(rows, columns, len(sizes), -1)


def anchor_boxes(
    feature: Tensor,
    sizes: list[tuple[float, float]],
    variances: list[float],
    stride: tuple[float, float],
    offset: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Anchors of the given (width, height) for every feature cell, in pixels, (H, W, sizes, 4)."""
    rows, columns = feature.shape[2:]
    reach_x, reach_y = ((feature.new_tensor(sizes) - 1) / 2).unbind(1)
    x = (torch.arange(columns).to(feature) * stride[0] + offset * (stride[0] - 1))[:, None]
    y = (torch.arange(rows).to(feature) * stride[1] + offset * (stride[1] - 1))[:, None, None]
    edges = (x - reach_x, y - reach_y, x + reach_x, y + reach_y)
    boxes = torch.stack([edge.expand(rows, columns, -1) for edge in edges], -1)
    return boxes, feature.new_tensor(variances).expand(rows, columns, len(sizes), -1)


def centre_size(boxes: Tensor, extra: float) -> tuple[Tensor, Tensor]:
    """Centre and size of boxes whose last row and column are `extra` pixels wide."""
    size = boxes[..., 2:] - boxes[..., :2] + extra
    return boxes[..., :2] + size / 2, size


def encode_boxes(
    priors: Tensor, targets: Tensor, variance: Tensor | list[float] | None, normalized: bool = True
) -> Tensor:
    """Offsets of every target, (rows, 4), from every prior, (columns, 4), over the variance."""
    extra = 0 if normalized else 1
    centre, size = centre_size(priors, extra)
    target_size = targets[:, None, 2:] - targets[:, None, :2] + extra
    target_centre = (targets[:, None, :2] + targets[:, None, 2:]) / 2
    moved = (target_centre - centre) / size
    code = torch.cat([moved, (target_size / size).abs().log()], -1)
    if variance is None:
        return code
    return code / (variance if isinstance(variance, Tensor) else code.new_tensor(variance))


def decode_boxes(
    priors: Tensor,
    codes: Tensor,
    variance: Tensor | list[float] | None,
    normalized: bool = True,
    axis: int = 0,
) -> Tensor:
    """Boxes from codes, (rows, columns, 4); priors go along the columns, or the rows (axis 1)."""
    extra = 0 if normalized else 1
    centre, size = centre_size(priors.unsqueeze(axis), extra)
    if isinstance(variance, Tensor):
        codes = codes * variance.unsqueeze(axis)
    elif variance is not None:
        codes = codes * codes.new_tensor(variance)
    centre = codes[..., :2] * size + centre
    half = codes[..., 2:].exp() * size / 2
    return torch.cat([centre - half, centre + half - extra], -1)


def yolo_box(
    x: Tensor,
    image_size: Tensor,
    *,
    anchors: list[int],
    class_num: int,
    conf_thresh: float,
    downsample_ratio: int,
    clip_bbox: bool = True,
    scale_x_y: float = 1.0,
    iou_aware: bool = False,
    iou_aware_factor: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Boxes in pixels, (N, boxes, 4), and scores, (N, boxes, classes), from a YOLO head.

    Both are zero where the confidence is below the threshold. `image_size` is height and width.
    """
    count = len(anchors) // 2
    batch, _, rows, columns = x.shape
    cells = x[:, count if iou_aware else 0 :]
    cells = cells.reshape(batch, count, 5 + class_num, rows, columns)
    confidence = cells[:, :, 4].sigmoid()
    if iou_aware:
        ious = x[:, :count].sigmoid()
        confidence = confidence ** (1 - iou_aware_factor) * ious**iou_aware_factor
    scores = cells[:, :, 5:].sigmoid() * confidence.unsqueeze(2)

    height, width = image_size[:, :, None, None, None].unbind(1)
    anchor_width, anchor_height = x.new_tensor(anchors).reshape(count, 2, 1, 1).unbind(1)
    bias = -0.5 * (scale_x_y - 1)
    column = torch.arange(columns).to(x)
    row = torch.arange(rows).to(x)[:, None]
    centre_x = (column + cells[:, :, 0].sigmoid() * scale_x_y + bias) * width / columns
    centre_y = (row + cells[:, :, 1].sigmoid() * scale_x_y + bias) * height / rows
    half_x = cells[:, :, 2].exp() * anchor_width * width / (downsample_ratio * columns) / 2
    half_y = cells[:, :, 3].exp() * anchor_height * height / (downsample_ratio * rows) / 2
    left, right = centre_x - half_x, centre_x + half_x
    top, bottom = centre_y - half_y, centre_y + half_y
    if clip_bbox:
        left, top = left.clamp(min=0), top.clamp(min=0)
        right = torch.minimum(right, (width - 1).to(x))
        bottom = torch.minimum(bottom, (height - 1).to(x))
    boxes = torch.stack([left, top, right, bottom], -1)
    unsure = (confidence < conf_thresh).unsqueeze(-1)
    boxes = torch.where(unsure, 0, boxes)
    scores = torch.where(unsure, 0, scores.movedim(2, -1))
    return boxes.reshape(batch, -1, 4), scores.reshape(batch, -1, class_num)


def bipartite_match(
    distance: Tensor, per_prediction: bool = False, threshold: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Match each row with one column, the largest distance first; columns without a match get −1.

    With `per_prediction` the other columns then take their best row if it reaches the threshold.
    Returns the row of every column and their distance, both (1, columns).
    """
    rows, columns = distance.shape
    matches = torch.full((columns,), -1, dtype=torch.int32, device=distance.device)
    found = torch.zeros_like(distance[0])
    least = 1e-6 if rows < 130 else 0.0  # Paddle has two ways, for few rows and for many
    left = torch.where(distance >= least, distance, 0)
    for _ in range(min(rows, columns)):
        # among equal ones the first column (few rows) or the first row (many rows) wins
        if rows < 130:
            column, row = divmod(int(left.t().argmax()), rows)
        else:
            row, column = divmod(int(left.argmax()), columns)
        if left[row, column] <= 0:
            break
        matches[column], found[column] = row, left[row, column]
        left[row], left[:, column] = 0, 0
    if per_prediction:
        best, row_of = distance.max(0)
        take = (matches < 0) & (best >= max(threshold, 1e-6))
        matches, found = torch.where(take, row_of, matches), torch.where(take, best, found)
    return matches.to(torch.int32).unsqueeze(0), found.unsqueeze(0)
