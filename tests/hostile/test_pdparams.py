"""Pickles of strangers: what numpy wrote is read as before, all else is refused, in no time."""

from __future__ import annotations

import os
import pickle
import pickletools
import resource
import shutil
import struct
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.core.errors import ModelFileError
from workbench.sources.paddle.files import pdparams, plain_pickle
from workbench.sources.paddle.files.pdparams import read_pdparams

NAMES = "StructuredToParameterName@@"
ARRAYS = {
    "f": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">i4"),
    "scalar": np.array(3, np.int64),
    "none": np.zeros((0, 5), np.float16),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j], np.complex64),
    "strided": np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 0, 1),
    "large": np.arange(5000, dtype=np.uint16),
}


def _read(content: bytes, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    path = folder / "model.pdparams"
    path.write_bytes(content)
    return read_pdparams(path)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("kind", [dict, OrderedDict])
@pytest.mark.parametrize("old", [False, True])
def test_what_numpy_pickles_comes_back_as_it_was(
    protocol: int, kind: Any, old: bool, tmp_path: Path
) -> None:
    content = pickle.dumps(kind(ARRAYS) | {NAMES: {"f": "linear_0.w_0"}, "epoch": 3}, protocol)
    if old:  # the modules of numpy 1
        content = _renamed(content)
    arrays, names = _read(content, tmp_path)
    assert names == {"linear_0.w_0": "f"}
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def _renamed(content: bytes) -> bytes:
    """numpy._core → numpy.core, without frames, whose lengths would be wrong."""
    parts = []
    steps = list(pickletools.genops(content))
    ends = [position for *_, position in steps[1:]] + [len(content)]
    for (opcode, argument, start), end in zip(steps, ends, strict=True):
        assert start is not None
        part = content[start:end]
        if opcode.name == "FRAME":
            continue
        if isinstance(argument, str) and argument.startswith("numpy._core"):
            text = argument.replace("numpy._core", "numpy.core").encode()
            part = (b"c" + text.replace(b" ", b"\n") + b"\n" if opcode.name == "GLOBAL"
                    else b"\x8c" + bytes([len(text)]) + text)  # fmt: skip
        parts.append(part)
    return b"".join(parts)


def test_the_same_array_under_two_names(tmp_path: Path) -> None:
    shared = np.ones(3, np.float32)
    arrays, _ = _read(pickle.dumps({"a": shared, "b": shared}, 4), tmp_path)
    assert arrays["a"].tolist() == arrays["b"].tolist() == [1, 1, 1]


# --- hostile ----------------------------------------------------------------------------------


def _short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text)]) + text.encode()


def _global(module: str, name: str) -> bytes:
    return _short(module) + _short(name) + b"\x93"


