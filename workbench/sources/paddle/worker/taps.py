"""Values inside a program, written to disk while Paddle runs it once.

Behind each wanted value a Python operator is put that stores what it is given. So no value is kept
in memory for the end of the run, each is stored as it was made (an operator that works in place may
write over it later), and values inside `if` and `while` blocks can be had too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import _C_ops

from workbench.sources.paddle.worker.saved import store_one
from workbench.sources.paddle.worker.substitutes import file_ops

#: So many runs of a block are stored: the first often starts from zeros, which prove little.
BLOCK_RUNS = 2


class _Slot:
    """An operator of its own name, which Paddle knows as long as the process lives.

    Paddle holds no reference to the function, and calls the first one that had the name; so slots
    stay, and are used again by the next program: with many names Paddle gets slower.
    """

    def __init__(self, number: int) -> None:
        self.name = f"workbench_tap_{number}"
        self.store: Callable[[Any], Any] = _same
        self.function = lambda tensor: self.store(tensor)


_SLOTS: list[_Slot] = []


def _same(meta: Any) -> Any:
    return meta


class Taps:
    """Puts taps into a loaded program; `stored` holds dtypes by file stem after a run.

    A value of the outermost block goes to `<stem>.npy`, one tapped in a block to `<stem>_<run>.npy`
    for the first `BLOCK_RUNS` runs of the block.
    """

    def __init__(self, loaded: Any, folder: str) -> None:
        if not hasattr(_C_ops, "_run_python_op"):
            raise RuntimeError(
                f"Paddle {paddle.__version__} gives no values from inside a program. "
                "Verification needs paddlepaddle 3.3 or newer."
            )
        self.folder = Path(folder)
        self.stored: dict[str, str] = {}
        self.error: Exception | None = None
        self._blocks = dict(_blocks(loaded.global_block(), ""))
        self._ops = {key: file_ops(block) for key, block in self._blocks.items()}
        self._counts: dict[str, int] = {}
        self._used = 0

    def put(self, block: str, place: tuple[str, int, int], stem: str) -> None:
        """Tap the value at `place` (block, op or -1 for an argument, number) inside `block`.

        It is tapped where it is made, or at the start of `block` when it is made outside of it.
        """
        maker, position, number = place
        if position < 0:
            value = self._blocks[maker].args()[number]
        else:
            value = self._ops[maker][position].results()[number]
        if not (value.initialized() and value.is_dense_tensor_type()):
            return
        if position >= 0 and (maker == block or maker.startswith(f"{block}.")):
            # a decided branch was put in the place of its `if`: its values are made further inside
            paddle.pir.set_insertion_point_after(self._ops[maker][position])
        else:
            paddle.pir.set_insertion_point(self._ops[block][0])
        slot = self._slot()
        slot.store = self._storing(stem, value, inner=bool(block))
        _C_ops._run_python_op(  # type: ignore[attr-defined]
            value,
            name=slot.name,
            input_names=["x"],
            output_names=["out"],
            attrs={"infer_meta_fn_ptr": _same, "fn_ptr": slot.function},
            inplace_map={},
        )

    def _slot(self) -> _Slot:
        if self._used == len(_SLOTS):
            _SLOTS.append(_Slot(self._used))
        self._used += 1
        return _SLOTS[self._used - 1]

    def _storing(self, stem: str, value: Any, inner: bool) -> Callable[[Any], Any]:
        def store(tensor: Any) -> Any:
            if tensor is None:  # a result that Paddle's kernel leaves out
                with paddle.base.dygraph.base.guard():
                    return paddle.zeros([1])
            run = self._counts.get(stem, 0)
            self._counts[stem] = run + 1
            if self.error is not None or run >= (BLOCK_RUNS if inner else 1):
                return tensor
            try:
                name = f"{stem}_{run}" if inner else stem
                path = self.folder / f"{name}.npy"
                self.stored[name] = store_one(path, value, _array(tensor))
            except Exception as error:  # noqa: BLE001 - told after the run: Paddle would hide it
                self.error = error
            return tensor

        return store


def _array(tensor: Any) -> np.ndarray:
    """The tensor in rows; oneDNN, which runs bfloat16 layers, keeps its results in blocks."""
    if str(tensor.layout) == "ONEDNN":
        with paddle.base.dygraph.base.guard():
            tensor = paddle.assign(tensor)
    return np.asarray(tensor)


def _blocks(block: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every block by its key: "" for the outermost, "12.0" for block 0 of op 12."""
    yield key, block
    for position, op in enumerate(file_ops(block)):
        prefix = f"{key}.{position}" if key else str(position)
        for number, inner in enumerate(op.blocks()):
            yield from _blocks(inner, f"{prefix}.{number}")
