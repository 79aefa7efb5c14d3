"""Operators that Paddle 3.3.1 computes by mistake, computed by their formulas from its others.

`dequantize_linear`: Paddle lowers it to the kernel of `quantize_linear` (its log says so under
GLOG_v=6), so that it quantises once more. Rules tell of such rows by `Context.substituted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import paddle

#: Marks the operators of a formula but its last, which stands in the place of what it replaces.
_HELPER = "workbench_helper"


def substitute(loaded: Any) -> None:
    """Replace the operators of a loaded program; `file_ops` still gives each at its place."""
    ops = list(_walk(loaded.global_block()))
    known = {op.id() for op in ops}
    with paddle.static.program_guard(loaded):
        for op in ops:
            if _formula(op) is not None:
                known.add(_replace(op).id())
    if len(known) > len(ops):
        for op in _walk(loaded.global_block()):
            if op.id() not in known:
                op.set_bool_attr(_HELPER, True)


def file_ops(block: Any) -> list[Any]:
    """The operators of a block by their places in the file."""
    return [op for op in block.ops if not op.has_attr(_HELPER)]


def _walk(block: Any) -> Iterator[Any]:
    for op in block.ops:
        yield op
        for inner in op.blocks():
            yield from _walk(inner)


def _replace(op: Any) -> Any:
    """Put the formula in the place of an operator; returns the formula's last."""
    formula = _formula(op)
    assert formula is not None
    paddle.pir.set_insertion_point(op)
    made = formula(op)
    op.results()[0].replace_all_uses_with(made)
    op.get_parent_block().remove_op(op)
    return made.get_defining_op()


def _dequantize_linear(op: Any) -> Any:
    """`x · scale / qmax` in the dtype of the scale, as in Paddle 2."""
    x, scale = op.operands_source()[:2]
    settings = op.attrs()
    axis = settings["quant_axis"]
    if axis >= 0:
        scale = paddle.reshape(scale, [-1] + [1] * (len(x.shape) - 1 - axis))
    limit = paddle.full([], settings["qmax"], scale.dtype)
    return paddle.divide(paddle.multiply(paddle.cast(x, scale.dtype), scale), limit)


_FORMULAS: dict[str, Callable[[Any], Any]] = {"dequantize_linear": _dequantize_linear}


def _formula(op: Any) -> Callable[[Any], Any] | None:
    observes = op.has_attr("only_observer") and op.attrs()["only_observer"]
    return None if observes else _FORMULAS.get(op.name().removeprefix("pd_op.").rstrip("_"))