def _state_of_objects() -> bytes:
    """98 bytes or so: an array of objects whose state is a list, which numpy takes for pointers."""
    reconstruct = _global("numpy.core.multiarray", "_reconstruct")
    empty = reconstruct + _global("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    dtype = _global("numpy", "dtype") + _short("O8") + b"\x89\x88\x87R"
    state = b"(K\x01K\x04\x85" + dtype + b"\x89]t"
    return b"\x80\x04}" + _short("w") + empty + state + b"bs."


def _nested(depth: int) -> bytes:
    """A key that takes 2^depth steps to hash."""
    return b"\x80\x04}" + b")" + b"2\x86" * depth + b"Ns."


_FOUR = pickle.dumps({"w": np.ones(4, np.int8)}, 2)
#: A memo index is only a number to us.
HARMLESS = {"memo of 2^27", "memo of 2^31"}
BAD = {
    "objects": _state_of_objects(),
    "memo of 2^27": b"\x80\x04}" + b"r" + struct.pack("<I", 1 << 27) + b".",
    "memo of 2^31": b"\x80\x04}" + b"r" + struct.pack("<I", (1 << 32) - 1) + b"N0(t0.",
    "bytes of 2^60": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
    "text of 2^60": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"x.",
    "array of 2^60": b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b"x.",
    "number of 2^31": b"\x80\x04\x8b" + struct.pack("<i", (1 << 31) - 1) + b"x.",
    "number of 10^6 digits": b"I" + b"9" * 10**6 + b"\n.",
    "hash of 2^60": _nested(60),
    "no end": b"\x80\x04}",
    "nothing": b"",
    "pop of nothing": b"0.",
    "mark of nothing": b"t.",
    "deep list": b"\x80\x04" + b"]" * 300_000 + b"a" * 299_999 + b".",
    "steps": b"\x80\x04" + b"N" * 3_000_000 + b".",
    "eval": b"\x80\x04" + _global("builtins", "eval") + _short("1") + b"\x85R.",
    "os.system": b"cos\nsystem\n(S'true'\ntR.",
    "attribute": b"\x80\x04" + _global("numpy", "dtype.__init__") + b".",
    "new": b"\x80\x04" + _global("collections", "OrderedDict") + b")\x81.",
    "persistent": b"Pfoo\n.",
    "extension": b"\x82\x01.",
    "state of a class": b"\x80\x04" + _global("collections", "OrderedDict") + b"}" + _short("x")
    + b"K\x01sb.",
    "negative size": _FOUR.replace(b"K\x04\x85", b"J\xff\xff\xff\xff\x85"),
    "too large": _FOUR.replace(b"K\x04\x85", b"J\xff\xff\xff\x7f\x85"),
    "encoded over and over": b"\x80\x04" + b"X" + struct.pack("<I", 10**6) + b"a" * 10**6
    + b"\x94" + _short("latin1") + b"\x94" + _global("_codecs", "encode") + b"\x94"
    + b"h\x04h\x00h\x01\x86R" * 100_000 + b".",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_pickles_are_refused_at_once_and_in_little_memory(name: str, tmp_path: Path) -> None:
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if name in HARMLESS:
        assert _read(BAD[name], tmp_path) == ({}, {})
    else:
        with pytest.raises(ModelFileError, match=r"model\.pdparams") as told:
            _read(BAD[name], tmp_path)
        assert len(str(told.value)) < 1000
    assert time.monotonic() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes


def test_one_that_lies_beside_a_good_model_does_no_harm(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "digits_classifier", tmp_path, dirs_exist_ok=True)
    (tmp_path / "inference.pdparams").write_bytes(_state_of_objects())
    with wb.load(tmp_path) as migration:
        assert len(migration.program.parameters) > 0


# --- drawn at random --------------------------------------------------------------------------


_OPCODES = [opcode for opcode in pickletools.opcodes if opcode.name not in ("STOP",)]
_PLAIN = pickle.dumps(ARRAYS | {NAMES: {"f": "linear_0.w_0"}}, 2)


@st.composite
def _steps(draw: Any) -> bytes:
    """Opcodes in any order, with arguments that often fit."""
    parts = []
    for opcode in draw(st.lists(st.sampled_from(_OPCODES), max_size=40)):
        parts.append(opcode.code.encode("latin-1"))
        if opcode.arg is None:
            continue
        if opcode.arg.n >= 0:
            parts.append(draw(st.binary(min_size=opcode.arg.n, max_size=opcode.arg.n)))
        elif opcode.arg.n == pickletools.UP_TO_NEWLINE:
            word = st.sampled_from([b"numpy", b"dtype", b"1", b"_codecs", b"encode", b"os", b"'a'"])
            parts += [draw(word), b"\n", draw(word), b"\n"]
        else:
            size = draw(st.integers(0, 9))
            width = {"1": 1, "4": 4, "8": 8}.get(opcode.arg.name[-1], 1)
            parts += [size.to_bytes(width, "little"), draw(st.binary(max_size=9))]
    return b"\x80\x04" + b"".join(parts) + b"."


@st.composite
def _damaged(draw: Any) -> bytes:
    """A good file with a few bytes changed."""
    content = bytearray(_PLAIN)
    for place in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


@given(content=st.one_of(_steps(), _damaged(), st.binary(max_size=60)))
@settings(
    max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "600")),
    deadline=2000,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(plain_pickle.PickleRefusedError):
        plain_pickle.load_plain(memoryview(content), pdparams._known(len(content)))
