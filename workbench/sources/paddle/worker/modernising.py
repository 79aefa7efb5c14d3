"""Operators of Paddle 1 that Paddle 3 still runs but cannot translate, replaced by their followers.

Works on a loaded program before its translation. What cannot be replaced exactly stays as it is, so
that the translation names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from paddle.base import core

_DENSE = core.VarDesc.VarType.DENSE_TENSOR
_INT32 = core.VarDesc.VarType.INT32


def modernise(program: Any) -> None:
    """Replace old operators in every block of a program, and complete the others."""
    for number in range(program.desc.num_blocks()):
        block = program.desc.block(number)
        for place in range(block.op_size()):
            op = block.op(place)
            op.check_attrs()  # attributes that came later take their defaults
            if op.type() in _FOLLOWERS:
                _FOLLOWERS[op.type()](block, op)


def _interpolate(block: Any, op: Any) -> None:
    """v1 computes coordinates from the two sizes, v2 from the scale if there is one."""
    scale = op.attr("scale") if op.has_attr("scale") else 0.0
    sized = any(op.input(name) for name in ("OutSize", "SizeTensor") if name in op.input_names())
    scales: list[float] = []
    if "Scale" in op.input_names() and op.input("Scale"):
        return
    if scale > 0 and not sized:
        if scale != int(scale):
            return
        scales = [float(scale)] * (len(_shape(block, op, "X")) - 2)
    if op.has_attr("scale"):
        op.remove_attr("scale")
    op._set_float32s_attr("scale", scales)
    op.set_type(f"{op.attr('interp_method')}_interp_v2")  # the name of the old op decides nothing


def _flatten(block: Any, op: Any) -> None:
    """To two dimensions, split before `axis`."""
    axis, shape = op.attr("axis"), _shape(block, op, "X")
    if axis == 1:
        op._set_attr("start_axis", 1)
        op._set_attr("stop_axis", len(shape) - 1)
        op.set_type("flatten_contiguous_range")
    elif axis == 0 or min(shape[axis:], default=1) > 0:
        op._set_attr("shape", [1, -1] if axis == 0 else [-1, math.prod(shape[axis:])])
        op.set_type("reshape2")
    else:
        return
    op.remove_attr("axis")


def _top_k(block: Any, op: Any) -> None:
    op._set_attr("axis", -1)
    op._set_attr("largest", True)
    op._set_attr("sorted", True)
    op.set_type("top_k_v2")


def _expand(block: Any, op: Any) -> None:
    """Repeats; what is called expand today broadcasts."""
    for old in ("ExpandTimes", "expand_times_tensor"):
        if old in op.input_names():
            names = op.input(old)
            op.remove_input(old)
            op.set_input(old.replace("Expand", "Repeat").replace("expand", "repeat"), names)
    times = op.attr("expand_times")
    op.remove_attr("expand_times")
    op._set_attr("repeat_times", times)
    op.set_type("tile")


def _crop(block: Any, op: Any) -> None:
    """The size may be that of another tensor."""
    if "Y" in op.input_names() and op.input("Y"):
        shape = _shape(block, op, "Y")
        if min(shape) < 0:
            return
        op.remove_input("Y")
        op._set_attr("shape", shape)
    op.set_type("crop_tensor")


def _multiclass_nms(block: Any, op: Any) -> None:
    """v3 counts boxes in an output, v1 in LoD. Without any box v1 gives one row of -1."""
    if len(_shape(block, op, "Scores")) != 3:
        return
    for name, shape in (("Index", [-1, 1]), ("NmsRoisNum", [-1])):
        variable = block.var(f"{op.output('Out')[0]}.{name}".encode())
        variable.set_type(_DENSE)
        variable.set_dtype(_INT32)
        variable.set_shape(shape)
        op.set_output(name, [variable.name()])
    op.set_type("multiclass_nms3")


def _shape(block: Any, op: Any, name: str) -> list[int]:
    return list(block.find_var_recursive(op.input(name)[0].encode()).shape())


_FOLLOWERS: dict[str, Callable[[Any, Any], None]] = {
    "nearest_interp": _interpolate,
    "bilinear_interp": _interpolate,
    "flatten": _flatten,
    "flatten2": _flatten,
    "top_k": _top_k,
    "expand": _expand,
    "crop": _crop,
    "multiclass_nms": _multiclass_nms,
}
