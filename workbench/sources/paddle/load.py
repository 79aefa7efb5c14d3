"""Any model that a person may give → Program."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.core.errors import ModelFileError, PaddleProcessError
from workbench.core.files import belongs
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.sources.interface import Loaded, ModelFiles
from workbench.sources.paddle.client.live import export_layer, is_layer
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.files.folder import find_model
from workbench.sources.paddle.files.pdiparams import bind_parameters, check_tensors
from workbench.sources.paddle.files.pdparams import read_pdparams
from workbench.sources.paddle.files.pir_json import read_program


def load_program(
    model: Any, input_spec: Sequence[Any] | None = None, names: str | Path | None = None
) -> Loaded:
    """Read a folder, a file, a prefix, or a live `paddle.nn.Layer`.

    `names` is a `.pdparams` file whose attribute paths name the layers of an exported program; one
    that lies beside the model is found without it.
    """
    if is_layer(model):
        return _from_layer(model, input_spec)
    if not isinstance(model, (str, Path)):
        raise ModelFileError(
            f"wb.load takes a path or a paddle.nn.Layer, not a {type(model).__name__}."
        )
    files = find_model(model)
    if files.legacy:
        return _from_legacy(files)
    program = bind_parameters(read_program(files.program), files.params)
    return Loaded(_with_names(program, files, names), str(files.program), files)


def _from_layer(layer: Any, input_spec: Sequence[Any] | None) -> Loaded:
    temporary = tempfile.TemporaryDirectory(prefix="workbench-")
    folder = Path(temporary.name)
    names = export_layer(layer, input_spec, folder)
    files = find_model(folder)
    program = bind_parameters(read_program(files.program), files.params)
    program = replace(_as_returned(program), structured_names=names)
    return Loaded(program, f"live {type(layer).__name__}", files, temporary)


def _as_returned(program: Program) -> Program:
    """The program with the outputs of the layer.

    Where a layer returns `x + 1` of its input x, `paddle.jit.save` of Paddle 3.3 fetches x itself
    and leaves the sum unread. Raises `ModelFileError` when the layer returns x too, so that it
    cannot be told which output is which.
    """
    read = {value for op in program.walk() for value in op.operands} | set(program.outputs)
    lost: dict[Value, list[Value]] = {}
    for op in program.ops:
        x, out = op.inputs.get("x"), op.outputs.get("out")
        if op.name == "pd_op.scale" and x in program.inputs and out is not None and out not in read:
            lost.setdefault(x, []).append(out)  # type: ignore[arg-type]
    results = list(program.outputs)
    for value, made in lost.items():
        places = [place for place, result in enumerate(results) if result == value]
        if places and len(places) != len(made):
            raise ModelFileError(
                f"Paddle loses an output in the export: the input {value.name} plus a number.",
                f"Return paddle.assign(...) of it, or do not return {value.name} itself.",
            )
        for place, result in zip(places, made, strict=False):
            results[place] = result
    if tuple(results) == program.outputs:
        return program
    changed = program.with_block(replace(program.block, results=tuple(results)))
    return replace(changed, fetched=tuple(value.id for value in results), own_outputs=True)


def _from_legacy(files: ModelFiles) -> Loaded:
    """Translate a Paddle 2 program with Paddle itself, in a process of its own."""
    from workbench.sources.paddle.client.environment import LEGACY

    _check_legacy(files)
    temporary = tempfile.TemporaryDirectory(prefix="workbench-")
    with PaddleProcess("workbench.sources.paddle.worker.legacy", LEGACY) as process:
        try:
            process.ask(
                "translate",
                program=str(files.program),
                params=str(files.params),
                target=temporary.name,
            )
        except PaddleProcessError as error:
            raise _untranslated(files, error) from error
    folder = Path(temporary.name)
    program = read_program(folder / "inference.json")
    program = bind_parameters(program, folder / "inference.pdiparams")
    return Loaded(program, str(files.program), files, temporary)


def _untranslated(files: ModelFiles, error: PaddleProcessError) -> ModelFileError:
    """What a person can do about a program that Paddle did not translate."""
    if "Failed to parse program_desc" in error.message:
        return ModelFileError(
            f"{files.program} could not be translated: it is damaged, or no Paddle 2 program.",
            "Copy or download the file again.",
        )
    old = re.search(r"Op (\w+) should have corresponding OpInfo", error.message)
    if old is not None:
        return ModelFileError(
            f"{files.program} holds the operator {old[1]} of an older Paddle, which Paddle 3 "
            "cannot translate.",
            f"Export the model again with a Paddle that no longer writes {old[1]}.",
        )
    unknown = re.search(r"Operator \(?(\w+)\)? is not registered", error.message)
    if unknown is not None:
        return ModelFileError(
            f"{files.program} holds the operator {unknown[1]}, which Paddle does not know: "
            "a custom operator, or one of a training program.",
            "Export the model for inference with paddle.jit.save; for a custom operator, "
            "put Paddle's own layers in its place first.",
        )
    return ModelFileError(
        f"{files.program} could not be translated from Paddle 2's format. {error.message}",
        error.hint
        or "Check that .pdmodel and .pdiparams belong together and are complete; or export "
        "the model again with Paddle 3.",
    )


def _check_legacy(files: ModelFiles) -> None:
    if files.program.stat().st_size == 0:
        raise ModelFileError(f"{files.program} is empty.", "Copy or download the file again.")
    if files.params.exists():  # a pipe, too, for which Paddle would wait
        check_tensors(files.params)


def _with_names(program: Program, files: ModelFiles, names: str | Path | None) -> Program:
    if names is None:
        beside = [files.program.with_suffix(".pdparams"), *files.program.parent.glob("*.pdparams")]
        found = [path for path in beside if belongs(path, files.program.parent)]
        if not found:
            return program
        try:
            _, table = read_pdparams(found[0])
        except ModelFileError:
            return program
    else:
        _, table = read_pdparams(names)
    known = {name: path for name, path in table.items() if name in program.parameters}
    if names is not None and not known:
        raise ModelFileError(
            f"{names} names none of the parameters of {files.program}.",
            "It belongs to another model, or was saved without the table of names.",
        )
    return replace(program, structured_names=known)
