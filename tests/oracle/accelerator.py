"""A pretended accelerator: tensors that compute on the CPU but refuse to meet the CPU's own.

A real one is not at hand in CI. What goes wrong there is nearly always a tensor that was made on
the CPU; a mode and a tensor subclass see every operator call and find it without a device.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DEVICE = torch.device("cuda", 0)
_CPU = torch.device("cpu")
#: Operators that take tensors of both places: copies, and indices on the CPU.
_MIXED = (
    "aten::copy_", "aten::index.Tensor", "aten::_index_put_impl_", "aten::index_put",
    "aten::_pack_padded_sequence", "aten::_use_", "aten::_ctc_loss",
)  # fmt: skip


class _Far(Tensor):
    """A tensor that says it is on the accelerator; `near` holds its values."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> _Far:
        made = Tensor._make_wrapper_subclass(
            cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(),
            dtype=near.dtype, device=DEVICE,
        )  # fmt: skip
        made.near = near
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})

    def __repr__(self, **_: Any) -> str:
        return f"far {self.near!r}"


class Accelerator(TorchDispatchMode):
    """While it is active, `device=DEVICE` makes far tensors."""

    #: In the place of torch's FakeTensorMode, torch does not look for a driver.
    _mode_key = torch._C._TorchDispatchModeKey.FAKE

    def __enter__(self) -> Accelerator:
        torch._C._ensureCUDADeviceGuardSet()
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(data, device=…) then copies
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        torch._C._set_only_lift_cpu_tensors(False)
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute on the CPU; raises RuntimeError, in torch's words, when devices are mixed."""
    tensors: list[Tensor] = []
    tree_map(lambda item: tensors.append(item) if isinstance(item, Tensor) else None,
             (args, kwargs))  # fmt: skip
    far = any(isinstance(tensor, _Far) for tensor in tensors)
    name = func._schema.name + (f".{func._overloadname}" if func._overloadname != "default" else "")
    if far and not name.startswith(_MIXED):
        for tensor in tensors:
            if not isinstance(tensor, _Far) and tensor.dim():
                raise RuntimeError(
                    f"{name}: Expected all tensors to be on the same device, but found a CPU "
                    f"tensor of shape {tuple(tensor.shape)}"
                )
    device = kwargs.get("device")
    if device is not None:
        far = torch.device(device).type == DEVICE.type
        kwargs = {**kwargs, "device": _CPU}
    run = _CELLS.get(func._schema.name, func)
    results = run(*tree_map(_near, args), **tree_map(_near, kwargs))
    if far and torch.Tag.inplace_view in func.tags:  # the wrapper has a shape of its own
        with torch._C._DisableTorchDispatch():
            return func(*args, **kwargs)
    returns = func._schema.returns
    if returns and returns[0].alias_info is not None and returns[0].alias_info.is_write:
        return args[0] if args and isinstance(args[0], _Far) else results  # changed in place
    if name == "aten::_pack_padded_sequence":  # the batch sizes stay on the CPU
        return _moved(results[0]), results[1]
    return tree_map(_moved, results) if far else results


def _moved(item: Any) -> Any:
    return _Far(item.resolve_conj()) if isinstance(item, Tensor) else item


def _lstm_cell(
    gates: Tensor, hidden: Tensor, cell: Tensor, b: Tensor | None, c: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    total = gates + hidden + (0 if b is None or c is None else b + c)
    i, f, g, o = total.chunk(4, 1)
    state = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * state.tanh(), state, total


def _gru_cell(
    gates: Tensor, hidden: Tensor, state: Tensor, b: Tensor | None, c: Tensor | None
) -> tuple[Tensor, Tensor]:
    given = (gates if b is None else gates + b).chunk(3, 1)
    kept = (hidden if c is None else hidden + c).chunk(3, 1)
    reset, update = (given[0] + kept[0]).sigmoid(), (given[1] + kept[1]).sigmoid()
    new = (given[2] + reset * kept[2]).tanh()
    return new + update * (state - new), gates


#: Kernels that the CPU lacks; torch writes them out there.
_CELLS = {
    "aten::_thnn_fused_lstm_cell": _lstm_cell,
    "aten::_thnn_fused_gru_cell": _gru_cell,
    "aten::_use_cudnn_ctc_loss": lambda *_: False,
    "aten::_use_miopen_ctc_loss": lambda *_: False,
}


def _near(item: Any) -> Any:
    return item.near if isinstance(item, _Far) else item


def moved(module: nn.Module, inputs: list[Tensor]) -> Any:
    """What the module returns when it and its inputs are moved, as tensors of the CPU.

    Raises RuntimeError where a tensor was left behind: used with moved ones, or returned.
    """
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=False), Accelerator():
        state = {
            key: tensor.to(DEVICE)
            for key, tensor in (*module.named_parameters(), *module.named_buffers())
        }
        results = torch.func.functional_call(
            module, state, tuple(tensor.to(DEVICE) for tensor in inputs)
        )
        return tree_map(_fetched, results)


def _fetched(result: Any) -> Any:
    if isinstance(result, Tensor) and not isinstance(result, _Far):
        raise RuntimeError(f"the result of shape {tuple(result.shape)} is on the CPU")
    return _near(result)
