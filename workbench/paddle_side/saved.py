"""Load a saved program into Paddle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import paddle


def load_saved(program: str, params: str | None, executor: Any) -> Any:
    """Paddle's (program, feed names, fetched values) of a saved model."""
    prefix = program.removesuffix(".json")
    if params is None or params == f"{prefix}.pdiparams":
        return paddle.static.load_inference_model(prefix, executor)
    return paddle.static.load_inference_model(
        str(Path(program).parent),
        executor,
        model_filename=Path(program).name,
        params_filename=os.path.relpath(params, Path(program).parent),
    )
