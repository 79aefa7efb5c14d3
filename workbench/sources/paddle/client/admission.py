"""Which saved programs Paddle may get to see: those that compute, and nothing else.

Paddle runs the program as it was saved, operators that no output needs too, and some operators
write files. So the names of all operators are read here, before the Paddle process is asked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.core.errors import ModelFileError, RefusedProgramError
from workbench.core.files import LARGEST_DOCUMENT, belongs, read_bytes
from workbench.sources.paddle.files.pir_json import op_name
from workbench.sources.paddle.files.program_desc import read_names
from workbench.sources.paddle.outside import reaches_out
from workbench.sources.paddle.signatures import operators

#: Names that Paddle's headers do not list and that only arrange values.
_STRUCTURE = frozenset(
    ("builtin.parameter", "builtin.set_parameter", "builtin.shadow_output", "builtin.constant",
     "builtin.combine", "builtin.split", "builtin.slice", "pd_op.data", "pd_op.feed",
     "pd_op.fetch", "pd_op.if", "pd_op.while", "cf.yield", "cf.stack_create", "cf.tuple_push",
     "cf.tuple_pop", "cf.has_elements")
)  # fmt: skip
_GRADIENTS = ("_triple_grad", "_double_grad", "_grad_grad", "_grad")


def admit(program: str | Path) -> None:
    """Let a saved program pass that only computes.

    Raises `RefusedProgramError`, naming the operator and its place, for one that holds an operator
    of files, of other processes or of foreign code anywhere, or one that is not known at all;
    `ModelFileError` when it cannot be read.
    """
    path = Path(program)
    stamp = path.stat() if path.exists() else None
    _admit(str(path), stamp and (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))


@lru_cache(maxsize=64)
def _admit(path: str, _stamp: tuple[int, ...] | None) -> None:
    """Errors are not kept, so only what has passed is remembered."""
    if path.endswith(".json"):
        _admit_program(Path(path))
    else:
        _admit_legacy(Path(path))


def _admit_program(path: Path) -> None:
    try:
        document = json.loads(_content(path).decode("utf-8"), object_pairs_hook=_unique)
        blocks = [block for region in document["program"]["regions"] for block in region["blocks"]]
        for name, place in (found for block in blocks for found in _walk(block, "")):
            if not known(name):
                raise _refusal(path, name, f"operator {place}")
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{path} is no program that Paddle could run ({type(error).__name__}: {error}).",
            "Copy or export the file again.",
        ) from error


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path, LARGEST_DOCUMENT)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error


def known(name: str) -> bool:
    """True for an operator of Paddle's own that only computes, by its full name."""
    plain = name.removesuffix("_")
    for ending in _GRADIENTS:
        plain = plain.removesuffix(ending)
    if reaches_out(plain.partition(".")[2]):
        return False
    table = operators()
    return name in _STRUCTURE or any(one in table for one in (name, plain, f"{plain}_"))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; with a key that stands twice, Paddle might read the other one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _walk(block: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Name and place of every operator, those inside blocks too."""
    for position, op in enumerate(block["ops"]):
        yield op_name(op["#"]), f"{prefix}{position}"
        for number, region in enumerate(op.get("regions", ())):
            for inner in region["blocks"]:
                yield from _walk(inner, f"{prefix}{position}.{number}.")


def _admit_legacy(path: Path) -> None:
    try:
        names = read_names(_content(path))
    except ValueError as error:
        raise ModelFileError(
            f"{path} could not be translated: it is damaged, or no Paddle 2 program ({error}).",
            "Copy or download the file again.",
        ) from error
    for block, place, name in names.operators:
        if reaches_out(name):
            raise _refusal(path, name, f"block {block}, operator {place}")
    if path.name == "__model__":
        _check_parameter_files(path.parent, names.variables)


def _check_parameter_files(folder: Path, names: frozenset[str]) -> None:
    """Paddle 1 reads each parameter from a file of its name."""
    for name in sorted(names):
        parts = PurePosixPath(name).parts
        file = folder / name
        if name.startswith("/") or ".." in parts or "\0" in name:
            raise ModelFileError(
                f"{folder} names a parameter {name!r}, which is a path out of the folder.",
                "Do not use this model: parameters have plain names.",
            )
        if os.path.lexists(file) and not file.is_dir() and not belongs(file, folder):
            raise ModelFileError(
                f"{file} is no regular file of the model's folder.",
                "Copy the parameters themselves into the folder.",
            )


def _refusal(path: Path, name: str, place: str) -> RefusedProgramError:
    short = name.partition(".")[2] or name
    does = (
        "it reaches out of the program: to files, other processes or foreign code"
        if reaches_out(short)
        else "it is no operator that this workbench knows, so it may do anything"
    )
    return RefusedProgramError(
        f"{path} holds {name} ({place}). Paddle is not started on it: {does}.",
        "Paddle runs every operator of a program, even where nothing needs the result. Export the "
        "model for inference without it, if you trust its source; converting does not need Paddle.",
    )
