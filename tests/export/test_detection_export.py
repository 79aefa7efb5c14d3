"""Detection helpers in traced and exported models, for other boxes than those of the example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import ops

from workbench.targets.pytorch import functions as fn
from workbench.targets.pytorch.functions.detection import polygon_iou

pytestmark = pytest.mark.filterwarnings("ignore")  # the tracer warns of every branch
AUTO = torch.export.Dim.AUTO  # type: ignore[attr-defined]


class Wrapped(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        """Call it."""
        return self.function(*inputs)


def boxes(*shape: int) -> Tensor:
    low = torch.rand(*shape, 2) * 60
    return torch.cat([low, low + torch.rand(*shape, 2) * 30 + 1], -1)


def counts(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int32)


def classes(b: Tensor, s: Tensor) -> Any:
    return fn.multiclass_nms(
        b, s, score_threshold=0.3, nms_top_k=50, keep_top_k=20, nms_threshold=0.5
    )


def own_boxes(b: Tensor, s: Tensor, n: Tensor) -> Any:
    return fn.multiclass_nms(
        b, s, n, score_threshold=0.3, nms_top_k=50, keep_top_k=20, nms_threshold=0.5
    )


def matrix(b: Tensor, s: Tensor) -> Any:
    return fn.matrix_nms(b, s, score_threshold=0.3, nms_top_k=50, keep_top_k=20)


def proposals(s: Tensor, d: Tensor, size: Tensor, anchors: Tensor) -> Any:
    return fn.generate_proposals(
        s, d, size, anchors, torch.ones_like(anchors), pre_nms_top_n=100, post_nms_top_n=30,
        nms_threshold=0.7, min_size=1.0, pixel_offset=False,
    )  # fmt: skip


def levels(b: Tensor, n: Tensor) -> Any:
    by_level, numbers, restore = fn.distribute_fpn_proposals(
        b * 10, n, min_level=2, max_level=5, refer_level=4, refer_scale=224
    )
    return (*by_level, *numbers, restore)


def align(x: Tensor, b: Tensor, n: Tensor) -> Any:
    return ops.roi_align(x, fn.boxes_with_image(b, n), (2, 2), 0.25, 0, True)


def psroi(x: Tensor, b: Tensor, n: Tensor) -> Any:
    return fn.psroi_pool(x, b, n, (2, 2), 0.25)


Made = Callable[[int], tuple[Tensor, ...]]
CASES: list[tuple[Callable[..., Any], Made, tuple[Any, ...]]] = [
    (classes, lambda n: (boxes(2, n), torch.rand(2, 3, n)), ({1: AUTO}, {2: AUTO})),
    (own_boxes, lambda n: (boxes(n, 4), torch.rand(n, 4), counts(n - 9, 9)),
     ({0: AUTO}, {0: AUTO}, None)),
    (matrix, lambda n: (boxes(1, n), torch.rand(1, 3, n)), ({1: AUTO}, {2: AUTO})),
    (proposals, lambda n: (torch.rand(1, 3, n, 5), torch.randn(1, 12, n, 5),
                           torch.tensor([[60.0, 50.0]]), boxes(n, 5, 3)),
     ({2: AUTO}, {2: AUTO}, None, {0: AUTO})),
    (levels, lambda n: (boxes(n), counts(3, n - 3)), ({0: AUTO}, None)),
    (align, lambda n: (torch.rand(2, 3, 9, 9), boxes(n), counts(3, n - 3)),
     (None, {0: AUTO}, None)),
    (psroi, lambda n: (torch.rand(2, 8, 9, 9), boxes(n), counts(3, n - 3)),
     (None, {0: AUTO}, None)),
]  # fmt: skip


def equal(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("function", "make", "dynamic"), CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_other_number_of_boxes(
    function: Callable[..., Any], make: Made, dynamic: tuple[Any, ...]
) -> None:
    torch.manual_seed(0)
    model = Wrapped(function)
    example, other = make(20), make(35)
    traced = torch.jit.trace(model, example, check_trace=False)  # type: ignore[no-untyped-call]
    equal(traced(*other), function(*other))
    exported = torch.export.export(model, example, dynamic_shapes=(dynamic,)).module()
    equal(exported(*other), function(*other))


def test_traced_model_refuses_another_batch() -> None:
    traced = torch.jit.trace(  # type: ignore[no-untyped-call]
        Wrapped(own_boxes), (boxes(9, 2), torch.rand(9, 2), counts(4, 5)), check_trace=False
    )
    with pytest.raises(RuntimeError, match="Expected 2 elements"):
        traced(boxes(9, 2), torch.rand(9, 2), counts(9))


def test_polygon_iou() -> None:
    """A square and the same square turned by 45 degrees share an octagon."""
    square = torch.tensor([[-1.0, -1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0]])
    turned = square.new_tensor([[0.0, -1.0, 1.0, 0.0, 0.0, 1.0, -1.0, 0.0]]) * 2**0.5
    octagon = 8 * (2**0.5 - 1)
    expected = torch.tensor([[1.0, octagon / (8 - octagon)]])
    equal(polygon_iou(square, torch.cat([square, turned])), expected)
    assert polygon_iou(square, square + 2).item() == 0
