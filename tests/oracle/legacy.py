"""The oracle, writing Paddle 2's format. Paddle 3.3 can still do so for most operators."""

from __future__ import annotations

from typing import Any

import paddle
from paddle.base.layer_helper import LayerHelper

from tests.oracle.worker import export
from workbench.sources.paddle.worker.serve import serve


def _logical_not(x: Any) -> Any:
    """Paddle 3.3's own one cannot write the old format, and every branch needs it."""
    helper = LayerHelper("logical_not")
    out = helper.create_variable_for_type_inference("bool")
    helper.append_op(type="logical_not", inputs={"X": x}, outputs={"Out": out})
    return out


if __name__ == "__main__":
    paddle.logical_not = _logical_not
    serve({"export": export})
