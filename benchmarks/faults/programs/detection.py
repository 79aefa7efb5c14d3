"""Detectors with their own kinds of boxes and suppression."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812
from paddle.vision import ops

from benchmarks.faults.programs.collection import fixed, image, program
from benchmarks.faults.programs.vision import conv


def priors(features: Any, stride: int) -> Any:
    """Centres of the cells of a feature map, in pixels."""
    height, width = features.shape[2:]
    y, x = paddle.meshgrid(paddle.arange(height), paddle.arange(width))
    return (paddle.stack([x, y], -1).reshape([-1, 2]).astype("float32") + 0.5) * stride


@program("detector", image(), fixed("scale_factor", "float32", 1.0, 1.0))
class PPYOLOE(nn.Layer):
    """Distances as a distribution, three strides, class-wise NMS on all boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, 3, 4, act=nn.Silu)
        self.down = nn.LayerList([conv(16, 16, 3, 2, act=nn.Silu) for _ in range(2)])
        self.gate = nn.LayerList([nn.Conv2D(16, 16, 1) for _ in range(2)])
        self.scores = nn.LayerList([nn.Conv2D(16, 5, 3, padding=1) for _ in range(2)])
        self.sides = nn.LayerList([nn.Conv2D(16, 4 * 9, 3, padding=1) for _ in range(2)])
        self.project = paddle.linspace(0, 8, 9).reshape([1, 9, 1, 1])

    def forward(self, image: Any, scale_factor: Any) -> Any:
        x = self.stem(image)
        scores, boxes = [], []
        for i in range(2):
            x = self.down[i](x)
            y = x * F.sigmoid(self.gate[i](F.adaptive_avg_pool2d(x, 1))) + x
            scores.append(F.sigmoid(self.scores[i](y)).flatten(2))
            sides = self.sides[i](y).flatten(2).reshape([x.shape[0], 4, 9, -1])
            sides = F.softmax(sides.transpose([0, 2, 1, 3]), axis=1)
            sides = (sides * self.project).sum(1).transpose([0, 2, 1]) * (8 * 2**i)
            centre = priors(x, 8 * 2**i)
            boxes.append(paddle.concat([centre - sides[..., :2], centre + sides[..., 2:]], -1))
        box = paddle.concat(boxes, 1)
        box = box / paddle.concat([scale_factor.flip(1), scale_factor.flip(1)], -1).unsqueeze(1)
        kept, count, _ = paddle._C_ops.multiclass_nms3(
            box, paddle.concat(scores, -1), None, 0.2, 200, 100, 0.6, True, 1.0, -1
        )
        return kept, count


@program("detector", image(), fixed("im_shape", "float32", 64.0, 64.0))
class PicoDet(nn.Layer):
    """Scores with quality, boxes clipped to the image, pixels that are not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, 16, 3, 4, act=nn.Hardswish), conv(16, 24, 5, 2, act=nn.Hardswish)
        )
        self.depth = conv(24, 24, 5, 1, 24, nn.Hardswish)
        self.scores, self.quality = nn.Conv2D(24, 4, 1), nn.Conv2D(24, 1, 1)
        self.sides = nn.Conv2D(24, 4, 1)

    def forward(self, image: Any, im_shape: Any) -> Any:
        x = self.depth(self.stem(image))
        score = F.sigmoid(self.scores(x)) * F.sigmoid(self.quality(x)) + 1e-9
        score = paddle.sqrt(score).flatten(2)
        sides = (F.softplus(self.sides(x)).flatten(2) * 8).transpose([0, 2, 1])
        centre = priors(x, 8)
        box = paddle.concat([centre - sides[..., :2], centre + sides[..., 2:]], -1)
        limit = paddle.concat([im_shape.flip(1), im_shape.flip(1)], -1).unsqueeze(1)
        box = paddle.minimum(F.relu(box), limit)
        kept, count, index = paddle._C_ops.multiclass_nms3(
            box, score, None, 0.4, 60, 25, 0.5, False, 1.0, 0
        )
        return kept, count, index


@program("detector", image(), fixed("im_size", "int32", 64, 64))
class YOLOv3(nn.Layer):
    """Two heads of yolo_box, then class-wise suppression."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 16, 3, 4, act=nn.LeakyReLU)
        self.low, self.high = conv(16, 24, 3, 4, act=nn.LeakyReLU), conv(16, 16, 3, 2, act=nn.Mish)
        self.route = conv(24, 16, 1, act=nn.LeakyReLU)
        self.heads = nn.LayerList([nn.Conv2D(24, 27, 1), nn.Conv2D(32, 27, 1)])

    def forward(self, image: Any, im_size: Any) -> Any:
        x = self.stem(image)
        low = self.low(x)
        high = F.interpolate(self.route(low), scale_factor=2.0, mode="nearest")
        high = paddle.concat([high, self.high(x)], 1)
        box1, score1 = ops.yolo_box(
            self.heads[0](low), im_size, [30, 61, 62, 45, 59, 60], 4, 0.01, 16, True, None, 1.05
        )
        box2, score2 = ops.yolo_box(
            self.heads[1](high), im_size, [10, 13, 16, 30, 33, 23], 4, 0.01, 8, True, None, 1.05
        )
        box = paddle.concat([box1, box2], 1)
        score = paddle.concat([score1, score2], 1).transpose([0, 2, 1])
        kept, count, _ = paddle._C_ops.multiclass_nms3(
            box, score, None, 0.05, 100, 50, 0.45, True, 1.0, -1
        )
        return kept, count


