"""Rewrites that a person may choose: rows that compute the same as one faster call of torch.

A conversion follows the program, so that every layer can be compared. Where several rows together
are one function of torch, that function is offered; choosing it gives one row in their place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.core.arguments import values_of
from workbench.core.calls import Call
from workbench.core.dtypes import is_float
from workbench.core.errors import MappingError
from workbench.core.mapping import Mapping, Row
from workbench.core.program import Op
from workbench.core.values import Value


def offers(mapping: Mapping) -> dict[str, int]:
    """The rewrites that fit the mapping, each with the number of places where it does."""
    found = {name: rewrite(mapping)[1] for name, rewrite in REWRITES.items()}
    return {name: count for name, count in found.items() if count}


def rewritten(mapping: Mapping, name: str) -> Mapping:
    """The mapping with a rewrite applied wherever it fits.

    Raises `MappingError` for an unknown name, or where it fits nowhere.
    """
    if name not in REWRITES:
        raise MappingError(f"There is no rewrite '{name}'.", f"Choose from {', '.join(REWRITES)}.")
    made, count = REWRITES[name](mapping)
    if not count:
        raise MappingError(f"'{name}' fits nowhere in this model.", "m.offers tells what fits.")
    return made


# --- attention --------------------------------------------------------------------------------

#: A softmax that an infinite mask may reach; see `rules.infinite`.
SHARING = "fn.softmax"


@dataclass
class _Attention:
    """What is known of one attention while its rows are followed backwards."""

    rows: list[Row]
    query: Any = None
    key: Any = None
    masks: list[Value] = field(default_factory=list)
    scale: float = 1.0
    dropout: float = 0.0


def attention(mapping: Mapping) -> tuple[Mapping, int]:
    """`softmax(q @ k.T * scale + mask) @ v` as `F.scaled_dot_product_attention`, and how often."""
    taken = {row.path for row in mapping.walk()}
    rows, count = _rewritten_rows(mapping.rows, set(mapping.program.outputs), taken)
    return replace(mapping, rows=rows), count


def _rewritten_rows(
    rows: tuple[Row, ...], needed: set[Any], taken: set[str]
) -> tuple[tuple[Row, ...], int]:
    finder = _Finder(rows, needed)
    gone: set[int] = set()
    new: dict[int, Row] = {}
    count = 0
    for row in rows:
        found = finder.match(row)
        if found is not None and gone.isdisjoint(id(old) for old in found.rows):
            new[id(row)] = _row(row, found, taken)
            gone |= {id(old) for old in found.rows}
            count += 1
        elif row.blocks:
            blocks = []
            for block in row.blocks:
                inner, more = _rewritten_rows(block.rows, set(block.results), taken)
                blocks.append(replace(block, rows=inner))
                count += more
            new[id(row)] = replace(row, blocks=tuple(blocks))
    kept = (new.get(id(row), row) for row in rows if id(row) not in gone or id(row) in new)
    return tuple(kept), count


class _Finder:
    """Follows values back to the rows that make them."""

    def __init__(self, rows: tuple[Row, ...], needed: set[Any]) -> None:
        self.makers = {value: row for row in rows for value in row.values}
        self.uses = Counter(value for row in rows for value in row.reads)
        self.uses.update(value for value in needed if isinstance(value, Value))

    def match(self, row: Row) -> _Attention | None:
        """The attention that ends in this row."""
        weights, value = _matmul(row)
        if weights is None or not isinstance(value, Value):
            return None
        found = _Attention([row])
        softmax = self._before(weights, found)
        if softmax is not None and softmax.target == "nn.Dropout":
            found.dropout = float(softmax.arguments.get("p", 0.5))
            softmax = self._before(_first(softmax), found)
        if softmax is None or not _is_softmax(softmax):
            return None
        if not self._scores(_first(softmax), found):
            return None
        return found if _fits(found, value) else None

    def _before(self, value: Any, found: _Attention) -> Row | None:
        """The row that makes a value which nothing else reads."""
        row = self.makers.get(value) if isinstance(value, Value) else None
        if row is None or self.uses[value] != 1 or len(row.values) != 1 or row.is_parameter:
            return None
        found.rows.append(row)
        return row

    def _scores(self, value: Any, found: _Attention) -> bool:
        """Follow masks, then the scale, then the product of queries and keys."""
        row = self._before(value, found)
        if row is None or not isinstance(row.call, Call):
            return False
        target, args = row.call.target, row.call.args
        if target == "operator.add" and found.scale == 1:
            return self._masked(args, found)
        if target in ("operator.mul", "operator.truediv") and isinstance(args[1], (int, float)):
            found.scale *= args[1] if target == "operator.mul" else 1 / args[1]
            return self._scores(args[0], found)
        query, key = _matmul(row)
        if query is None:
            return False
        found.query, found.key = self._unscaled(query, found), _untransposed(key)
        return True

    def _masked(self, args: tuple[Any, ...], found: _Attention) -> bool:
        for scores, mask in (args, args[::-1]):
            tried = replace(found, rows=list(found.rows), masks=[mask, *found.masks])
            if isinstance(mask, Value) and self._scores(scores, tried):
                found.__dict__.update(tried.__dict__)
                return True
        return False

    def _unscaled(self, query: Value, found: _Attention) -> Value:
        """The queries before a number was multiplied to them."""
        row = self.makers.get(query)
        call = row.call if row is not None else None
        if not isinstance(call, Call) or call.target not in ("operator.mul", "operator.truediv"):
            return query
        if not isinstance(call.args[1], (int, float)) or not isinstance(call.args[0], Value):
            return query
        if self._before(query, found) is None:
            return query
        found.scale *= call.args[1] if call.target == "operator.mul" else 1 / call.args[1]
        return call.args[0]


def _matmul(row: Row) -> tuple[Any, Any]:
    """Left and right side of a plain matrix product, else None twice."""
    call = row.call
    if not isinstance(call, Call) or call.target != "torch.matmul":
        return None, None
    left, right = call.args
    return (left, right) if isinstance(left, Value) else (None, None)


def _untransposed(key: Any) -> Any:
    """Keys as (…, sequence, size)."""
    if isinstance(key, Call) and key.target == ".transpose" and key.args[1:] == (-1, -2):
        return key.args[0]
    return Call(".transpose", (key, -1, -2))


def _first(row: Row) -> Any:
    """What a function or layer of one tensor reads."""
    return row.call.args[0] if row.call is not None else None


def _is_softmax(row: Row) -> bool:
    if row.target not in ("nn.Softmax", "F.softmax", SHARING):
        return False
    source = _first(row)
    rank = len(source.shape) if isinstance(source, Value) else 0
    return row.arguments.get("dim") in (-1, rank - 1) and "dtype" not in row.arguments


def _fits(found: _Attention, value: Value) -> bool:
    """Shapes and dtypes for which torch's function computes the same."""
    key = found.key if isinstance(found.key, Value) else found.key.args[0]
    query = found.query
    if not isinstance(query, Value) or not isinstance(key, Value):
        return False
    ranks = {len(tensor.shape) for tensor in (query, key, value)}
    leading = {tensor.shape[:-2] for tensor in (query, key, value)}
    dtypes = {tensor.dtype for tensor in (query, key, value, *found.masks)}
    return (
        len(ranks) == len(leading) == len(dtypes) == 1
        and ranks <= {3, 4}
        and is_float(query.dtype)
        and all(len(mask.shape) <= len(query.shape) for mask in found.masks)
        and found.scale > 0
    )


