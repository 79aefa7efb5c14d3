"""Which targets may be chosen by hand, and which are plausible for a row.

A mapping file may come from somebody else, so a target is not just any attribute of torch:
`torch.os.system` is one too. Only modules, tensor functions and the workbench's helpers are taken.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import inspect
import operator
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name
from torch import nn

from workbench.core.errors import MappingError
from workbench.core.mapping import Row
from workbench.targets.pytorch import custom, functions
from workbench.targets.pytorch.resolve import resolve

_OPERATORS = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "neg", "abs", "getitem",
    "lt", "le", "gt", "ge", "eq", "ne", "and_", "or_", "xor", "invert",
)  # fmt: skip
_TORCH_PARTS = ("", "linalg.", "fft.", "special.")
_METHOD = re.compile(r"\.[a-z][a-z0-9_]*$")
#: Functions with a schema that touch files or the process rather than tensors.
_DENIED = {"torch.from_file", "torch.load", "torch.save", ".numpy", ".share_memory_", ".apply_"}
#: What torch exposes but nobody means when porting a layer: back ends, in-place forms.
_INTERNAL = re.compile(
    r"\.(miopen|mkldnn|cudnn|fbgemm|quantized|sym|sparse|is_|get_|has_torch|q_|native|batch_norm_)"
    r"|_copy$|[a-z0-9]_$|seed$|\.(boolean_dispatch|assert_int_or_pair|wait|can_cast|lobpcg)$"
)


@cache
def catalog() -> frozenset[str]:
    """Every target that may be chosen by hand, methods apart."""
    found = {f"nn.{name}" for name, item in vars(nn).items() if _is_module(item)}
    found |= {f"F.{name}" for name, item in vars(F).items() if _is_function(name, item)}
    found |= {f"operator.{name}" for name in _OPERATORS}
    found |= {f"fn.{name}" for name in functions.__all__}
    found |= set(_torch_functions()) | set(_vision_functions())
    own = {target for target in found if target.startswith(("operator.", "fn."))}
    return frozenset(own | {target for target in found - _DENIED if not _INTERNAL.search(target)})


def check_target(target: object) -> str:
    """The target, if it may be chosen; raises `MappingError` with the nearest names if not."""
    if not isinstance(target, str) or not target.strip():
        raise MappingError("a target is a text such as nn.Linear, F.relu, torch.add or .reshape")
    target = target.strip()
    if custom.is_custom(target):
        custom.find(target)
        return target
    if target.startswith("."):
        if (
            _METHOD.match(target)
            and target not in _DENIED
            and callable(getattr(torch.Tensor, target[1:], None))
        ):
            return target
        known: Iterable[str] = _methods()
    elif target in catalog():
        resolve(target)
        return target
    else:
        known = catalog()
    close = _closest(target, known)
    raise MappingError(
        f"'{target}' is not a module or tensor function of torch {torch.__version__}",
        f"Did you mean {' or '.join(close)}?"
        if close
        else "Write it as nn.Linear, F.relu, torch.add, .reshape or operator.add.",
    )


def suggestions(row: Row, others: Iterable[Row] = (), limit: int = 60) -> list[str]:
    """Targets that are plausible for a row, best first.

    The row's own, code of one's own, what rows with the same operator became, what is named like
    the operator, and the other members of the same family of torch modules.
    """
    found: dict[str, None] = {}
    original = getattr(row.edited, "original", row)
    found.update(dict.fromkeys(filter(None, (row.target, original.target))))
    found.update(dict.fromkeys(other.target for other in others if other.ops == row.ops))
    for name in row.ops:
        found.update(dict.fromkeys(_named_like(name.partition(".")[2].rstrip("_"))))
    for target in list(found):
        found.update(dict.fromkeys(_named_like(target.rpartition(".")[2])))
    for target in list(found):
        found.update(dict.fromkeys(_family(target)))
    plausible = [target for target in found if target][:limit]
    return list(dict.fromkeys([*plausible[:1], *reversed(custom.names()), *plausible[1:]]))


def _is_module(item: Any) -> bool:
    """True for modules that compute something from their arguments alone."""
    if not (inspect.isclass(item) and issubclass(item, nn.Module)) or item is nn.Module:
        return False
    home = item.__module__.rpartition(".")[2]
    holds_others = home in ("container", "distributed", "data_parallel")
    return not holds_others and not item.__name__.startswith("Lazy")


def _is_function(name: str, item: Any) -> bool:
    if name.startswith("_") or inspect.isclass(item) or not callable(item):
        return False
    module = getattr(item, "__module__", "") or ""
    return module in ("torch.nn.functional", "torch._jit_internal") or inspect.isbuiltin(item)


def _torch_functions() -> Iterator[str]:
    schemas = torch._C._jit_get_schemas_for_operator
    python = set(torch.functional.__all__)
    for part in _TORCH_PARTS:
        holder = operator.attrgetter(part[:-1])(torch) if part else torch
        for name, item in list(vars(holder).items()):
            if name.startswith("_") or inspect.isclass(item) or not callable(item):
                continue
            compiled = schemas(f"aten::{part.replace('.', '_')}{name}") or schemas(f"aten::{name}")
            if compiled or (not part and name in python):
                yield f"torch.{part}{name}"


def _vision_functions() -> Iterator[str]:
    """Names in torchvision.ops, read from its text: importing it takes two seconds."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return
    text = (Path(found.origin).parent / "ops" / "__init__.py").read_text(encoding="utf-8")
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            yield from (f"ops.{name}" for name in ast.literal_eval(statement.value))


@cache
def _methods() -> tuple[str, ...]:
    return tuple(
        f".{name}"
        for name in dir(torch.Tensor)
        if not name.startswith("_") and callable(getattr(torch.Tensor, name))
    )


@cache
def _plain_names() -> dict[str, tuple[str, ...]]:
    """Targets by their name without case, underscores and dimension."""
    found: dict[str, list[str]] = {}
    for target in sorted(catalog(), key=lambda target: (_order(target), target)):
        found.setdefault(_plain(target.rpartition(".")[2]), []).append(target)
    for target in _methods():
        if target.endswith("_"):
            continue
        found.setdefault(_plain(target[1:]), []).append(target)
    return {name: tuple(targets) for name, targets in found.items()}


def _order(target: str) -> int:
    heads = ("nn.", "F.", "torch.", "operator.", "fn.", "ops.")
    return next((i for i, head in enumerate(heads) if target.startswith(head)), len(heads))


def _plain(name: str) -> str:
    return re.sub(r"[_\W]|[123]d$", "", name.lower())


def _named_like(name: str) -> tuple[str, ...]:
    return _plain_names().get(_plain(name), ())


def _family(target: str) -> list[str]:
    """Modules defined beside this one in torch: all activations, all convolutions."""
    if not target.startswith("nn.") or target not in catalog():
        return []
    home = resolve(target).__module__
    return sorted(
        other
        for other in catalog()
        if other.startswith("nn.") and resolve(other).__module__ == home
    )


def _closest(target: str, known: Iterable[str]) -> list[str]:
    known = list(known)
    close = difflib.get_close_matches(target, known, n=2, cutoff=0.7)
    return close or list(_named_like(target.rpartition(".")[2]))[:2]
