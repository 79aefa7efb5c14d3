"""Read `.pdiparams`: all parameters of an exported program, one after another.

Layout of each tensor (facts/paddle_formats.md of the design notes): u32 version, u64 number of LoD
levels, for each level u64 byte length and that many bytes, u32 version, i32 length of a TensorDesc
protobuf, the protobuf (field 1: data type, field 2: dims), raw little-endian data.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from workbench.core.dtypes import item_size, numpy_dtype
from workbench.core.errors import ModelFileError
from workbench.core.files import open_regular
from workbench.core.program import Parameter, Program

#: Values of Paddle's `VarType.Type` protobuf enum.
_DTYPES = {
    0: "bool", 1: "int16", 2: "int32", 3: "int64", 4: "float16", 5: "float32", 6: "float64",
    20: "uint8", 21: "int8", 22: "bfloat16", 23: "complex64", 24: "complex128",
    32: "float8_e4m3fn", 33: "float8_e5m2",
}  # fmt: skip


def bind_parameters(program: Program, path: Path) -> Program:
    """The program with each parameter bound to its bytes in `path` (mapped, not read).

    Raises `ModelFileError` when the file is missing, truncated, or holds other tensors than the
    program declares.
    """
    names = sorted(program.parameters, key=lambda name: name.encode())
    if not path.exists():
        if not names:
            return program
        raise ModelFileError(
            f"{path} is missing: the program needs {len(names)} parameters.",
            _where_else(path),
        )
    content = _map(path)
    found: dict[str, Parameter] = {}
    records = _records(path, content)
    for position, name in enumerate(names):
        record = next(records, None)
        if record is None:
            raise ModelFileError(
                f"{path} ends after {position} tensors; the program has {len(names)} parameters "
                f"(next: {name}).",
                "The file is truncated or belongs to another model; copy or export it again.",
            )
        found[name] = _bound(path, content, program.parameters[name], *record)
    extra = sum(1 for _ in records)
    if extra:
        raise ModelFileError(
            f"{path} holds {extra} more tensors than the {len(names)} that the program declares.",
            "Program and parameters belong to different models; export them together.",
        )
    parameters = {name: found[name] for name in program.parameters}
    return replace(program, parameters=parameters, params_file=path)


def check_tensors(path: Path) -> int:
    """Number of tensors in the file; raises `ModelFileError` when one is damaged or cut off."""
    return sum(1 for _ in _records(path, _map(path)))


def _map(path: Path) -> np.ndarray:
    try:
        with open_regular(path) as file:
            empty = file.seek(0, os.SEEK_END) == 0
            return np.empty(0, np.uint8) if empty else np.memmap(file, np.uint8, mode="r")
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error


def _where_else(path: Path) -> str:
    """What to do about a missing file of weights."""
    checkpoint = next(iter(sorted(path.parent.glob("*.pdparams"))), None)
    if checkpoint is None:
        return "Put the .pdiparams file beside the program, under the same name."
    return (
        f"{checkpoint.name} is a checkpoint of training, not the weights of an exported program. "
        "Load it into the live layer and export that with paddle.jit.save, or give wb.load the "
        "layer itself."
    )


def _records(path: Path, content: np.ndarray) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Data type, dims and byte offset of each tensor in the file."""
    offset = 0
    number = 0
    while offset < len(content):
        try:
            dtype, dims, start = _header(content, offset)
        except (struct.error, IndexError, KeyError, ValueError) as error:
            raise ModelFileError(
                f"{path}: tensor {number} at byte {offset} has no valid header.",
                "The file is damaged, or is not a .pdiparams file saved for inference.",
            ) from error
        end = start + math.prod(dims) * item_size(dtype)
        if end > len(content):
            raise ModelFileError(
                f"{path} is truncated: tensor {number} {dims} needs bytes up to {end}, "
                f"the file has {len(content)}.",
                "Copy or download the file again.",
            )
        yield dtype, dims, start
        offset, number = end, number + 1


