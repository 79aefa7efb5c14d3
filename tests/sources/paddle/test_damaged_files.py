"""Damaged model files: whatever is wrong, the answer is one of our errors or a whole model."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench as wb

WRONG: list[Any] = [None, "x", 0, -1, 1.5, [], {}, True, 10**15, [[]], "NaN"]


@pytest.fixture
def model(data: Path, tmp_path: Path) -> Path:
    """A copy of a sample that a test may damage."""
    return Path(shutil.copytree(data / "digits_classifier", tmp_path / "model"))


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a node of a JSON document."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in items:
        yield node, key
        if isinstance(child, (dict, list)):
            yield from places(child)


def converts(model: Path) -> bool:
    """False for one of our errors; any other fails the test."""
    try:
        wb.load(model).convert()
    except wb.WorkbenchError:
        return False
    return True


def _delete(chance: random.Random, holder: Any, key: Any) -> None:
    del holder[key]


def _retype(chance: random.Random, holder: Any, key: Any) -> None:
    holder[key] = chance.choice(WRONG)


def _shift(chance: random.Random, holder: Any, key: Any) -> None:
    old = holder[key]
    holder[key] = old + chance.choice([-1, 1, 1000, 2**62]) if isinstance(old, int) else [old]


def _repeat(chance: random.Random, holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))


@pytest.mark.parametrize("damage", [_delete, _retype, _shift, _repeat])
def test_damaged_program(damage: Callable[..., None], model: Path) -> None:
    path = model / "inference.json"
    text = path.read_text()
    chance = random.Random(7)
    refused = 0
    for _ in range(25):
        document = json.loads(text)
        damage(chance, *chance.choice(list(places(document))))
        path.write_text(json.dumps(document))
        refused += not converts(model)
    assert refused, "none of the damages was noticed"


@pytest.mark.parametrize("name", ["inference.json", "inference.pdiparams"])
def test_flipped_bytes(name: str, model: Path) -> None:
    path = model / name
    content = path.read_bytes()
    chance = random.Random(3)
    for _ in range(25):
        damaged = bytearray(content)
        start = chance.randrange(len(damaged) - 8)
        damaged[start : start + 8] = chance.randbytes(8)
        path.write_bytes(damaged)
        converts(model)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model.pdmodel", "could not be translated"),
        ("model.pdiparams", "truncated|no valid header"),
    ],
)
def test_truncated_legacy_model(name: str, told: str, data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data / "legacy_classifier", tmp_path / "model"))
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(wb.WorkbenchError, match=told):
        wb.load(folder)
