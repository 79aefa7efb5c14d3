"""Operators that Paddle has no float64 kernel for, inside a program that is float64."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import paddle
from paddle import _C_ops

#: Dtypes that a narrow operator reads and makes, by what the program gives and takes.
_WIDE = {paddle.float64: paddle.float32, paddle.complex128: paddle.complex64}


def keep_narrow(loaded: Any, names: Collection[str]) -> None:
    """Put casts around the operators of these names (without dialect) in a loaded program.

    They read float32 in place of float64; what they make becomes float64 for those that read it.
    The program guard of `loaded` must be on.
    """
    if not names:
        return
    wanted = {f"pd_op.{name}" for name in names}
    for op in [op for op in _ops(loaded.global_block()) if op.name() in wanted]:
        _narrow(op)


def _ops(block: Any) -> Iterator[Any]:
    for op in block.ops:
        yield op
        for inner in op.blocks():
            yield from _ops(inner)


def _narrow(op: Any) -> None:
    paddle.pir.set_insertion_point(op)
    for operand in op.operands():
        value: Any = operand.source()
        if value.initialized() and value.is_dense_tensor_type() and value.dtype in _WIDE:
            operand.set_source(_C_ops.cast(value, _WIDE[value.dtype]))
    wider = {narrow: wide for wide, narrow in _WIDE.items()}
    result: Any
    for result in op.results():
        if not (result.initialized() and result.is_dense_tensor_type()):
            continue
        if result.dtype not in wider or result.use_empty():
            continue
        paddle.pir.set_insertion_point_after(op)
        made = _C_ops.cast(result, wider[result.dtype])
        result.replace_all_uses_with(made)
        made.get_defining_op().operand(0).set_source(result)
