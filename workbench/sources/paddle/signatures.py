"""Names of every operator's inputs, outputs and attributes, from the generated `operators.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Signature:
    """Input and output names in the order of a saved program, and attribute names."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


#: Operators of the other dialects, which Paddle declares by hand.
_BUILTIN = {
    "builtin.combine": Signature((), ("out",)),
    "builtin.split": Signature(("x",), ()),
    "builtin.slice": Signature(("x",), ("out",)),
    "builtin.shadow_output": Signature(("x",), ()),
    "pd_op.if": Signature(("cond",), ()),
    "pd_op.while": Signature(("cond",), ()),
}


@cache
def operators() -> dict[str, Signature]:
    """Every forward operator by its full name (`pd_op.conv2d`)."""
    text = (Path(__file__).parent / "operators.json").read_text(encoding="utf-8")
    table = {
        name: Signature(tuple(entry["inputs"]), tuple(entry["outputs"]), tuple(entry["attributes"]))
        for name, entry in json.loads(text).items()
    }
    return table | _BUILTIN


def signature(name: str) -> Signature:
    """Names for one operator; empty for one that Paddle's headers do not declare.

    An in-place operator (`relu_`) without an entry of its own has the names of its plain form.
    """
    table = operators()
    return table.get(name) or table.get(name.removesuffix("_")) or Signature()