def _header(content: np.ndarray, offset: int) -> tuple[str, tuple[int, ...], int]:
    version, levels = struct.unpack_from("<IQ", content.data, offset)
    if version != 0 or levels > 8:
        raise ValueError("not a tensor")
    offset += 12
    for _ in range(levels):
        (length,) = struct.unpack_from("<Q", content.data, offset)
        offset += 8 + length
    version, length = struct.unpack_from("<Ii", content.data, offset)
    if version != 0 or not 0 < length < 4096:
        raise ValueError("not a tensor")
    offset += 8
    if offset + length > len(content):
        raise ValueError("header runs past the end")
    dtype, dims = _tensor_desc(bytes(content[offset : offset + length]))
    return dtype, dims, offset + length


def _tensor_desc(message: bytes) -> tuple[str, tuple[int, ...]]:
    """Decode the two fields of the TensorDesc protobuf."""
    dtype, dims, at = None, [], 0
    while at < len(message):
        key, at = _varint(message, at)
        if key == 0x08:
            code, at = _varint(message, at)
            dtype = _DTYPES[code]
        elif key == 0x10:
            dim, at = _varint(message, at)
            dims.append(dim)
        elif key == 0x12:
            length, at = _varint(message, at)
            end = at + length
            while at < end:
                dim, at = _varint(message, at)
                dims.append(dim)
        else:
            raise ValueError(f"unknown field {key}")
    if dtype is None:
        raise ValueError("no data type")
    return dtype, tuple(dims)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = message[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")


def _bound(
    path: Path,
    content: np.ndarray,
    declared: Parameter,
    dtype: str,
    dims: tuple[int, ...],
    start: int,
) -> Parameter:
    if dims != declared.shape or dtype != declared.dtype:
        raise ModelFileError(
            f"{path}: parameter {declared.name} is {dtype}{list(dims)} in the file, but the "
            f"program declares {declared.dtype}{list(declared.shape)}.",
            "Program and parameters belong to different models; export them together.",
        )
    end = start + math.prod(dims) * item_size(dtype)

    def mapped() -> np.ndarray:
        return content[start:end].view(numpy_dtype(dtype)).reshape(dims)

    def read() -> np.ndarray:
        count = math.prod(dims)
        return np.fromfile(path, numpy_dtype(dtype), count, offset=start).reshape(dims)

    return replace(declared, map=mapped, read=read)


def write_tensors(path: Path, tensors: Mapping[str, tuple[str, np.ndarray]]) -> None:
    """Write a `.pdiparams` file; the inverse of reading, for tests and samples.

    `tensors` maps names to (Paddle dtype, array in storage dtype).
    """
    with path.open("wb") as file:
        for name in sorted(tensors, key=lambda key: key.encode()):
            _write(file, *tensors[name])


def write_parameters(
    path: Path, parameters: Mapping[str, Parameter], dtypes: Mapping[str, str]
) -> None:
    """Write parameters to a `.pdiparams` file, one at a time, in the dtypes that `dtypes` gives.

    It maps Paddle's dtypes to wider ones; what it does not name stays as it is.
    """
    with path.open("wb") as file:
        for name in sorted(parameters, key=lambda key: key.encode()):
            parameter = parameters[name]
            wider = dtypes.get(parameter.dtype, parameter.dtype)
            array = parameter.data
            if wider != parameter.dtype and parameter.dtype == "bfloat16":
                array = (array.astype(np.uint32) << 16).view(np.float32)
            _write(file, wider, array.astype(numpy_dtype(wider), copy=False))


def _write(file: BinaryIO, dtype: str, array: np.ndarray) -> None:
    """One tensor with its header."""
    codes = {name: code for code, name in _DTYPES.items()}
    message = b"\x08" + _encode(codes[dtype])
    message += b"".join(b"\x10" + _encode(dim) for dim in array.shape)
    file.write(struct.pack("<IQIi", 0, 0, 0, len(message)))
    file.write(message)
    file.write(np.ascontiguousarray(array).data)


def _encode(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        if not number:
            return bytes([*out, low])
        out.append(low | 0x80)
