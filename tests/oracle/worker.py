"""The Paddle side of the oracle: export an expression, run it, store what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional as F  # noqa: N812

from workbench.sources.paddle.worker.serve import serve


class Expression(nn.Layer):
    """A layer whose forward evaluates one expression."""

    def __init__(
        self, expression: str, names: list[str], layers: dict[str, str], setup: str
    ) -> None:
        super().__init__()
        self.names = names
        scope: dict[str, Any] = {"paddle": paddle, "nn": nn, "F": F, "np": np, "self": self}
        for name, text in layers.items():
            made = eval(text, scope)
            setattr(self, name, made)
            scope[name] = made
        arguments = ", ".join(names)
        body = "\n".join(f"    {line}" for line in setup.splitlines())
        attributes = "".join(f"    {name} = self.{name}\n" for name in layers)
        source = f"def forward(self, {arguments}):\n{attributes}{body}\n    return {expression}\n"
        path = Path(_folder) / "expression.py"
        path.write_text(source)
        code = compile(source, str(path), "exec")
        import linecache

        linecache.checkcache(str(path))
        exec(code, scope)
        import types

        self.eager = scope["forward"]
        self.forward = types.MethodType(scope["forward"], self)


_folder = "/tmp"


def healthy(layer: nn.Layer, scale: float, seed: int) -> None:
    """Give every parameter and buffer values of a healthy scale."""
    random = np.random.default_rng(seed)
    for name, tensor in layer.state_dict().items():
        if "float" not in str(tensor.dtype):
            continue
        if name.endswith("_variance"):
            array = random.uniform(0.5, 1.5, tensor.shape)
        else:
            fan = int(np.prod(tensor.shape[1:])) if len(tensor.shape) > 1 else 1
            array = random.normal(0, scale * max(fan, 1) ** -0.5, tensor.shape)
            if len(tensor.shape) == 1:
                array = random.uniform(0.3, 1.2, tensor.shape)
        tensor.set_value(paddle.to_tensor(array).astype(tensor.dtype))


def export(case: dict[str, Any], folder: str) -> dict[str, Any]:
    """Export a case and run it on its inputs: `run0.npz`, `run1.npz` hold the outputs."""
    global _folder
    _folder = folder
    paddle.disable_static()
    paddle.seed(1)
    layer = Expression(case["expression"], list(case["inputs"]), case["layers"], case["setup"])
    healthy(layer, case["scale"], 7)
    layer.eval()
    specs = [
        paddle.static.InputSpec(shape, dtype, name=name)
        for name, (shape, dtype) in case["inputs"].items()
    ]
    prefix = str(Path(folder) / "inference")
    paddle.jit.save(layer, prefix, input_spec=specs)
    loaded = paddle.jit.load(prefix)
    loaded.eval()
    told: dict[str, Any] = {"dtypes": [], "grad": case["grad"], "why": ""}
    for run in range(case["runs"]):
        results = loaded(*_fed(case, folder, run))
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        told["dtypes"] = [str(result.dtype).removeprefix("paddle.") for result in results]
        arrays = {f"out_{i}": _array(result) for i, result in enumerate(results)}
        if told["grad"]:
            try:
                arrays |= _gradients(layer, _fed(case, folder, run), arrays)
            except Exception as error:
                told |= {"grad": False, "why": str(error)[-300:]}
        np.savez(Path(folder) / f"run{run}.npz", **arrays)
    return told


def _fed(case: dict[str, Any], folder: str, run: int) -> list[Any]:
    """The inputs of a run; new ones each time, since a loop may write into what it is fed."""
    feed = np.load(Path(folder) / f"feed{run}.npz")
    tensors = []
    for name, (_, dtype) in case["inputs"].items():
        tensor = paddle.to_tensor(feed[name])
        tensors.append(tensor.astype(dtype) if dtype == "bfloat16" else tensor)
    return tensors


def export_vision(name: str, shape: list[int], folder: str, scale: float = 1.4) -> None:
    """Export a `paddle.vision.models` network with weights of a healthy scale."""
    paddle.disable_static()
    paddle.seed(2)
    layer = getattr(paddle.vision.models, name)(num_classes=10)
    healthy(layer, scale, 11)
    layer.eval()
    spec = paddle.static.InputSpec(shape, "float32", name="image")
    paddle.jit.save(layer, str(Path(folder) / "inference"), input_spec=[spec])


def export_architecture(name: str, specs: list[tuple[list[int], str]], folder: str) -> None:
    """Export a network of `tests.oracle.architectures` with weights of a healthy scale."""
    from tests.oracle.architectures import ARCHITECTURES

    paddle.disable_static()
    layer = ARCHITECTURES[name]()
    healthy(layer, 1.4, 11)
    layer.eval()
    given = [
        paddle.static.InputSpec(shape, dtype, name=f"input_{number}")
        for number, (shape, dtype) in enumerate(specs)
    ]
    paddle.jit.save(layer, str(Path(folder) / "inference"), input_spec=given)


def _array(tensor: Any) -> np.ndarray:
    if "bfloat16" in str(tensor.dtype):
        return np.asarray(tensor.astype("float32").numpy())
    return np.asarray(tensor.numpy())


def _gradients(
    layer: nn.Layer, tensors: list[Any], exported: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Gradients of a fixed projection of the float outputs, by input of 32 or 64 bits.

    Inputs for which Paddle has no gradient, such as the bounds of a clip, are left out.
    """
    wanted = [tensor for tensor in tensors if str(tensor.dtype)[-7:] in ("float32", "float64")]
    for tensor in wanted:
        tensor.stop_gradient = False
    results = layer.eager(layer, *tensors)
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    pairs = zip(map(_array, results), exported.values(), strict=True)
    if not all(one.shape == two.shape and np.allclose(one, two, 1e-3, 1e-3) for one, two in pairs):
        raise ValueError("the layer computes something else than the exported program")
    terms = [
        (
            result
            * paddle.cos(paddle.arange(result.size, dtype=result.dtype)).reshape(result.shape)
        ).sum()
        for result in results
        if "float" in str(result.dtype) and not result.stop_gradient
    ]
    if not terms:
        raise ValueError("no output has a gradient")
    # Some of Paddle's gradients are wrong when those of the parameters are not asked for.
    trained = [parameter for parameter in layer.parameters() if not parameter.stop_gradient]
    grads = paddle.grad([sum(terms)], [*wanted, *trained], allow_unused=True)[: len(wanted)]
    return {f"grad_{i}": grad.numpy() for i, grad in enumerate(grads) if grad is not None}


if __name__ == "__main__":
    serve(
        {
            "export": export,
            "export_vision": export_vision,
            "export_architecture": export_architecture,
        }
    )
