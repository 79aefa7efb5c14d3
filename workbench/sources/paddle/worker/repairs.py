"""What Paddle's translation of a Paddle 2 program leaves out or changes, put right in the JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TO_THE_START = -(2**31)
#: Results, by number, that ops keep for their gradients. The translation gives them no type, and
#: Paddle crashes when it differentiates.
_KEPT = {"1.dropout": (1,), "1.batch_norm_": (5,)}


def repair(document: dict[str, Any]) -> None:
    """Change a translated program in place."""
    (outer,) = document["program"]["regions"][0]["blocks"]
    _order_feeds(outer["ops"])
    ops = list(walk_ops(document["program"]["regions"]))
    for op in ops:
        if op["#"] == "p":  # parameters are stored and trainable, which loading needs to know
            op["A"][2] = 1
            op["OA"] = [1, 0, 1]
        for number in _KEPT.get(op["#"], ()):
            if op["O"][number]["TT"]["#"] == "NULL":
                op["O"][number]["TT"] = _bytes_like(op["O"][0]["TT"])
    _open_reversed_slices(ops)
    _name_lookup_shapes(ops)
    _stack_scalars(ops)
    _forget_states(document["program"]["regions"])


def _bytes_like(kind: dict[str, Any]) -> dict[str, Any]:
    """The type of a tensor as one of bytes."""
    _, *rest = kind["D"]
    return {"#": kind["#"], "D": [{"#": "0.t_ui8"}, *rest]}


def walk_ops(regions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every op of a saved program's regions, those inside blocks too."""
    for region in regions:
        for block in region["blocks"]:
            for op in block["ops"]:
                yield op
                yield from walk_ops(op.get("regions", []))


def _order_feeds(ops: list[dict[str, Any]]) -> None:
    """Paddle 2 numbers its feeds and writes them in any order, Paddle 3 counts them."""
    places = [place for place, op in enumerate(ops) if op["#"] == "1.feed"]
    feeds = sorted((ops[place] for place in places), key=_column)
    for place, feed in zip(places, feeds, strict=True):
        ops[place] = feed


def _column(feed: dict[str, Any]) -> int:
    found = (item["AT"]["D"] for item in feed.get("A", ()) if item["N"] == "col")
    return int(next(found, 0))


def _open_reversed_slices(ops: list[dict[str, Any]]) -> None:
    """`x[::-1]`: Paddle 2 writes the end -1 and means "to the start", Paddle 3 reads "nothing"."""
    constants = {op["O"][0]["%"]: op for op in ops if op["#"] == "1.full_int_array"}
    for op in ops:
        if op["#"] != "1.strided_slice":
            continue
        ends, steps = (constants.get(operand["%"]) for operand in op["I"][2:4])
        if ends is None or steps is None:
            continue
        for end, step in zip(_elements(ends), _elements(steps), strict=True):
            if end["D"] == -1 and step["D"] < 0:
                end["D"] = _TO_THE_START


def _name_lookup_shapes(ops: list[dict[str, Any]]) -> None:
    """Paddle 1's `lookup_table` drops the last dimension of its ids, which is 1.

    It becomes `embedding` and `squeeze`, but the shape of the whole stands at the first of them.
    """
    types = {result["%"]: result["TT"] for op in ops for result in _results(op) if "TT" in result}
    readers = {operand["%"]: op for op in ops if op["#"] == "1.squeeze" for operand in op["I"][:1]}
    for op in ops:
        if op["#"] != "1.embedding":
            continue
        ids, table = (types[operand["%"]]["D"][1] for operand in op["I"])
        (result,) = _results(op)
        squeeze = readers.get(result["%"])
        if squeeze is not None and len(result["TT"]["D"][1]) == len(ids):
            _results(squeeze)[0]["TT"]["D"][1] = result["TT"]["D"][1]
            result["TT"]["D"][1] = [*ids, table[-1]]


def _stack_scalars(ops: list[dict[str, Any]]) -> None:
    """A shape put together of numbers: what takes all dimensions away is declared [1], runs as [].

    Paddle 2 made one element of both; Paddle 3 stacks no [] beside the [1] of a constant.
    """
    makers = {result["%"]: (op, result) for op in ops for result in _results(op)}
    for op in ops:
        lists = [makers.get(operand["%"]) for operand in op["I"]] if op["#"] == "1.stack" else []
        if len(lists) != 1 or lists[0] is None or lists[0][0]["#"] != "0.combine":
            continue
        combined, listed = lists[0]
        parts = [makers[operand["%"]] for operand in combined["I"] if operand["%"] in makers]
        if len(parts) < len(combined["I"]) or not any(
            _is_scalar(maker, makers) for maker, _ in parts
        ):
            continue
        for (maker, result), element in zip(parts, listed["TT"]["D"], strict=True):
            result["TT"]["D"][1] = element["D"][1] = []
            for attribute in maker.get("A", ()) if maker["#"] == "1.full" else ():
                if attribute["N"] == "shape":
                    attribute["AT"]["D"] = []
        _results(op)[0]["TT"]["D"][1] = [len(parts)]


def _is_scalar(op: dict[str, Any], makers: dict[int, Any]) -> bool:
    """True for a slice that takes all dimensions away."""
    if op["#"] != "1.slice":
        return False
    gone = next(item["AT"]["D"] for item in op["A"] if item["N"] == "decrease_axis")
    read = makers.get(op["I"][0]["%"])
    return read is not None and 0 < len(gone) == len(read[1]["TT"]["D"][1])


def _forget_states(regions: list[dict[str, Any]]) -> None:
    """Where Paddle 2 stores a state for the next run, Paddle 3 looks for a variable in vain."""
    for region in regions:
        for block in region["blocks"]:
            block["ops"] = [op for op in block["ops"] if op["#"] != "0.set_parameter"]
            for op in block["ops"]:
                _forget_states(op.get("regions", []))


def _results(op: dict[str, Any]) -> list[dict[str, Any]]:
    results = op.get("O", [])
    return [results] if isinstance(results, dict) else results


def _elements(constant: dict[str, Any]) -> list[dict[str, Any]]:
    (value,) = (item["AT"]["D"] for item in constant["A"] if item["N"] == "value")
    return list(value)
