"""The example that a bundle's README shows; it is run before the bundle is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.checks.values.inputs import sample_inputs
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.export.manifest import dimensions
from workbench.targets.pytorch.codegen.expressions import literal
from workbench.targets.pytorch.codegen.text import comment, variable
from workbench.targets.pytorch.resolve import torch_dtype

#: Recorded inputs of the verification, in a bundle.
RECORDED = "parity/inputs_0.npz"
_TAKEN = ("np", "arrays", "model", "output", "outputs", "load")


def example(program: Program, folder: Path) -> str:
    """Python that loads the model of a bundle and runs it, on recorded inputs where there are any.

    It is meant to be run in the bundle's folder.
    """
    recorded = (folder / RECORDED).is_file()
    names = _variables(program.inputs)
    given = _recorded(program.inputs, names) if recorded else _made(program, names)
    several = len(program.outputs) != 1
    found = "outputs" if several else "output"
    shown = "print(output.shape, output.dtype)"
    lines = [
        *(["import numpy as np"] if recorded else []),
        "import torch",
        "",
        "from model import load",
        "",
        "model = load()",
        *given,
        "with torch.no_grad():",
        f"    {found} = model({', '.join(names)})",
        *([f"for output in {found}:", f"    {shown}"] if several else [shown]),
    ]
    return "\n".join(lines)


def _variables(values: Sequence[Value]) -> list[str]:
    names: list[str] = []
    for value in values:
        names.append(variable(value.label, (*_TAKEN, *names)))
    return names


def _recorded(values: Sequence[Value], names: Sequence[str]) -> list[str]:
    lines = [f'arrays = np.load("{RECORDED}")  # inputs of the verification']
    for number, (value, name) in enumerate(zip(values, names, strict=True)):
        view = ".view(torch.bfloat16)" if value.dtype == "bfloat16" else ""
        lines.append(f'{name} = torch.from_numpy(arrays["in_{number}"]){view}{_told(value)}')
    return lines


def _made(program: Program, names: Sequence[str]) -> list[str]:
    arrays = sample_inputs(program, 0)
    return [
        f"{name} = torch.ones({literal(array.shape)}, dtype={torch_dtype(value.dtype)})"
        f"{_told(value)}"
        for value, name, array in zip(program.inputs, names, arrays, strict=True)
    ]


def _told(value: Value) -> str:
    return f"  {comment(f'{value.dtype}[' + ', '.join(map(str, dimensions(value))) + ']')}"
