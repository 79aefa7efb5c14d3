"""Regions of interest: proposals, feature pyramid levels, pooling."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from workbench.targets.pytorch.functions.detection import greedy_nms
from workbench.targets.pytorch.functions.detection_boxes import decode_boxes


def generate_proposals(
    scores: Tensor,
    deltas: Tensor,
    image_size: Tensor,
    anchors: Tensor,
    variances: Tensor,
    *,
    pre_nms_top_n: int,
    post_nms_top_n: int,
    nms_threshold: float,
    min_size: float,
    eta: float = 1.0,
    pixel_offset: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Proposals of a region proposal network: decoded, clipped to the image, filtered, NMS.

    Returns the boxes of all images, their scores, (boxes, 1), and the number per image. An image
    without any gets one box of zeros. Paddle leaves the order of equal scores open.
    """
    anchors, variances = anchors.reshape(-1, 4), variances.reshape(-1, 4)
    scores = scores.permute(0, 2, 3, 1).flatten(1)
    deltas = deltas.permute(0, 2, 3, 1).reshape(scores.shape[0], -1, 4)
    extra = 1 if pixel_offset else 0
    rois, probabilities, counts = [], [], []
    for image_scores, delta, size in zip(scores, deltas, image_size, strict=True):
        score, order = image_scores.sort(descending=True, stable=True)
        if pre_nms_top_n > 0:
            score, order = score[:pre_nms_top_n], order[:pre_nms_top_n]
        # of equal scores NMS takes the last one first
        again = score.sort(stable=True).indices.flip(0)
        score, order = score[again], order[again]
        codes = delta[order] * variances[order]
        codes = torch.cat([codes[:, :2], codes[:, 2:].clamp(max=math.log(1000 / 16))], 1)
        boxes = decode_boxes(anchors[order], codes.unsqueeze(0), None, not pixel_offset)[0]
        frame = size.flip(0).repeat(2)
        boxes = torch.minimum(boxes, frame - extra).clamp(min=0)
        sides = boxes[:, 2:] - boxes[:, :2] + extra
        kept = (sides >= max(min_size, 1.0)).all(1)
        if pixel_offset:
            kept &= (boxes[:, :2] + sides / 2 <= frame[:2]).all(1)
        # the box of zeros, for an image that has none
        kept = torch.cat([kept, ~kept.any(0, keepdim=True)])
        boxes = torch.cat([boxes, boxes.new_zeros(1, 4)])[kept]
        score = torch.cat([score, score.new_zeros(1)])[kept]
        best = greedy_nms(boxes, nms_threshold, eta, not pixel_offset)
        if post_nms_top_n > 0:
            best = best[:post_nms_top_n]
        rois.append(boxes[best])
        probabilities.append(score[best].unsqueeze(1))
        counts.append(torch.full((1,), best.shape[0], device=boxes.device))
    return torch.cat(rois), torch.cat(probabilities), torch.cat(counts).to(torch.int32)


def image_numbers(rois_num: Tensor, total: int) -> Tensor:
    """The number of the image for each of `total` boxes, from the number of boxes per image."""
    numbers = torch.arange(total, device=rois_num.device)
    return (numbers[:, None] >= rois_num.cumsum(0)).sum(1)


def boxes_with_image(boxes: Tensor, rois_num: Tensor) -> Tensor:
    """Boxes as torchvision takes them: the number of the image, then the coordinates."""
    images = image_numbers(rois_num, boxes.shape[0])
    return torch.cat([images.to(boxes.dtype).unsqueeze(1), boxes], 1)


