"""Which row a deploy format cannot hold, and why, in words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from torch import fx

from workbench.core.errors import WorkbenchError
from workbench.core.mapping import Mapping, Row
from workbench.export.formats.compared import DiffersError

#: Makes a format of a module and compares it; raises where that fails.
Attempt = Callable[[fx.GraphModule], Any]
#: Seconds after which the search for the row ends.
PATIENCE = 90.0

#: What an exporter's error means to a person; the first pattern that fits tells.
MEANINGS = (
    ("tensor array", "a loop fills a tensor array"),
    ("same metadata", "a loop changes the shape of its values"),
    ("GuardOnDataDependent", "sizes or decisions depend on the data"),
    ("pos 2 with error", "torch.export cannot pack sequences by their lengths, TorchScript can"),
    ("unbacked symint", "sizes or decisions depend on the data"),
    ("data-dependent", "sizes or decisions depend on the data"),
    ("Guard failed", "a size is fixed to the example's"),
    ("Constraints violated", "a size is fixed to the example's"),
    ("Expected input at", "a size is fixed to the example's"),
    ("INVALID_ARGUMENT", "a size is fixed to the example's"),
    ("NOT_IMPLEMENTED", "ONNX Runtime does not run it with this dtype"),
    ("Numpy_type", "ONNX Runtime does not take this dtype"),
    ("No ONNX function", "torch's exporter lacks it"),
    ("No decompositions registered", "torch's exporter lacks it"),
)


def explained(
    name: str, error: Exception, mapping: Mapping, module: fx.GraphModule, attempt: Attempt
) -> WorkbenchError:
    """The error for a person: the row that fails with its operator, and what happened to it."""
    told, path = reason(error), _named_row(error)
    row = next((row for row in mapping.walk() if row.path == path), None)
    if row is None:
        found, own = first_failing(module, attempt)
        row = next((row for row in mapping.walk() if row.path == found), None)
        told = reason(own) if own is not None else told
    where = "this model" if row is None else _described(row)
    return WorkbenchError(f"{name} cannot hold {where}: {told}", _hint(name, error, row))


def reason(error: BaseException) -> str:
    """What went wrong, in a few words of ours where we know them, else in the exporter's."""
    line = _line(error)
    if isinstance(_root(error), DiffersError):
        return line
    every = " ".join(str(part) for part in _causes(error))
    meaning = next((told for pattern, told in MEANINGS if pattern in every), "")
    return f"{meaning} ({line})" if meaning else line


def _described(row: Row) -> str:
    target = f" → {row.target}" if row.target else ""
    return f"row {row.path} ({', '.join(dict.fromkeys(row.ops))}{target})"


def _hint(name: str, error: BaseException, row: Row | None) -> str:
    if "tensor array" in str(_root(error)):
        return "Use model.py: only Python takes lists of tensors that a loop fills."
    if row is not None and row.blocks and name != "TorchScript":
        return "A loop whose values change their shape works in TorchScript and in model.py."
    return (
        "Use model.py, or another format. If the sample inputs do not suit the model, verify "
        "it with your own of two sizes: m.verify([first, second])."
    )


# --- finding the row ----------------------------------------------------------------------------


def first_failing(module: fx.GraphModule, attempt: Attempt) -> tuple[str, Exception | None]:
    """Path of the first row with which the format fails, and how; halving the rows each time.

    Empty where no part of the model fails, or where the search takes too long.
    """
    rows = list(dict.fromkeys(node.meta["row"] for node in module.graph.nodes
                              if node.meta.get("row")))  # fmt: skip
    low, high, told, end = 0, len(rows), None, time.monotonic() + PATIENCE
    while low < high and time.monotonic() < end:
        middle = (low + high) // 2
        error = _failure(upto(module, set(rows[: middle + 1])), attempt)
        low, high, told = (low, middle, error) if error else (middle + 1, high, told)
    return (rows[low], told) if low == high < len(rows) and told else ("", None)


def _failure(part: fx.GraphModule | None, attempt: Attempt) -> Exception | None:
    if part is None:
        return None
    try:
        attempt(part)
    except Exception as error:  # noqa: BLE001 - exporters raise anything
        return error
    return None


def upto(module: fx.GraphModule, rows: set[str]) -> fx.GraphModule | None:
    """The module with these first rows only; it gives every value that later rows would read."""
    graph = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    for node in module.graph.nodes:
        if node.op == "placeholder" or node.meta.get("row") in rows:
            copied[node] = graph.node_copy(node, lambda read: copied[read])
    left = [node for node in copied
            if node.op != "placeholder" and any(user not in copied for user in node.users)
            and node.meta.get("value") is not None]  # fmt: skip
    if not left:
        return None
    graph.output(tuple(copied[node] for node in left))
    return fx.GraphModule(module, graph, "Part")


# --- what an exporter says ----------------------------------------------------------------------


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def _root(error: BaseException) -> BaseException:
    return next((part for part in _causes(error) if str(part).startswith("row ")),
                list(_causes(error))[-1])  # fmt: skip


def _named_row(error: BaseException) -> str:
    """The row that an error of ours names."""
    found = re.match(r"row (\S+): ", str(_root(error)))
    return found[1] if found else ""


def _line(error: BaseException) -> str:
    """The first line that says what happened, at most 200 characters."""
    text = re.sub(r"^row \S+: |\x1b\[[0-9;]*m|\[ONNXRuntimeError\] : \d+ : ", "", str(_root(error)))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next((line for line in lines if not line.startswith("The following")), "")
    return (line or type(error).__name__)[:200]
