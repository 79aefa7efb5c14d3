"""Whether the tensors of a source's unit fit a target's, and by which steps they get there.

Steps follow from what the layers are, never from the number of dimensions: the weight of a square
fully connected layer looks right both ways.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from workbench.app.transplant.units import Unit

Shape = tuple[int, ...]

#: Classes and functions that compute the same with the same tensors, by what they are.
FAMILIES = {
    "linear": {
        "Linear", "NonDynamicallyQuantizableLinear", "linear", "matmul", "Conv1D", "addmm", "mm",
        "bmm",
    },
    "conv": {"Conv1d", "Conv2d", "Conv3d", "conv1d", "conv2d", "conv3d", "Conv2dSame"},
    "transposed convolution": {
        "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "conv_transpose1d",
        "conv_transpose2d", "conv_transpose3d",
    },
    "batch norm": {
        "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "batch_norm",
        "FrozenBatchNorm2d", "BatchNormAct2d",
    },
    "norm": {
        "LayerNorm", "layer_norm", "LayerNorm2d", "GroupNorm", "group_norm", "InstanceNorm1d",
        "InstanceNorm2d", "InstanceNorm3d", "instance_norm", "RMSNorm", "rms_norm",
    },
    "table of embeddings": {"Embedding", "embedding"},
    "lstm": {"LSTM"},
    "gru": {"GRU"},
    "rnn": {"RNN"},
    "slopes": {"PReLU", "prelu"},
}  # fmt: skip
_FAMILY = {name: family for family, names in FAMILIES.items() for name in names}


def family(kind: str) -> str:
    """What a class or function is; empty for one that is none of the known ones."""
    return _FAMILY.get(kind, "")


@dataclass(frozen=True, slots=True)
class Piece:
    """One tensor of the target and where it comes from: tensors of source units, joined in order.

    `part` is (number, of how many) where the target takes one slice of the source's first axis.
    """

    key: str
    sources: tuple[tuple[str, str], ...]
    steps: tuple[str, ...]
    tensor: torch.Tensor
    part: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """Source units that together fill one unit of the target."""

    target: Unit
    sources: tuple[Unit, ...]
    pieces: tuple[Piece, ...]


def fits(target: Unit, sources: Sequence[Unit]) -> Iterator[Fit]:
    """How these source units, which read the same input, fill a target: one, or several joined."""
    for source in sources:
        found = _single(target, source)
        if found is not None:
            yield found
    yield from _joined(target, sources)
    yield from _slices(target, sources)


def _alike(target: Unit, source: Unit) -> bool:
    kinds = family(target.kind), family(source.kind)
    if not source.inputs and kinds == ("table of embeddings", "linear"):
        return True  # of a matrix alone nobody can tell
    both = {"linear", "conv"}
    return kinds[0] == kinds[1] or set(kinds) == both or "" in kinds


def _single(target: Unit, source: Unit) -> Fit | None:
    if not _alike(target, source):
        return None
    pairs = _pairs(target, source)
    if pairs is None:
        return None
    pieces = []
    for key, other in pairs.items():
        wanted = tuple(target.tensors[key].shape)
        if other is None:
            zeros = torch.zeros(wanted, dtype=torch.float64)
            pieces.append(Piece(key, (), ("zeros: the source has none",), zeros))
            continue
        made = _shaped(source.tensors[other], wanted, target.kind, source.kind)
        if made is None:
            return None
        tensor, steps = made
        pieces.append(Piece(key, ((source.path, other),), steps, tensor))
    left = set(source.tensors) - set(pairs.values())
    if left:
        return None
    return Fit(target, (source,), tuple(pieces))


def _pairs(target: Unit, source: Unit) -> dict[str, str | None] | None:
    """Which tensor of the source fills each of the target's: by name, else by what is left."""
    pairs: dict[str, str | None] = {}
    free = list(source.tensors)
    for key in target.tensors:
        if key in free:
            pairs[key] = key
            free.remove(key)
    for key in target.tensors:
        if key in pairs:
            continue
        shape = tuple(target.tensors[key].shape)
        matching = [k for k in free if tuple(source.tensors[k].shape) == shape]
        matching = matching or [
            k for k in free if source.tensors[k].numel() == target.tensors[key].numel()
        ]
        if len(matching) == 1:
            pairs[key] = matching[0]
            free.remove(matching[0])
        elif key.rpartition(".")[2] == "bias" and not matching:
            pairs[key] = None
        else:
            return None
    return pairs


def _shaped(
    tensor: torch.Tensor, wanted: Shape, target: str, source: str
) -> tuple[torch.Tensor, tuple[str, ...]] | None:
    """The tensor as the target's layer keeps it, and the steps."""
    steps: tuple[str, ...] = ()
    flipped = {"matmul", "mm", "bmm", "addmm", "Conv1D"}
    linear = (
        "linear" in (family(target), family(source)) and family(target) != "table of embeddings"
    )
    if (
        linear
        and tensor.ndim == 2
        and len(wanted) >= 2
        and (target in flipped) != (source in flipped)
    ):
        tensor, steps = tensor.T, ("transposed",)
    if tuple(tensor.shape) == wanted:
        return tensor.double(), steps
    if tensor.numel() == torch.Size(wanted).numel() and _without_ones(
        tensor.shape
    ) == _without_ones(wanted):
        return tensor.double().reshape(wanted), (*steps, f"reshaped to {wanted}")
    return None


def _without_ones(shape: Sequence[int]) -> Shape:
    return tuple(size for size in shape if size != 1)


# --- fused on one side, split on the other ----------------------------------------------------

