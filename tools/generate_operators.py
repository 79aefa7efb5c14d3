"""Generate workbench/sources/paddle/operators.json from the headers of the installed Paddle.

The file lists, for every forward operator of the `pd_op` dialect, the names of its inputs and
outputs in their order in a saved program, and its attributes. Saved programs hold inputs by
position only, so these names are what lets a rule say `x` and `filter`.

Usage: python tools/generate_operators.py
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
from pathlib import Path

HEADERS = ("pd_op.h", "manual_op.h", "control_flow_op.h")
TARGET = Path(__file__).parents[1] / "workbench" / "sources" / "paddle" / "operators.json"
GRADIENT = re.compile(r"_grad_?$|_grad_grad|_double_grad|_triple_grad|_xpu$|_sp$|_sr$|_sr_$|_sp_$")

_CLASS = re.compile(r"^class\s+(?:\w+\s+)?\w+\s*: public pir::Op<", re.M)
_NAME = re.compile(r'name\(\)\s*\{\s*return\s+"(\w+\.\w+)"')
_INPUT = re.compile(r"pir::Value (\w+)\(\)\s*(?:const\s*)?\{\s*return operand_source\((\d+)\)")
_OUTPUT = re.compile(
    r"pir::(?:Value|OpResult) (\w+)\(\)\s*(?:const\s*)?\{\s*return result\((\d+)\)"
)
_BUILD = re.compile(r"static void Build\((.*?)\);", re.S)
_ATTRIBUTE = re.compile(
    r"(?:const )?(?P<type>bool|int|float|double|int64_t|(?:std|phi|pir)::[\w:]+(?:<[\w:]+>)?)&?"
    r" (?P<name>\w+)(?:=(?P<default>\{[^}]*\}|\"[^\"]*\"|[^,]+))?(?:,|$)"
)


def header_folder() -> Path:
    """Folder of Paddle's operator headers, found without importing Paddle."""
    spec = importlib.util.find_spec("paddle")
    if spec is None or spec.origin is None:
        raise SystemExit("Paddle is not installed: pip install paddlepaddle")
    return Path(spec.origin).parent / "include/paddle/fluid/pir/dialect/operator/ir"


def operators(text: str) -> dict[str, dict[str, object]]:
    """Every forward operator declared in one header."""
    starts = [match.start() for match in _CLASS.finditer(text)] + [len(text)]
    found: dict[str, dict[str, object]] = {}
    for start, end in itertools.pairwise(starts):
        body = text[start:end]
        name = _NAME.search(body)
        if name is None or GRADIENT.search(name[1]):
            continue
        inputs = _in_order(_INPUT, body)
        found[name[1]] = {
            "inputs": inputs,
            "outputs": _in_order(_OUTPUT, body),
            "attributes": _attributes(body, inputs),
        }
    return found


def _in_order(pattern: re.Pattern[str], body: str) -> list[str]:
    found = {int(index): name for name, index in pattern.findall(body)}
    return [found[index] for index in sorted(found)]


def _attributes(body: str, inputs: list[str]) -> dict[str, str]:
    """Attribute names with their C++ defaults; a tensor-valued attribute is an input instead."""
    attributes: dict[str, str] = {}
    for signature in _BUILD.findall(body):
        signature = " ".join(signature.split())
        for match in _ATTRIBUTE.finditer(signature):
            if not match["type"].startswith("pir::") and match["name"].rstrip("_") not in inputs:
                attributes.setdefault(match["name"], (match["default"] or "").strip())
    return attributes


def main() -> None:
    """Write the table, one operator a line, sorted by name."""
    table: dict[str, dict[str, object]] = {}
    for header in HEADERS:
        table.update(operators((header_folder() / header).read_text()))
    lines = [f"{json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table)]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(table)} operators -> {TARGET}")


if __name__ == "__main__":
    main()