@program("detector", image())
class SSD(nn.Layer):
    """Prior boxes, decoding with variances, a background class."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(conv(3, 16, 3, 4, act=nn.ReLU6), conv(16, 24, 3, 2, act=nn.ReLU6))
        self.two = conv(24, 32, 3, 2, act=nn.ReLU6)
        self.sides = nn.LayerList([nn.Conv2D(size, 16, 3, padding=1) for size in (24, 32)])
        self.scores = nn.LayerList([nn.Conv2D(size, 16, 3, padding=1) for size in (24, 32)])

    def forward(self, image: Any) -> Any:
        one = self.one(image)
        two = self.two(one)
        sides, scores, boxes, spreads = [], [], [], []
        for i, x in enumerate([one, two]):
            sides.append(self.sides[i](x).transpose([0, 2, 3, 1]).reshape([image.shape[0], -1, 4]))
            part = self.scores[i](x).transpose([0, 2, 3, 1]).reshape([image.shape[0], -1, 4])
            scores.append(part)
            box, spread = ops.prior_box(
                x, image, [12.0 * (i + 1)], [20.0 * (i + 1)], [2.0], flip=True, clip=False,
                steps=[8.0 * (i + 1), 8.0 * (i + 1)], offset=0.5,
            )  # fmt: skip
            boxes.append(box.reshape([-1, 4]))
            spreads.append(spread.reshape([-1, 4]))
        decoded = ops.box_coder(
            paddle.concat(boxes), paddle.concat(spreads), paddle.concat(sides, 1),
            "decode_center_size", True,
        )  # fmt: skip
        score = F.softmax(paddle.concat(scores, 1), -1).transpose([0, 2, 1])
        kept, count, _ = paddle._C_ops.multiclass_nms3(
            decoded, score, None, 0.1, 100, 40, 0.45, True, 1.0, 0
        )
        return kept, count, decoded


@program("detector", image())
class Matrix(nn.Layer):
    """Soft suppression by the matrix of overlaps, linear and Gaussian."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 4, act=nn.ReLU), conv(16, 16, 3, 2, act=nn.ReLU))
        self.scores, self.sides = nn.Conv2D(16, 3, 1), nn.Conv2D(16, 4, 1)

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        score = F.sigmoid(self.scores(x)).flatten(2)
        sides = (F.relu(self.sides(x)).flatten(2) * 6 + 3).transpose([0, 2, 1])
        centre = priors(x, 8)
        box = paddle.concat([centre - sides[..., :2], centre + sides[..., 2:]], -1)
        one, _, n = paddle._C_ops.matrix_nms(box, score, 0.3, 60, 30, 0.1, False, 2.0, -1, True)
        two, _, k = paddle._C_ops.matrix_nms(box, score, 0.3, 60, 30, 0.1, True, 2.0, 0, False)
        return one, n, two, k


