"""Programs in half precision, of the operators that Paddle can run so on a CPU."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from benchmarks.faults.programs.collection import program, real, whole


class Half(nn.Layer):
    """Numbers pass from float32 to half precision and back, products stay in float32."""

    def __init__(self, half: str) -> None:
        super().__init__()
        self.half, self.words = half, nn.Embedding(40, 16)
        self.norm, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, ids: Any, x: Any) -> Any:
        words = (self.words(ids) * 1.7).astype(self.half)
        both = paddle.concat([words, x.astype(self.half)], 1) * 0.7
        y = self.norm(both.astype("float32"))
        y = F.relu(self.up(y)).astype(self.half).transpose([0, 2, 1])
        total = y.sum(-1)
        y = self.down((y * 1.3).transpose([0, 2, 1]).astype("float32"))
        return y.astype(self.half), total, F.softmax(total.astype("float32"), -1)


for _dtype in ("bfloat16", "float16"):
    _inputs = whole("ids", "B", "L", high=40), real("x", "B", "L", 16)
    program("half", *_inputs, name=f"half_{_dtype}")(lambda dtype=_dtype: Half(dtype))
