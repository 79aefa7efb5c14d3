"""Paddle process for Paddle 2 programs: translate `.pdmodel` to the PIR form that we read."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from workbench.sources.paddle.files.pdiparams import write_tensors
from workbench.sources.paddle.worker.modernising import modernise
from workbench.sources.paddle.worker.repairs import repair
from workbench.sources.paddle.worker.serve import serve


def translate(program: str, params: str, target: str) -> None:
    """Write `target/inference.json` and `target/inference.pdiparams`."""
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    scope = paddle.static.Scope()
    with paddle.static.scope_guard(scope):
        loaded, _, _ = _load(program, params, executor)
        modernise(loaded)
        pir = paddle.pir.translate_to_pir(loaded.desc)
        prefix = Path(target) / "inference"
        paddle.base.core.serialize_pir_program(pir, f"{prefix}.json", 1, True, False, True)
        _repair(prefix.with_suffix(".json"))
        tensors = {
            variable.name: _declared(variable, *_tensor(scope, variable.name))
            for variable in loaded.list_vars()
            if variable.persistable and variable.name not in ("feed", "fetch")
        }
    used = _parameter_names(pir)
    write_tensors(
        prefix.with_suffix(".pdiparams"),
        {name: tensor for name, tensor in tensors.items() if name in used},
    )


def _repair(program: Path) -> None:
    document = json.loads(program.read_text(encoding="utf-8"))
    repair(document)
    program.write_text(json.dumps(document), encoding="utf-8")


def _load(program: str, params: str, executor: Any) -> Any:
    folder, stem = os.path.dirname(program), Path(program).name
    if not os.path.exists(params) and stem == "__model__":  # one file for each parameter
        return paddle.static.load_inference_model(
            folder, executor, model_filename=stem, params_filename=None
        )
    if not os.path.exists(params):
        return paddle.static.load_inference_model(program.removesuffix(".pdmodel"), executor)
    return paddle.static.load_inference_model(
        folder,
        executor,
        model_filename=stem,
        params_filename=os.path.relpath(params, folder or "."),
    )


def _tensor(scope: Any, name: str) -> tuple[str, np.ndarray]:
    tensor = scope.find_var(name).get_tensor()
    array = np.array(tensor)
    dtype = "bfloat16" if array.dtype == np.uint16 else str(array.dtype)
    return dtype, array


def _declared(variable: Any, dtype: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Quantised weights as the program declares them.

    Paddle 2 stores them as int8, and scales in another shape, leaves float32 and the old shapes in
    the program, and runs what it loads. Paddle 3 has no kernel for int8: whole numbers in float32
    are the same.
    """
    shape = tuple(variable.shape)
    if dtype == "int8" and str(variable.dtype).rpartition(".")[2].lower() in ("fp32", "float32"):
        dtype, array = "float32", array.astype(np.float32)
    return dtype, array.reshape(shape) if math.prod(shape) == array.size else array


def _parameter_names(pir: Any) -> set[str]:
    return {
        op.attrs()["parameter_name"]
        for op in pir.global_block().ops
        if op.name() == "builtin.parameter"
    }


if __name__ == "__main__":
    serve({"translate": translate})
