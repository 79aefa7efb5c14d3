"""A saved program with every floating dtype made float64. Needs no Paddle.

The numbers that attributes hold stay what they are; only the dtype in which Paddle computes
changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from workbench.core.dtypes import WIDER

_TYPES = {
    "0.t_f32": "0.t_f64", "0.t_f16": "0.t_f64", "0.t_bf16": "0.t_f64", "0.t_c64": "0.t_c128",
}  # fmt: skip
#: Half precision, for which Paddle has few kernels on a CPU.
_HALF_TYPES = {"0.t_f16": "0.t_f32", "0.t_bf16": "0.t_f32"}
_HALF_NAMES = {"float16": "float32", "bfloat16": "float32"}


def widen(document: dict[str, Any], narrow: Collection[str] = ()) -> None:
    """Make a saved program float64 in place; operators named in `narrow` become float32."""
    for region in document["program"]["regions"]:
        _widen_region(region, frozenset(narrow))


def _widen_region(region: dict[str, Any], narrow: frozenset[str]) -> None:
    for block in region["blocks"]:
        for argument in block.get("args", ()):
            _widen_types(argument, _TYPES)
        for op in block["ops"]:
            for inner in op.get("regions", ()):
                _widen_region(inner, narrow)
            kept = op["#"].partition(".")[2] in narrow
            _widen_types(op.get("O"), _HALF_TYPES if kept else _TYPES)
            _widen_attributes(op.get("A"), _HALF_NAMES if kept else WIDER)


def _widen_types(record: Any, types: Mapping[str, str]) -> None:
    """Every element type below a record."""
    if isinstance(record, dict):
        code = record.get("#")
        if isinstance(code, str):
            record["#"] = types.get(code, code)
        for part in record.values():
            _widen_types(part, types)
    elif isinstance(record, list):
        for part in record:
            _widen_types(part, types)


def _widen_attributes(record: Any, names: Mapping[str, str]) -> None:
    """Every attribute that names a dtype."""
    for item in record or ():
        kind = item.get("AT") if isinstance(item, dict) else None
        if isinstance(kind, dict) and kind.get("#", "").endswith(".a_dtype"):
            name = str(kind.get("D"))
            kind["D"] = names.get(name, kind.get("D"))