def _row(last: Row, found: _Attention, taken: set[str]) -> Row:
    (output,) = last.values
    options: dict[str, Any] = {}
    if found.masks:
        mask: Any = found.masks[0]
        for more in found.masks[1:]:
            mask = Call("operator.add", (mask, more))
        options["attn_mask"] = mask
    size = found.query.shape[-1]
    if size <= 0 or abs(found.scale * size**0.5 - 1) > 1e-6:
        options["scale"] = found.scale
    _, value = _matmul(last)
    call = Call("F.scaled_dot_product_attention", (found.query, found.key, value), options)
    rows = found.rows[::-1]
    ops = [row.op for row in rows if row.op is not None]
    words = ", ".join(op.short_name for op in ops)
    notes = [f"attention written out in Paddle: {words}"]
    if found.dropout:
        notes.append(f"its dropout of {found.dropout:g} in training is left out")
    if any(row.target == SHARING for row in rows):
        notes.append(
            "of a row that a mask makes −inf throughout it gives zeros, Paddle equal shares"
        )
    inputs = {f"input_{number}": one for number, one in enumerate(dict.fromkeys(values_of(call)))}
    op = Op(
        "workbench.attention", inputs, {"out": output}, {}, ops[0].index, ops[-1].scope,
        merged=tuple(inner for op in ops for inner in (op.merged or (op,))),
    )  # fmt: skip
    return Row(
        _path(last, taken), op, call, last.outputs, "adjusted", tuple(notes),
        "workbench/editing/rewriting.py", attention.__doc__ or "",
    )  # fmt: skip


def _path(last: Row, taken: set[str]) -> str:
    holder = last.path.rpartition(".")[0]
    number, path = 0, f"{holder}.attention" if holder else "attention"
    wanted = path
    while path in taken:
        number += 1
        path = f"{wanted}_{number}"
    taken.add(path)
    return path


#: By the name that a person gives; each returns the new mapping and the number of places.
REWRITES: dict[str, Callable[[Mapping], tuple[Mapping, int]]] = {
    "scaled_dot_product_attention": attention,
}
