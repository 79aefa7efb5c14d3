"""What a Paddle 2 program (`.pdmodel`, `__model__`) names, read without Paddle.

Only two fields of the protobuf are walked: the operators of every block and its variables. Every
occurrence is listed, also where a parser would let a later one win.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: ProgramDesc.blocks; BlockDesc.vars and .ops; VarDesc.name; OpDesc.type.
_BLOCKS, _VARIABLES, _OPERATORS, _NAME, _TYPE = 1, 3, 4, 1, 3


@dataclass(frozen=True, slots=True)
class Names:
    """Operators as (block, place in it, type), and the names of all variables."""

    operators: tuple[tuple[int, int, str], ...]
    variables: frozenset[str]


def read_names(message: bytes) -> Names:
    """The names in a serialised ProgramDesc; raises `ValueError` when it is none."""
    operators: list[tuple[int, int, str]] = []
    variables: set[str] = set()
    for number, block in enumerate(_parts(memoryview(message), _BLOCKS)):
        variables.update(_text(name) for part in _parts(block, _VARIABLES)
                         for name in _parts(part, _NAME))  # fmt: skip
        for place, op in enumerate(_parts(block, _OPERATORS)):
            operators += [(number, place, _text(name)) for name in _parts(op, _TYPE)]
    return Names(tuple(operators), frozenset(variables))


def _parts(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """Every value of one field that has a length."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, field = key & 7, key >> 3
        if kind == _VARINT:
            _, at = _varint(message, at)
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32) and key < 1 << 32:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no field of a program at byte {at}")
        if key >= 1 << 32 or field == 0 or at + size > len(message):
            raise ValueError(f"a field that runs past the end at byte {at}")
        if kind == _BYTES and field == wanted:
            yield message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
    raise ValueError("a number that does not end")


def _text(name: memoryview) -> str:
    return bytes(name).decode("utf-8", "backslashreplace")
