"""Faults in rules that change how values, weights and outputs are put together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.faults.kinds_after import put
from benchmarks.faults.rule_kinds import kept_places, kind, mapped, parts
from workbench.checks.values.inputs import SIZES
from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Layer, Result, RowZeroed
from workbench.core.integers import Dim
from workbench.core.values import Value
from workbench.editing.calls import slots

# --- order -------------------------------------------------------------------------------------


_ORDERED = {
    f"operator.{name}"
    for name in ["sub", "truediv", "pow", "mod", "floordiv", "lt", "gt", "le", "ge"]
}
_ORDERED.add("torch.matmul")


@kind("operands swapped", "swapped", "operands", "order")
@parts
def _operands(part: Call | Layer) -> Any:
    if part.target not in _ORDERED or len(part.args) != 2:
        return None
    return replace(part, args=part.args[::-1])


@kind("where with branches swapped", "swapped", "order", "operands", ops="where")
@parts
def _where(part: Call | Layer) -> Any:
    if part.target != "torch.where":
        return None
    condition, one, two = part.args
    return replace(part, args=(condition, two, one))


@kind("query and key swapped", "swapped", "operands", "order", ops="matmul")
def _query(op: Context, whole: Call | Layer) -> Any:
    left, right = whole.args
    if not isinstance(right, Call) or right.target != ".transpose" or not isinstance(left, Value):
        return None
    return replace(whole, args=(right.args[0], put(right, 0, left)))


@kind("residual added twice", "twice", "added", "operand", ops="add_?")
def _twice(op: Context, whole: Call | Layer) -> Any:
    both = all(isinstance(arg, Value) and not arg.parameter for arg in whole.args)
    deep = both and all(len(arg.shape) == len(op.out.shape) > 1 for arg in whole.args)
    return call("operator.add", whole, whole.args[0]) if deep else None


@kind("residual dropped", "dropped", "missing", "operand", ops="add_?")
def _dropped(op: Context, whole: Call | Layer) -> Any:
    both = all(isinstance(arg, Value) and not arg.parameter for arg in whole.args)
    same = both and whole.args[0].shape == whole.args[1].shape
    return method(whole.args[0], "clone") if same else None


@kind("concatenated in another order", "order", "concat", ops="concat|stack")
@parts
def _concat(part: Call | Layer) -> Any:
    for place, arg in enumerate(part.args):
        if isinstance(arg, (tuple, list)) and len(arg) > 1 and isinstance(arg[0], Value):
            return put(part, place, type(arg)((arg[1], arg[0], *arg[2:])))
    return None


@kind(
    "outputs in another order", "order", "output", "swapped", ops="split.*|unbind|unstack|rnn|chunk"
)
def _outputs(op: Context, whole: Call | Layer) -> Any:
    places = dict(kept_places(op, whole))
    names = [name for name in op.outputs if name in places and op.used(name)]
    for one, two in pairwise(names):
        if op.outputs[one].shape == op.outputs[two].shape:
            places[one], places[two] = places[two], places[one]
            return Result(whole, places)
    return None


@kind("axes permuted otherwise", "permut", "transpos", "order", "axes", ops="transpose")
@parts
def _permuted(part: Call | Layer) -> Any:
    if part.target not in (".permute", "torch.permute"):
        return None
    axes = part.args[1:] if not isinstance(part.args[1], (tuple, list)) else tuple(part.args[1])
    x = part.args[0]
    for i in range(len(axes) - 1):
        sizes = (x.shape[axes[i]], x.shape[axes[i + 1]]) if isinstance(x, Value) else (0, 1)
        if sizes[0] == sizes[1]:
            turned = (*axes[:i], axes[i + 1], axes[i], *axes[i + 2 :])
            whole = turned if len(part.args) > 2 or isinstance(part.args[1], int) else (turned,)
            return replace(part, args=(x, *whole))
    return None


@kind(
    "slice off by one",
    "slice",
    "start",
    "from",
    "window",
    "index",
    ops="slice|strided_slice|split.*|crop",
)
@parts
def _slice(part: Call | Layer) -> Any:
    if part.target != "operator.getitem":
        return None
    window = part.args[1] if isinstance(part.args[1], tuple) else (part.args[1],)
    for place, item in enumerate(window):
        if isinstance(item, slice) and isinstance(item.start or 0, int):
            open_end = item.stop is None or not isinstance(item.stop, int)
            if item.start is None and open_end:
                continue
            low = (item.start or 0) - 1 if open_end else (item.start or 0) + 1
            if open_end and (item.start or 0) <= 0:
                continue
            moved = slice(low, item.stop if open_end else item.stop + 1, item.step)
        elif isinstance(item, int) and not isinstance(item, bool):
            moved = item + 1 if item != -1 else -2
        else:
            continue
        new = (*window[:place], moved, *window[place + 1 :])
        return replace(part, args=(part.args[0], new if len(new) > 1 else new[0]))
    return None


@kind("counted from one", "start", "0", "offset", "range", ops="arange")
@parts
def _start(part: Call | Layer) -> Any:
    if part.target == "torch.arange":
        return call("operator.add", part, 1)
    return None


@kind("rolled the other way", "shift", "roll", ops="roll|flip")
@parts
def _roll(part: Call | Layer) -> Any:
    for slot in slots(part):
        if slot.name == "shifts":
            turned = [-item for item in np.atleast_1d(slot.value).tolist()]
            return put(part, slot.place, tuple(turned) if len(turned) > 1 else turned[0])
    return None


@kind("pads at the other end", "pad", "order", ops="pad.*")
@parts
def _pads(part: Call | Layer) -> Any:
    if part.target == "F.pad" and isinstance(part.args[1], (tuple, list)):
        sides = list(part.args[1])
        sides[0], sides[1] = sides[1], sides[0]
        return replace(part, args=(part.args[0], tuple(sides)))
    return None


# --- what is left out or added --------------------------------------------------------------------


@kind(
    "softmax left out",
    "softmax",
    "missing",
    "left out",
    "function",
    ops="softmax|log_softmax|sigmoid",
)
def _no_softmax(op: Context, whole: Call | Layer) -> Any:
    return method(op.inputs["x"], "clone")


@kind("mask polarity", "operand", "in place of", "1 -", "sub", ops="scale")
@parts
def _polarity(part: Call | Layer) -> Any:
    fits = part.target == "operator.sub" and not isinstance(part.args[0], (Value, Call))
    return method(part.args[1], "clone") if fits else None


@kind("cumulative sum without the element", "cumsum", "exclusive", "shift", ops="cumsum")
def _exclusive(op: Context, whole: Call | Layer) -> Any:
    return call("fn.fault_exclusive", op.inputs["x"], whole)


@kind("cumulative sum from the end", "cumsum", "reverse", "flip", ops="cumsum|cumprod")
def _from_end(op: Context, whole: Call | Layer) -> Any:
    axis = op.constant(op.inputs.get("axis"))
    axis = op.attributes.get("dim", -1) if axis is None else int(axis.flat[0])
    x = op.inputs["x"]
    turned = mapped(whole, lambda p: replace(
        p, args=tuple(method(x, "flip", axis) if a == x else a for a in p.args)
    ))  # fmt: skip
    return method(turned, "flip", axis)


@kind("last of equal extremes", "tie", "first", "last", "equal", ops="argmax|argmin")
def _tie(op: Context, whole: Call | Layer) -> Any:
    axis = op.constant(op.inputs.get("axis"))
    if op.attributes.get("flatten") or axis is None:
        return None
    keep = bool(op.attributes.get("keepdims"))
    found = call("fn.fault_last_tie", op.inputs["x"], int(axis.flat[0]), keep, op.name == "argmin")
    return found if op.out.dtype == "int64" else None


@kind("rounded half away from zero", "round", "half", ops="round")
def _away(op: Context, whole: Call | Layer) -> Any:
    return call("fn.fault_half_away", op.inputs["x"])


@kind("cast rounds down", "floor", "trunc", "cast", ops="cast")
def _cast(op: Context, whole: Call | Layer) -> Any:
    x = op.inputs["x"]
    fits = x.dtype == "float32" and op.out.dtype in ("int32", "int64")
    return (
        mapped(whole, lambda p: put(p, 0, call("torch.floor", x)) if p.args[0] == x else None)
        if fits
        else None
    )


@kind("lengths ignored", "length", "packed", ops="rnn")
def _lengths(op: Context, whole: Call | Layer) -> Any:
    if whole.target != "fn.unpack_sequence":
        return None
    layer = whole.args[0]
    return replace(layer, args=(layer.args[0].args[0], *layer.args[1:]))


@kind("start state ignored", "state", "hidden", ops="rnn")
@parts
def _no_state(part: Call | Layer) -> Any:
    fits = isinstance(part, Layer) and len(part.args) > 1
    return replace(part, args=part.args[:1]) if fits else None


@kind("added in place of overwritten", "overwrite", "index", "add", ops="scatter|index_.*")
@parts
def _overwrite(part: Call | Layer) -> Any:
    others = {".index_copy": ".index_add", ".index_add": ".index_copy"}
    return replace(part, target=others[part.target]) if part.target in others else None


@kind("row of the padding kept", "padding_idx", "zero", "row", ops="embedding|lookup_table")
@parts
def _padding_row(part: Call | Layer) -> Any:
    if not isinstance(part, Layer) or "padding_idx" not in part.arguments:
        return None
    arguments = {k: v for k, v in part.arguments.items() if k != "padding_idx"}
    weight = part.weights["weight"]
    return replace(part, arguments=arguments, weights={"weight": replace(weight, steps=())})


@kind("first row zero", "padding_idx", "zero", "row", ops="embedding|lookup_table")
@parts
def _zero_row(part: Call | Layer) -> Any:
    if not isinstance(part, Layer) or "padding_idx" in part.arguments:
        return None
    weights = {"weight": part.weights["weight"].then(RowZeroed(0))}
    return replace(part, arguments={**part.arguments, "padding_idx": 0}, weights=weights)


@kind("one seldom row off", "row", "weight", "elements", ops="embedding|lookup_table")
def _seldom(op: Context, whole: Call | Layer) -> Any:
    if not isinstance(whole, Layer):
        return None
    return call("fn.fault_rare_row", whole, whole.args[0], whole.arguments["num_embeddings"] - 3)


def baked(name: str, batch: bool) -> None:
    """A kind that takes sizes from the sample in place of asking for them."""

    def fixed(item: Any) -> Any:
        dynamic = isinstance(item, Dim) and item.value.shape[item.axis] == -1
        if dynamic and (item.axis == 0) == batch:
            return SIZES[0]["batch" if batch else "length"]
        if isinstance(item, (tuple, list)):
            return type(item)(fixed(one) for one in item)
        return item

    def changed(part: Call | Layer) -> Any:
        kwargs = {name: fixed(value) for name, value in part.kwargs.items()}
        return replace(part, args=tuple(fixed(item) for item in part.args), kwargs=kwargs)

    kind(name, "batch" if batch else "size", "fixed", "constant", "size", "shape")(parts(changed))


baked("batch taken from the sample", True)
baked("length taken from the sample", False)
