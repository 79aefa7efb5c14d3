"""Programs of single operators that Paddle 1 wrote; Paddle 3.3 still runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle.base.layer_helper import LayerHelper

from workbench.sources.paddle.worker.serve import serve


def export(
    kind: str, inputs: dict[str, list[int]], outputs: dict[str, str], attributes: Any, folder: str
) -> None:
    """Save a program of one operator, and what it computes of `in_<slot>.npy` as `out_<n>.npy`.

    `inputs` are declared shapes by slot, `outputs` dtypes by slot.
    """
    paddle.enable_static()
    program = paddle.static.Program()
    with paddle.static.program_guard(program, paddle.static.Program()):
        feeds = {slot: paddle.static.data(slot, shape) for slot, shape in inputs.items()}
        helper = LayerHelper(kind)
        made = {
            slot: helper.create_variable_for_type_inference(dtype)
            for slot, dtype in outputs.items()
        }
        helper.append_op(type=kind, inputs=feeds, outputs=made, attrs=attributes)
        executor = paddle.static.Executor(paddle.CPUPlace())
        fetches = [value for slot, value in made.items() if slot != "XShape"]
        prefix = str(Path(folder) / "inference")
        paddle.static.save_inference_model(prefix, list(feeds.values()), fetches, executor)
        feed = {slot: np.load(Path(folder) / f"in_{slot}.npy") for slot in inputs}
        results = executor.run(program, feed=feed, fetch_list=fetches, return_numpy=False)
    for number, result in enumerate(results):
        np.save(Path(folder) / f"out_{number}.npy", np.asarray(result))


if __name__ == "__main__":
    serve({"export": export})