def distribute_fpn_proposals(
    rois: Tensor,
    rois_num: Tensor,
    *,
    min_level: int,
    max_level: int,
    refer_level: int,
    refer_scale: int,
    pixel_offset: bool = False,
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Give each box to a level of the feature pyramid by its size.

    Returns the boxes by level, their numbers per image by level, and for each box its row when the
    levels are put one after another again, (boxes, 1).
    """
    extra = 1 if pixel_offset else 0
    size = rois[:, 2:] - rois[:, :2]
    valid = (size >= 0).all(1)
    scale = torch.where(valid, (size + extra).prod(1), 0).sqrt()
    level = torch.floor(torch.log2(scale / refer_scale + 1e-6) + refer_level)
    level = level.clamp(min_level, max_level).long()
    images = image_numbers(rois_num, rois.shape[0])
    by_level, counts = [], []
    for number in range(min_level, max_level + 1):
        chosen = level == number
        by_level.append(rois[chosen])
        counts.append(torch.zeros_like(rois_num).index_add(0, images, chosen.to(rois_num.dtype)))
    order = level.sort(stable=True).indices
    restore = order.argsort().to(torch.int32)
    return by_level, [count.to(torch.int32) for count in counts], restore.unsqueeze(1)


def collect_fpn_proposals(
    rois: list[Tensor], scores: list[Tensor], rois_num: list[Tensor], post_nms_topn: int
) -> tuple[Tensor, Tensor]:
    """The best boxes of all levels and images, grouped by image, and their number per image.

    Of equal scores the one of the last level comes first, as in Paddle.
    """
    images = torch.cat(
        [image_numbers(n, r.shape[0]) for n, r in zip(rois_num, rois, strict=True)]
    ).flip(0)
    order = torch.cat(scores).flatten().flip(0).sort(descending=True, stable=True).indices
    order = order[:post_nms_topn]
    order = order[images[order].sort(stable=True).indices]
    counts = torch.zeros_like(rois_num[0]).index_add(
        0, images[order], torch.ones_like(order, dtype=rois_num[0].dtype)
    )
    return torch.cat(rois).flip(0)[order], counts.to(torch.int32)


def psroi_pool(
    x: Tensor, boxes: Tensor, rois_num: Tensor, output_size: tuple[int, int], spatial_scale: float
) -> Tensor:
    """Mean of each bin in a channel of its own: channels are (output channels, bin rows, columns).

    Unlike torchvision's, boxes are rounded before they are scaled, and include their last pixel.
    """
    rows, columns = output_size
    images = image_numbers(rois_num, boxes.shape[0])
    corners = torch.trunc(boxes + 0.5 * boxes.sign())
    start, end = corners[:, :2] * spatial_scale, (corners[:, 2:] + 1) * spatial_scale
    size = (end - start).clamp(min=0.1)
    top, bottom = bin_edges(start[:, 1:], size[:, 1:], rows, x.shape[2])
    left, right = bin_edges(start[:, :1], size[:, :1], columns, x.shape[3])
    # sums up to every row and column: four of them give the sum of any rectangle
    sums = F.pad(x.double().cumsum(2).cumsum(3), (1, 0, 1, 0))
    sums = sums.reshape(x.shape[0], -1, rows, columns, x.shape[2] + 1, x.shape[3] + 1)
    image = images[:, None, None, None]
    channel = torch.arange(sums.shape[1], device=x.device)[:, None, None]
    row = torch.arange(rows, device=x.device)[:, None]
    column = torch.arange(columns, device=x.device)

    def upto(y: Tensor, x: Tensor) -> Tensor:
        return sums[image, channel, row, column, y[:, None, :, None], x[:, None, None, :]]

    total = upto(bottom, right) - upto(top, right) - upto(bottom, left) + upto(top, left)
    area = (bottom - top)[:, None, :, None] * (right - left)[:, None, None, :]
    return torch.where(area > 0, total / area.clamp(min=1), 0).to(x.dtype)


def bin_edges(start: Tensor, size: Tensor, bins: int, limit: int) -> tuple[Tensor, Tensor]:
    """First and last + 1 pixel of every bin of every box, clipped to the feature map."""
    step = size / bins
    number = torch.arange(bins, dtype=start.dtype, device=start.device)
    first = torch.floor(number * step + start).clamp(0, limit).long()
    last = torch.ceil((number + 1) * step + start).clamp(0, limit).long()
    return first, torch.maximum(first, last)
