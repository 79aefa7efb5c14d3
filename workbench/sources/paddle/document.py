"""A saved program as the JSON document of its file: reading it and small changes to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_TRAINING = {"is_test": False, "use_global_stats": False, "trainable_statistics": False}


def read_document(path: Path) -> dict[str, Any]:
    """The content of an `inference.json`."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def in_training(document: dict[str, Any], positions: Sequence[int]) -> None:
    """Switch the batch norms at these positions of the outermost block to training, in place."""
    (outer,) = document["program"]["regions"][0]["blocks"]
    for position in positions:
        for attribute in outer["ops"][position]["A"]:
            if attribute["N"] in _TRAINING:
                attribute["AT"]["D"] = _TRAINING[attribute["N"]]


def indexed(records: list[dict[str, Any]], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Every record of a saved program by the index of its op."""
    for position, record in enumerate(records):
        index = f"{prefix}{position}"
        yield index, record
        for number, region in enumerate(record.get("regions", ())):
            for block in region["blocks"]:
                yield from indexed(block["ops"], f"{index}.{number}.")


def takers(records: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """The ops that take elements out of a list, by the list's number."""
    found: dict[int, list[dict[str, Any]]] = {}
    for record in records:
        if record["#"] in ("0.split", "0.slice"):
            found.setdefault(record["I"][0]["%"], []).append(record)
    return found


def results(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What an op makes; some files hold one result without a list."""
    made = record.get("O", [])
    return [made] if isinstance(made, dict) else list(made)


def attribute(name: str, kind: str, data: Any) -> dict[str, Any]:
    """One attribute of an op."""
    return {"AT": {"#": kind, "D": data}, "N": name}


def stopped(count: int) -> list[dict[str, Any]]:
    """That no gradient passes through the results of an op."""
    flags = [{"#": "0.a_bool", "D": True}] * count
    return [{"AT": {"#": "0.a_array", "D": flags}, "N": "stop_gradient"}]
