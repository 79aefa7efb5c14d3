"""Fault injection: plant realistic faults one at a time and see whether verification finds them.

Usage: python -m benchmarks.faults [MODEL ...]      (default: the samples in data/)

A fault counts when it changes its own layer's output by more than rounding does on Paddle's inputs.
It is *detected* when verification fails, and *blamed* when the first mismatch is the faulty layer.
"""

from __future__ import annotations

import operator
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F  # noqa: N812

import workbench as wb
from workbench.row_runner import RowRunner
from workbench.statistics import error_stats
from workbench.verification import Verification
from workbench.verify import check_references, reference_tensor

#: (kind of fault, row path, plant, mend)
Fault = tuple[str, str, Callable[[], None], Callable[[], None]]


def faults(module: fx.GraphModule) -> Iterator[Fault]:
    """Every fault that fits the module."""
    for node in module.graph.nodes:
        row = node.meta.get("row", "")
        if node.op == "call_module":
            yield from _layer_faults(row, module.get_submodule(str(node.target)))
        elif node.op == "call_function":
            yield from _function_faults(row, node)


def _layer_faults(row: str, layer: nn.Module) -> Iterator[Fault]:
    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    if isinstance(layer, (nn.Linear, nn.Conv2d)) and isinstance(weight, torch.Tensor):
        yield _tensor("one sign flipped", row, weight, _flip_largest)
        yield _tensor(
            "two output channels swapped",
            row,
            weight,
            lambda w: (
                w.index_copy_(0, torch.tensor([0, 1]), w[[1, 0]].clone()) if len(w) > 1 else None
            ),
        )
        yield _tensor(
            "weights rounded to float16", row, weight, lambda w: w.copy_(w.half().float())
        )
        yield _tensor("weights scaled by 1.001", row, weight, lambda w: w.mul_(1.001))
        if isinstance(layer, nn.Linear) and weight.shape[0] == weight.shape[1]:
            yield _tensor(
                "square weight not transposed", row, weight, lambda w: w.copy_(w.T.clone())
            )
        if isinstance(layer, nn.Conv2d) and weight.shape[-1] > 1:
            yield _tensor("kernel mirrored", row, weight, lambda w: w.copy_(w.flip(-1)))
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            yield _tensor("group channels rolled", row, weight, lambda w: w.copy_(w.roll(1, 0)))
        if isinstance(bias, torch.Tensor):
            yield _tensor("bias missing", row, bias, lambda b: b.zero_())
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        yield _attribute("epsilon 1e-3 for 1e-5", row, layer, "eps", 1e-3)
        yield _tensor("running variance stale", row, layer.running_var, lambda v: v.mul_(1.01))
        yield _tensor("running mean zero", row, layer.running_mean, lambda m: m.zero_())
    if isinstance(layer, nn.LayerNorm):
        yield _attribute("epsilon 1e-3 for 1e-5", row, layer, "eps", 1e-3)
    if isinstance(layer, nn.LSTM):
        size = layer.hidden_size
        order = torch.cat(
            [torch.arange(size, 2 * size), torch.arange(size), torch.arange(2 * size, 4 * size)]
        )
        yield _tensor("gate order", row, layer.weight_hh_l0, lambda w: w.copy_(w[order].clone()))
    if isinstance(layer, nn.Embedding):
        yield _tensor(
            "embedding shifted by one row", row, layer.weight, lambda w: w.copy_(w.roll(1, 0))
        )
    if isinstance(layer, nn.GELU):
        other = "none" if layer.approximate == "tanh" else "tanh"
        yield _attribute("other GELU", row, layer, "approximate", other)


