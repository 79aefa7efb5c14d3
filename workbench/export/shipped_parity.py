"""Compare this model with what Paddle computed; needs torch, numpy and safetensors only.

Run: python test_parity.py   (or: pytest test_parity.py)
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
if __name__ == "__main__" and len(sys.argv) > 2:  # the workbench checks a bundle elsewhere
    HERE = Path(sys.argv[1])
    sys.path.append(sys.argv[2])
    sys.modules["workbench"] = sys.modules["paddle"] = None  # type: ignore[assignment]

import numpy as np
import torch

#: Another processor may round in another order, so twice the recorded tolerance is allowed.
ROOM = 2


def test_parity() -> None:
    """Raise AssertionError, naming the output, where the model differs from Paddle."""
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    verification = manifest["verification"]
    assert verification is not None, "the model was not compared with Paddle when it was exported"
    assert verification["outputs"], "the bundle holds no values of Paddle"
    model = imported().load()
    for number, told in enumerate(verification["outputs"]):
        check_run(model, manifest, number, told)


def check_run(model: Any, manifest: dict[str, Any], number: int, told: list[Any]) -> None:
    """One set of inputs; `told` has the verdict and the tolerance of each output."""
    inputs = np.load(HERE / "parity" / f"inputs_{number}.npz")
    expected = np.load(HERE / "parity" / f"outputs_{number}.npz")
    values = enumerate(manifest["inputs"])
    given = [as_tensor(inputs[f"in_{i}"], value["dtype"]) for i, value in values]
    with torch.no_grad():
        outputs = model(*given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    count = len(manifest["outputs"])
    assert len(outputs) == count, f"run {number}: {len(outputs)} outputs, Paddle has {count}"
    for i, (output, value) in enumerate(zip(outputs, manifest["outputs"], strict=True)):
        where = f"run {number}, output {i} ({value['name']!r})"
        if f"out_{i}" in expected.files:
            reference = as_tensor(expected[f"out_{i}"], value["dtype"])
            print(f"{where}: {compare(output, reference, told[i], where)}")
        else:
            print(f"{where}: not compared, Paddle's value was not recorded")


def compare(output: Any, reference: Any, told: dict[str, Any], where: str) -> str:
    """What was found, in words; raises AssertionError where it is more than rounding.

    Shape, dtype, and the places of NaN and infinities are equal; integers are, too.
    """
    shapes = list(output.shape), list(reference.shape)
    assert shapes[0] == shapes[1], f"{where}: shape {shapes[0]}, Paddle has {shapes[1]}"
    assert output.dtype == reference.dtype, (
        f"{where}: dtype {output.dtype}, Paddle has {reference.dtype}"
    )
    if told["verdict"] == "unchecked":
        return "shape and dtype agree; its numbers were not judged by the verification"
    ours, theirs = plain(output), plain(reference)
    for name, test in (("NaN", torch.isnan), ("+inf", torch.isposinf), ("-inf", torch.isneginf)):
        apart = int((test(ours) != test(theirs)).sum())
        assert not apart, f"{where}: {name} in other places than Paddle's, {apart} of them"
    finite = torch.isfinite(ours)
    whole = not (reference.is_floating_point() or reference.is_complex())
    same = torch.equal(output, reference) if whole else False
    error = float((ours - theirs)[finite].abs().max()) if finite.any() else 0.0
    allowed = ROOM * told["tolerance"]
    assert same or (error <= allowed and (not whole or allowed > 0)), (
        f"{where}: largest difference {error:.3g}, {allowed:.3g} is allowed"
    )
    return f"largest difference {error:.3g}"


def plain(tensor: Any) -> Any:
    """Real numbers in float64."""
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).double()


def as_tensor(array: Any, dtype: str) -> Any:
    """A stored array as a tensor: bfloat16 is stored as its bits."""
    value = torch.from_numpy(np.array(array))
    return value.view(torch.bfloat16) if dtype == "bfloat16" else value


def imported() -> ModuleType:
    """`model.py` of the bundle."""
    spec = importlib.util.spec_from_file_location("model", HERE / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    try:
        test_parity()
    except AssertionError as difference:
        print(difference, file=sys.stderr)
        sys.exit(1)
    print("parity holds")