@program("detector", image())
class RCNN(nn.Layer):
    """Proposals, regions cut out by RoIAlign, a head for each region."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 4, act=nn.ReLU), conv(16, 16, 3, 2, act=nn.ReLU))
        self.score, self.sides = nn.Conv2D(16, 3, 1), nn.Conv2D(16, 12, 1)
        self.head, self.out = nn.Linear(16 * 9, 24), nn.Linear(24, 5)

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        score, sides = F.sigmoid(self.score(x)), self.sides(x) * 0.2
        sizes = paddle.to_tensor([64.0, 64.0]).expand([image.shape[0], 2])
        centre = priors(x, 8).reshape([8, 8, 1, 2])
        half = paddle.to_tensor([[8.0, 8.0], [14.0, 7.0], [7.0, 14.0]])
        anchors = paddle.concat([centre - half, centre + half], -1)
        rois, _, count = ops.generate_proposals(
            score, sides, sizes, anchors, paddle.ones_like(anchors), 60, 20, 0.6, 2.0, 1.0,
            return_rois_num=True,
        )  # fmt: skip
        part = ops.roi_align(x, rois, count, 3, 0.125, 2, True)
        y = F.relu(self.head(part.flatten(1)))
        return rois, F.softmax(self.out(y), -1), count


@program("detector", image())
class CenterNet(nn.Layer):
    """Peaks of a heat map, found by pooling, and the best of them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 2, act=nn.ReLU), conv(16, 16, 3, 2, act=nn.ReLU))
        self.heat, self.size = nn.Conv2D(16, 3, 1), nn.Conv2D(16, 2, 1)

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        heat = F.sigmoid(self.heat(x))
        peak = F.max_pool2d(heat, 3, 1, 1)
        heat = heat * (peak == heat).astype("float32")
        flat = heat.flatten(1)
        score, place = paddle.topk(flat, 12, axis=1)
        area = 16 * 16
        label = place // area
        place = place % area
        y, z = (place // 16).astype("float32"), (place % 16).astype("float32")
        size = self.size(x).flatten(2).transpose([0, 2, 1])
        size = paddle.take_along_axis(size, place.unsqueeze(-1).expand([-1, -1, 2]), 1)
        centre = paddle.stack([z, y], -1)
        return paddle.concat([centre - size, centre + size], -1) * 4, score, label


@program("detector", image())
class RTDETR(nn.Layer):
    """The best queries are gathered and look at sampled places of the feature map."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 4, act=nn.Silu), conv(16, 32, 3, 2, act=nn.Silu))
        self.score, self.box = nn.Linear(32, 6), nn.Linear(32, 4)
        self.norm, self.offset = nn.LayerNorm(32), nn.Linear(32, 8)
        self.weight, self.out = nn.Linear(32, 4), nn.Linear(32, 32)
        self.last = nn.Linear(32, 6)

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        memory = self.norm(x.flatten(2).transpose([0, 2, 1]))
        score = self.score(memory)
        _, place = paddle.topk(score.max(-1), 10, axis=1)
        batch = paddle.arange(image.shape[0], dtype="int64").unsqueeze(-1).expand([-1, 10])
        index = paddle.stack([batch, place], -1)
        query, box = paddle.gather_nd(memory, index), paddle.gather_nd(self.box(memory), index)
        box = F.sigmoid(box)
        offset = self.offset(query).reshape([0, 0, 4, 2]) * 0.1
        grid = (box[:, :, None, :2] + offset * box[:, :, None, 2:]) * 2 - 1
        seen = F.grid_sample(x, grid, align_corners=False).transpose([0, 2, 3, 1])
        weight = F.softmax(self.weight(query), -1).unsqueeze(-1)
        query = query + self.out((seen * weight).sum(2))
        log = paddle.log(box.clip(1e-5, 1 - 1e-5) / (1 - box.clip(1e-5, 1 - 1e-5)))
        return self.last(query), box + 0.1 * F.tanh(log)


@program("detector", image())
class Rotated(nn.Layer):
    """Rotated boxes, some thin as needles, suppressed as polygons, as in S2ANet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, 3, 2, act=nn.ReLU), conv(16, 16, 3, 2, act=nn.ReLU))
        self.scores, self.sides = nn.Conv2D(16, 4, 1), nn.Conv2D(16, 5, 1)

    def forward(self, image: Any) -> Any:
        x = self.stem(image)
        score = F.sigmoid(self.scores(x)).flatten(2)
        sides = self.sides(x).flatten(2).transpose([0, 2, 1])
        centre = priors(x, 4) + sides[..., :2] * 2
        size = paddle.exp(sides[..., 2:4] * paddle.to_tensor([0.5, 1.5])) * 6
        half = size.unsqueeze(2) * paddle.to_tensor(
            [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]
        )
        cos, sin = paddle.cos(sides[..., 4:]), paddle.sin(sides[..., 4:])
        turned_x = half[..., 0] * cos - half[..., 1] * sin
        turned_y = half[..., 0] * sin + half[..., 1] * cos
        corners = paddle.stack([turned_x, turned_y], -1) + centre.unsqueeze(2)
        kept, count, _ = paddle._C_ops.multiclass_nms3(
            corners.flatten(2), score, None, 0.05, 2000, 2000, 0.1, True, 1.0, -1
        )
        return kept, count