def _function_faults(row: str, node: fx.Node) -> Iterator[Fault]:
    if node.target is operator.add and all(isinstance(a, fx.Node) for a in node.args):
        yield _node("residual dropped", row, node, lambda a, b: a + 0 * b)
    if node.target is F.gelu:
        other = "none" if node.kwargs.get("approximate") == "tanh" else "tanh"
        yield _node("other GELU", row, node, lambda x, **_: F.gelu(x, approximate=other))
    if node.target is F.softmax:
        yield _node("softmax over another axis", row, node, lambda x, **_: F.softmax(x, 1))
    if node.target is F.hardswish:
        yield _node("SiLU for hard-swish", row, node, lambda x, **_: F.silu(x))
    if node.target is F.relu:
        yield _node("leaky ReLU", row, node, lambda x, **_: F.leaky_relu(x, 0.01))


def _flip_largest(weight: torch.Tensor) -> None:
    flat = weight.view(-1)
    flat[flat.abs().argmax()] *= -1


def _tensor(kind: str, row: str, tensor: Any, change: Callable[[torch.Tensor], Any]) -> Fault:
    kept = tensor.detach().clone()

    def plant() -> None:
        with torch.no_grad():
            change(tensor)

    def mend() -> None:
        with torch.no_grad():
            tensor.copy_(kept)

    return kind, row, plant, mend


def _attribute(kind: str, row: str, layer: nn.Module, name: str, value: Any) -> Fault:
    kept = getattr(layer, name)
    return kind, row, lambda: setattr(layer, name, value), lambda: setattr(layer, name, kept)


def _node(kind: str, row: str, node: fx.Node, target: Callable[..., Any]) -> Fault:
    kept = node.target

    def plant() -> None:
        node.target = target

    def mend() -> None:
        node.target = kept

    return kind, row, plant, mend


def study(folder: Path, counts: Counter[str], missed: list[str]) -> None:
    """Plant every fault in one model and count."""
    with wb.load(folder) as migration:
        samples = folder / "samples.npz"
        good = migration.verify(samples if samples.exists() else folder / "inputs.npz")
        counts["false alarms"] += not good.passed
        counts["models"] += 1
        module, references = migration.convert(), migration.references
        for kind, row, plant, mend in list(faults(module)):
            before = _output(module, row, migration)
            plant()
            after = _output(module, row, migration)
            check = next(layer.alone for layer in good.layers if layer.path == row)
            effect = error_stats(after, before).max_abs if after.shape == before.shape else 1.0
            if effect <= check.tolerance:
                counts["without effect"] += 1
                mend()
                continue
            found = Verification(check_references(migration.mapping, module, references))
            mend()
            counts["planted"] += 1
            counts["detected"] += not found.passed
            blamed = found.first_mismatch is not None and found.first_mismatch.path == row
            counts["blamed"] += blamed
            if not blamed:
                missed.append(f"{folder.name}: {kind} in {row}")


def _output(module: fx.GraphModule, row: str, migration: wb.Migration) -> torch.Tensor:
    reference = migration.references[0]
    made = RowRunner(module).alone(row, lambda value: reference_tensor(reference, value))
    return next(value for value in made.values() if isinstance(value, torch.Tensor))


def main() -> None:
    """Study the models and print the figures."""
    root = Path(__file__).parents[1] / "data"
    names = ("digits_classifier", "crnn_recognizer", "transformer_encoder", "legacy_classifier")
    folders = [Path(name) for name in sys.argv[1:]] or [root / name for name in names]
    counts: Counter[str] = Counter()
    missed: list[str] = []
    for folder in folders:
        study(folder, counts, missed)
    planted = counts["planted"]
    print(f"{counts['models']} models, {planted} faults with an effect beyond rounding")
    print(f"({counts['without effect']} more changed nothing that the inputs could show)")
    print(f"detected             {counts['detected']:4d}  {counts['detected'] / planted:.1%}")
    print(f"in the right layer   {counts['blamed']:4d}  {counts['blamed'] / planted:.1%}")
    print(f"false alarms         {counts['false alarms']:4d} of {counts['models']} correct models")
    for line in missed:
        print(f"  not blamed: {line}")


if __name__ == "__main__":
    main()
