"""What the Paddle process does: run a saved program, translate a legacy one."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from workbench.sources.paddle.worker.backward import gradients
from workbench.sources.paddle.worker.barriers import roots
from workbench.sources.paddle.worker.narrowing import keep_narrow
from workbench.sources.paddle.worker.probe import probe
from workbench.sources.paddle.worker.saved import load_saved, run_saved, store
from workbench.sources.paddle.worker.serve import Handler, serve
from workbench.sources.paddle.worker.takes import takes
from workbench.sources.paddle.worker.taps import Taps
from workbench.sources.paddle.worker.training import train


def run(
    program: str,
    params: str | None,
    inputs: list[str],
    wanted: list[list[Any]],
    folder: str,
    narrow: list[str] | None = None,
) -> dict[str, Any]:
    """Run a program once and store values inside it, and what its own fetch list gives.

    `inputs` are `.npy` files in feed order; `wanted` lists [block, place, file stem], see
    `taps.Taps.put`. Values go to `folder/<stem>.npy`, bfloat16 as its bits, fetched ones to
    `folder/fetched<n>.npy`. `narrow` names operators of a float64 program that run in their own
    dtypes. Returns what was stored: {stem: dtype}.
    """
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    # in the global scope: with one of its own the executor crashes on `if` and `while`
    loaded, feeds, fetches = load_saved(program, params, executor)
    taps = Taps(loaded, folder)
    with paddle.static.program_guard(loaded):
        keep_narrow(loaded, narrow or ())
        for block, place, stem in wanted:
            taps.put(block, tuple(place), stem)
    feed = {name: np.load(path) for name, path in zip(feeds, inputs, strict=True)}
    results = run_saved(executor, loaded, feed, fetches)
    if taps.error is not None:
        raise taps.error
    stems = [f"fetched{number}" for number in range(len(results))]
    return taps.stored | store(stems, fetches, results, folder)


def predict(program: str, params: str | None, batches: list[list[str]], folder: str) -> None:
    """Run a program on several batches; output n of batch b goes to `folder/out<b>_<n>.npy`."""
    paddle.enable_static()
    executor = paddle.static.Executor(paddle.CPUPlace())
    loaded, feeds, fetches = load_saved(program, params, executor)
    for batch, files in enumerate(batches):
        feed = {name: np.load(path) for name, path in zip(feeds, files, strict=True)}
        results = run_saved(executor, loaded, feed, fetches)
        for number, (value, array) in enumerate(zip(fetches, results, strict=True)):
            array = np.asarray(array)
            if array.dtype == np.uint16 and "bfloat16" in str(value.dtype).lower():
                array = (array.astype(np.uint32) << 16).view(np.float32)
            array = array.astype(np.float32) if array.dtype == np.float16 else array
            np.save(Path(folder) / f"out{batch}_{number}.npy", array)


def time_forward(
    program: str, params: str, inputs: list[str], repeat: int, onednn: bool, threads: int
) -> float:
    """Median seconds of one run with Paddle Inference."""
    config = paddle.inference.Config(program, params)
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(threads)
    config.enable_mkldnn() if onednn else config.disable_mkldnn()
    predictor = paddle.inference.create_predictor(config)
    for name, path in zip(predictor.get_input_names(), inputs, strict=True):
        predictor.get_input_handle(name).copy_from_cpu(np.load(path))
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        predictor.run()
        for name in predictor.get_output_names():
            predictor.get_output_handle(name).copy_to_cpu()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def version() -> str:
    """Paddle's version."""
    return str(paddle.__version__)


if __name__ == "__main__":
    handlers: dict[str, Handler] = {
        "run": run,
        "gradients": gradients,
        "roots": roots,
        "predict": predict,
        "takes": takes,
        "probe": probe,
        "train": train,
        "time_forward": time_forward,
        "version": version,
    }
    serve(handlers)
