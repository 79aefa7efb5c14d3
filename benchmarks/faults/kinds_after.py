"""The faults that the bench plants: in the converted module, and in rows of the mapping."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F  # noqa: N812

from workbench.core.arguments import calls_in
from workbench.core.calls import Call, Dtype, Layer, Weight
from workbench.core.mapping import Row
from workbench.core.values import Value
from workbench.editing.calls import slots, swap

Done = Callable[[], None]


@dataclass(frozen=True)
class ModuleFault:
    """A change of the module in place; `words`, one of which the cause must name."""

    kind: str
    path: str
    words: tuple[str, ...]
    plant: Done
    mend: Done


@dataclass(frozen=True)
class RowFault:
    """A row of the mapping changed."""

    kind: str
    path: str
    words: tuple[str, ...]
    row: Row


# --- in the module ----------------------------------------------------------------------------


def module_faults(module: fx.GraphModule) -> Iterator[ModuleFault]:
    """Every fault that fits the module."""
    for node in module.graph.nodes:
        row = str(node.meta.get("row", ""))
        if node.op == "call_module":
            layer = module.get_submodule(str(node.target))
            yield from _tensor_faults(row, layer)
            yield from _setting_faults(row, layer)
        elif node.op == "get_attr":
            yield _tensor("stored tensor scaled", row, _attribute(module, node), _scale, "scaled")
        if row and node.op in ("call_function", "call_method", "call_module"):
            yield from _node_faults(module, row, node)


def _attribute(module: nn.Module, node: fx.Node) -> Any:
    return operator_at(module, str(node.target))


def operator_at(module: nn.Module, path: str) -> Any:
    """What stands at a path of attributes."""
    found: Any = module
    for step in path.split("."):
        found = getattr(found, step)
    return found


def _scale(tensor: torch.Tensor) -> None:
    tensor.mul_(1.001)


def _flip_one(tensor: torch.Tensor) -> None:
    flat = tensor.view(-1)
    flat[flat.abs().argmax()] *= -1


def _nudge_one(tensor: torch.Tensor) -> None:
    flat = tensor.view(-1)
    flat[flat.abs().argmax()] *= 1.01


def _swap_two(tensor: torch.Tensor) -> None:
    tensor[[0, 1]] = tensor[[1, 0]].clone()


def _gates(tensor: torch.Tensor) -> None:
    first, second, *rest = tensor.chunk(4 if len(tensor) % 4 == 0 else 3)
    tensor.copy_(torch.cat([second, first, *rest]).clone())


def _tensor_faults(row: str, layer: nn.Module) -> Iterator[ModuleFault]:
    tensors = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    for key, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.numel() < 2:
            continue
        name = key.rpartition(".")[2]
        if tensor.ndim > 1:
            yield _tensor(f"{name}: one sign flipped", row, tensor, _flip_one, "sign", "element")
            yield _tensor(f"{name}: one element off by 1 %", row, tensor, _nudge_one, "element")
            yield _tensor(
                f"{name}: rounded to float16", row, tensor,
                lambda t: t.copy_(t.half().float()), "float16",
            )  # fmt: skip
            yield _tensor(f"{name}: scaled by 1.001", row, tensor, _scale, "scaled by 1.001")
            if len(tensor) > 1:
                yield _tensor(f"{name}: two channels swapped", row, tensor, _swap_two, "order")
            if tensor.ndim == 2 and tensor.shape[0] == tensor.shape[1]:
                yield _tensor(
                    f"{name}: square and not transposed", row, tensor,
                    lambda t: t.copy_(t.T.clone()), "transposed",
                )  # fmt: skip
            if tensor.ndim == 4 and tensor.shape[-1] > 1:
                yield _tensor(
                    f"{name}: kernel mirrored", row, tensor,
                    lambda t: t.copy_(t.flip(-1)), "mirrored",
                )  # fmt: skip
                yield _tensor(
                    f"{name}: kernel axes swapped", row, tensor,
                    lambda t: t.copy_(t.transpose(2, 3).clone()), "swapped",
                )  # fmt: skip
            if getattr(layer, "groups", 1) > 1:
                yield _tensor(
                    f"{name}: channels of groups permuted", row, tensor,
                    lambda t: t.copy_(t.roll(1, 0)), "rolled",
                )  # fmt: skip
            if isinstance(layer, nn.RNNBase) and not isinstance(layer, nn.RNN):
                yield _tensor(f"{name}: gate order", row, tensor, _gates, "another order")
        else:
            yield _tensor(f"{name} missing", row, tensor, lambda t: t.zero_(), "all 0")
            yield _tensor(f"{name} stale", row, tensor, lambda t: t.mul_(1.02), "scaled by 1.02")
    if isinstance(layer, nn.RNNBase) and layer.bidirectional:
        yield _pair(
            "directions reversed", row, layer.weight_ih_l0, layer.weight_ih_l0_reverse, "elements"
        )
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        yield _pair(
            "mean and variance swapped", row, layer.running_mean, layer.running_var, "elements"
        )
        yield ModuleFault(
            "training mode left on", row, ("training",), layer.train, lambda: _eval(layer)
        )
    if isinstance(layer, nn.Dropout):
        yield ModuleFault("dropout left on", row, ("training",), layer.train, lambda: _eval(layer))


def _eval(layer: nn.Module) -> None:
    layer.eval()


def _setting_faults(row: str, layer: nn.Module) -> Iterator[ModuleFault]:
    others: dict[str, tuple[Any, ...]] = {
        "eps": (1e-3, 1e-6, 1e-8), "negative_slope": (0.2,), "approximate": ("none", "tanh"),
        "padding_idx": (1,), "align_corners": (True, False), "ceil_mode": (True, False),
        "count_include_pad": (True, False), "min_val": (-0.5,), "max_val": (0.5,),
        "upper": (5.0,), "beta": (1.5,), "alpha": (0.7,),
    }  # fmt: skip
    for name, values in others.items():
        if hasattr(layer, name):
            for value in values:
                if getattr(layer, name) != value and getattr(layer, name) is not None:
                    yield _setting(f"{name} {value}", row, layer, name, value)
    if isinstance(layer, nn.modules.conv._ConvNd):
        padding = tuple(size + 1 if number else size for number, size in enumerate(layer.padding))
        if isinstance(layer.padding, tuple):
            yield _setting("padding off by one", row, layer, "padding", padding)
        yield _setting("dilation", row, layer, "dilation", tuple(d + 1 for d in layer.dilation))
        yield _setting("stride", row, layer, "stride", tuple(s + 1 for s in layer.stride))


def _tensor(
    kind: str, row: str, tensor: torch.Tensor, change: Callable[[torch.Tensor], Any], *words: str
) -> ModuleFault:
    kept = tensor.detach().clone()

    def plant() -> None:
        with torch.no_grad():
            change(tensor)

    def mend() -> None:
        with torch.no_grad():
            tensor.copy_(kept)

    return ModuleFault(kind, row, words, plant, mend)


def _pair(kind: str, row: str, one: Any, two: Any, *words: str) -> ModuleFault:
    kept = one.detach().clone(), two.detach().clone()

    def plant() -> None:
        with torch.no_grad():
            one.copy_(kept[1])
            two.copy_(kept[0])

    def mend() -> None:
        with torch.no_grad():
            one.copy_(kept[0])
            two.copy_(kept[1])

    return ModuleFault(kind, row, words, plant, mend)


def _setting(kind: str, row: str, layer: nn.Module, name: str, value: Any) -> ModuleFault:
    kept = getattr(layer, name)
    return ModuleFault(
        kind, row, (name,), lambda: setattr(layer, name, value), lambda: setattr(layer, name, kept)
    )


def _node_faults(module: fx.GraphModule, row: str, node: fx.Node) -> Iterator[ModuleFault]:
    kept = (node.op, node.target, node.args, node.kwargs)
    tensors = [arg for arg in node.args if isinstance(arg, fx.Node)]

    def mend() -> None:
        node.op, node.target, node.args, node.kwargs = kept

    def change(kind: str, *words: str, **changes: Any) -> ModuleFault:
        def plant() -> None:
            for name, value in changes.items():
                setattr(node, name, value)

        return ModuleFault(kind, row, words, plant, mend)

    name = getattr(node.target, "__name__", "")
    if name in ("add", "sub", "mul") and len(tensors) == 2:
        first = tensors[0]
        yield change("residual dropped", "called", args=(first, 0.0 if name != "mul" else 1.0))
        if name == "sub":
            yield change("operands swapped", "called", args=tuple(node.args[::-1]))
    if name == "cat":
        yield change("order of concat", "called", args=(list(node.args[0])[::-1], *node.args[1:]))
    if "approximate" in node.kwargs:
        yield change("exact GELU", "approximate", kwargs={**node.kwargs, "approximate": "none"})
    if name in ("softmax", "log_softmax"):
        yield change("axis of softmax", "dim", kwargs={**node.kwargs, "dim": 0})
    for target, other in _OTHER_FUNCTIONS:
        if node.target is target:
            yield change(f"{other.__name__} for {name}", "calls", target=other, kwargs={})


_OTHER_FUNCTIONS: tuple[tuple[Any, Any], ...] = (
    (F.relu, F.leaky_relu), (F.relu6, F.relu), (F.hardswish, F.silu), (F.silu, F.hardswish),
    (F.elu, F.relu), (F.softplus, F.relu), (F.hardsigmoid, torch.sigmoid),
    (torch.argmax, torch.argmin),
)  # fmt: skip


# --- in the mapping ---------------------------------------------------------------------------


def row_faults(rows: Iterable[Row]) -> Iterator[RowFault]:
    """Every fault that fits a row of the mapping."""
    for row in rows:
        if row.call is None or row.is_parameter or row.blocks:
            continue
        for part in calls_in(row.call):
            if isinstance(part, Layer):
                yield from _weight_faults(row, part)
            for kind, words, changed in _call_faults(part):
                yield RowFault(kind, row.path, words, _with(row, part, changed))


def _with(row: Row, old: Call | Layer, new: Call | Layer) -> Row:
    return replace(row, call=swap(row.call, old, new))


def _weight_faults(row: Row, layer: Layer) -> Iterator[RowFault]:
    def fault(kind: str, words: tuple[str, ...], **weights: Weight) -> RowFault:
        changed = replace(layer, weights={**layer.weights, **weights})
        return RowFault(kind, row.path, words, _with(row, layer, changed))

    for key, weight in layer.weights.items():
        shape = weight.final_shape
        if len(shape) >= 2 and shape[0] == shape[1] > 1:
            axes = (1, 0, *range(2, len(shape)))
            other = replace(weight, steps=weight.steps[:-1]) if weight.steps else None
            yield fault(
                "square weight not transposed", ("transposed", "permuted"),
                **{key: other or weight.permuted(*axes)},
            )  # fmt: skip
        if len(shape) == 4 and shape[2] == shape[3] > 1:
            yield fault("kernel axes swapped", ("permuted",), **{key: weight.permuted(0, 1, 3, 2)})
        if len(shape) == 4 and shape[0] % 4 == 0 and shape[0] > 4 and "groups" in layer.arguments:
            split = weight.reshaped(4, shape[0] // 4, *shape[1:]).permuted(1, 0, 2, 3, 4)
            yield fault(
                "groups interleaved", ("regrouped", "should"), **{key: split.reshaped(*shape)}
            )
    for left, right in itertools.combinations(layer.weights, 2):
        one, two = layer.weights[left], layer.weights[right]
        if one.final_shape == two.final_shape:
            yield fault(
                "two weights of a layer swapped", ("each other", "filled from"),
                **{left: two, right: one},
            )  # fmt: skip
    if "bias" in layer.weights and layer.target in ("nn.Linear", "nn.Conv2d"):
        kept = {key: weight for key, weight in layer.weights.items() if key != "bias"}
        changed = replace(layer, arguments={**layer.arguments, "bias": False}, weights=kept)
        yield RowFault("bias missing", row.path, ("bias",), _with(row, layer, changed))


_NUMBERS: dict[str, Any] = {
    "eps": (1e-3, 1e-12), "negative_slope": (0.3,), "alpha": (0.5,), "beta": (1.0,),
    "min": (-1.0,), "max": (1.0,), "min_val": (-1.0,), "max_val": (1.0,), "value": (0.0,),
}  # fmt: skip
#: These are also moved to where few activations come.
_BOUNDS = ("min", "max", "min_val", "max_val", "eps")
#: Settings that change nothing in evaluation.
_IDLE = ("momentum", "p")
_COMMUTATIVE = ("operator.add", "operator.mul", "torch.maximum", "torch.minimum")
_FLAGS = ("align_corners", "ceil_mode", "count_include_pad", "keepdim", "batch_first")
_TARGETS = {
    "nn.ReLU": "nn.ReLU6", "F.relu": "F.silu", "F.relu6": "F.relu", "nn.Hardswish": "nn.SiLU",
    "F.silu": "F.hardswish", "F.gelu": "F.relu", "nn.Hardsigmoid": "nn.Sigmoid",
    "F.hardsigmoid": "torch.sigmoid", "F.elu": "F.relu", "operator.add": "operator.sub",
    "operator.sub": "operator.add", "operator.mul": "operator.add", "torch.argmax": "torch.argmin",
    "F.max_pool2d": "F.avg_pool2d", "nn.AdaptiveAvgPool2d": "nn.AdaptiveMaxPool2d",
    "F.softmax": "F.log_softmax", "F.log_softmax": "F.softmax", ".mean": ".sum",
}  # fmt: skip


def _call_faults(part: Call | Layer) -> Iterator[tuple[str, tuple[str, ...], Call | Layer]]:
    for slot in slots(part):
        value = slot.value
        for other in _other_values(slot.name, value):
            if other == value or slot.name in _IDLE or _same_axis(part, slot.name, value, other):
                continue
            words = (slot.name, "Paddle acts as with", "Paddle gives")
            yield f"{slot.name} changed", words, put(part, slot.place, other)
    missing = {"approximate": "tanh"} if part.target in ("F.gelu", "nn.GELU") else {}
    for name, value in missing.items():
        given = {slot.name: slot.value for slot in slots(part)}
        other = "none" if given.get(name) == value else value
        yield "other GELU", ("GELU",), put(part, name, other)
    tensors = [place for place, arg in enumerate(part.args) if isinstance(arg, (Value, Call))]
    if isinstance(part, Call) and len(tensors) == 2 and len(part.args) >= 2:
        order = list(part.args)
        order[tensors[0]], order[tensors[1]] = order[tensors[1]], order[tensors[0]]
        words = ("swapped", "operands")
        if part.target not in _COMMUTATIVE:
            yield "operands swapped", words, replace(part, args=tuple(order))
        if part.target == "operator.add":
            gone = (part.args[0], 0.0)
            yield "residual dropped", ("dropped", "in place of"), replace(part, args=gone)
    for place, arg in enumerate(part.args):
        if isinstance(arg, (tuple, list)) and len(arg) > 1 and isinstance(arg[0], Value):
            turned = put(part, place, type(arg)(arg[::-1]))
            yield "order of concat", ("order", "in place of"), turned
    if part.target in _TARGETS:
        other = _TARGETS[part.target]
        yield "other function", ("in place of",), replace(part, target=other)


def _same_axis(part: Call | Layer, name: str, value: Any, other: Any) -> bool:
    """True for the same axis, counted from the other end."""
    rank = len(part.args[0].shape) if part.args and isinstance(part.args[0], Value) else 0
    numbers = isinstance(value, int) and isinstance(other, int)
    return name in ("dim", "axis") and numbers and rank > 0 and value % rank == other % rank


def _other_values(name: str, value: Any) -> Iterator[Any]:
    if name in _FLAGS and isinstance(value, bool):
        yield not value
    elif isinstance(value, bool):
        return
    elif name in ("dim", "axis") and isinstance(value, int):
        yield from (other for other in (0, 1, -1) if other != value)
    elif name in _NUMBERS and isinstance(value, float):
        yield from (other for other in _NUMBERS[name] if other != value)
        if name in _BOUNDS and value:
            yield value * 4
    elif isinstance(value, float):
        yield from (value * 1.01, -value, 1.0) if value != 1.0 else (value * 1.01,)
    elif name in ("padding", "dilation", "stride", "pad") and isinstance(value, (tuple, list)):
        yield type(value)((*value[:-1], value[-1] + 1))
    elif name in ("dims", "dim") and isinstance(value, (tuple, list)) and len(value) > 1:
        yield type(value)((*value[:-2], value[-1], value[-2]))
    elif isinstance(value, tuple) and any(isinstance(item, slice) for item in value):
        for place, item in enumerate(value):
            if isinstance(item, slice) and isinstance(item.stop, int) and item.stop != 0:
                moved = slice((item.start or 0) + 1, item.stop + 1, item.step)
                yield (*value[:place], moved, *value[place + 1 :])
    elif isinstance(value, Dtype):
        yield Dtype("float64" if value.name != "float64" else "float32")


def put(part: Call | Layer, place: str | int, value: Any) -> Call | Layer:
    """The call with one argument, by its name or its place, replaced."""
    if isinstance(part, Layer):
        return replace(part, arguments={**part.arguments, str(place): value})
    if isinstance(place, int):
        return replace(part, args=(*part.args[:place], value, *part.args[place + 1 :]))
    return replace(part, kwargs={**part.kwargs, place: value})