_MOST = 4


def _joined(target: Unit, sources: Sequence[Unit]) -> Iterator[Fit]:
    """Query, key and value (or gates) that the target keeps in one matrix."""
    weight = target.tensors.get("weight")
    if family(target.kind) != "linear" or weight is None or weight.ndim != 2:
        return
    linears = [
        one
        for one in sources
        if (matrix := _matrix(one)) is not None and matrix.shape[1] == weight.shape[1]
    ]
    for count in range(2, min(_MOST, len(linears)) + 1):
        for chosen in itertools.permutations(linears, count):
            rows = [matrix for one in chosen if (matrix := _matrix(one)) is not None]
            whole = torch.cat(rows)
            if tuple(whole.shape) != tuple(weight.shape):
                continue
            yield _joined_fit(target, chosen, whole)


def _joined_fit(target: Unit, chosen: Sequence[Unit], whole: torch.Tensor) -> Fit:
    names = tuple((one.path, _key(one, 2)) for one in chosen)
    pieces = [Piece("weight", names, ("joined",), whole)]
    if "bias" in target.tensors:
        shift = torch.cat([_bias(one) for one in chosen])
        pieces.append(
            Piece(
                "bias",
                tuple((one.path, _key(one, 1)) for one in chosen if _key(one, 1)),
                ("joined",),
                shift,
            )
        )
    return Fit(target, tuple(chosen), tuple(pieces))


def _slices(target: Unit, sources: Sequence[Unit]) -> Iterator[Fit]:
    """One of several equal parts of a matrix that the source keeps in one."""
    weight = target.tensors.get("weight")
    if family(target.kind) != "linear" or weight is None or weight.ndim != 2:
        return
    for one in sources:
        whole = _matrix(one)
        if whole is None or whole.shape[1] != weight.shape[1] or whole.shape[0] == weight.shape[0]:
            continue
        count, rest = divmod(whole.shape[0], weight.shape[0])
        if rest or not 2 <= count <= _MOST:
            continue
        for number in range(count):
            rows = slice(number * weight.shape[0], (number + 1) * weight.shape[0])
            step = (f"part {rows.start}:{rows.stop} of axis 0",)
            part = number, count
            pieces = [Piece("weight", ((one.path, _key(one, 2)),), step, whole[rows], part)]
            if "bias" in target.tensors:
                pieces.append(
                    Piece("bias", ((one.path, _key(one, 1)),), step, _bias(one)[rows], part)
                )
            yield Fit(target, (one,), tuple(pieces))


def attention_fits(
    target: Unit, readers: Sequence[Sequence[Unit]], later: Sequence[Unit]
) -> Iterator[Fit]:
    """How `nn.MultiheadAttention` is filled from query, key, value and output layers.

    `readers` are the units that read its three inputs, `later` every unit in order of running.
    """
    whole = target.tensors.get("in_proj_weight")
    if whole is None:
        return
    size = whole.shape[1]
    squares = [[one for one in units if _is_matrix(one, size, size)] for units in readers]
    fused = [(one,) for one in readers[0] if _is_matrix(one, 3 * size, size)]
    for chosen in itertools.chain(fused, itertools.product(*squares)):
        if len(set(map(id, chosen))) < len(chosen):
            continue
        last = max(later.index(one) for one in chosen)
        out = next((one for one in later[last + 1 :] if _is_matrix(one, size, size)), None)
        if out is not None:
            yield _attention(target, chosen, out)


def _attention(target: Unit, chosen: Sequence[Unit], out: Unit) -> Fit:
    rows = torch.cat([matrix for one in chosen if (matrix := _matrix(one)) is not None])
    matrix = _matrix(out)
    assert matrix is not None
    joined = ("joined",) if len(chosen) > 1 else ()
    pieces = [
        Piece("in_proj_weight", tuple((one.path, _key(one, 2)) for one in chosen), joined, rows),
        Piece("out_proj.weight", ((out.path, _key(out, 2)),), (), matrix),
    ]
    if "in_proj_bias" in target.tensors:
        shift = torch.cat([_bias(one) for one in chosen])
        names = tuple((one.path, _key(one, 1)) for one in chosen if _key(one, 1))
        pieces.append(Piece("in_proj_bias", names, joined, shift))
        names = ((out.path, _key(out, 1)),) if _key(out, 1) else ()
        pieces.append(Piece("out_proj.bias", names, (), _bias(out)))
    return Fit(target, (*chosen, out), tuple(pieces))


def _is_matrix(unit: Unit, out: int, size: int) -> bool:
    matrix = _matrix(unit)
    return matrix is not None and tuple(matrix.shape) == (out, size)


def _key(unit: Unit, dims: int) -> str:
    """The key of a unit's matrix (2) or shift (1); empty when it has none."""
    return next((key for key, tensor in unit.tensors.items() if tensor.ndim == dims), "")


def _matrix(unit: Unit) -> torch.Tensor | None:
    """The weight of a fully connected layer as torch keeps it, (out, in)."""
    found = [tensor for tensor in unit.tensors.values() if tensor.ndim == 2]
    if family(unit.kind) != "linear" or len(found) != 1:
        return None
    return (found[0].T if unit.kind != "Linear" and unit.kind != "linear" else found[0]).double()


def _bias(unit: Unit) -> torch.Tensor:
    shifts = [tensor for tensor in unit.tensors.values() if tensor.ndim == 1]
    matrix = _matrix(unit)
    assert matrix is not None
    return shifts[0].double() if shifts else torch.zeros(matrix.shape[0], dtype=torch.float64)
