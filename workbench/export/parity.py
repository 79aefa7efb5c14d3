"""The test that travels with a bundle."""

PARITY_TEST = '''"""Compare this model with what Paddle computed; needs torch, numpy and safetensors only.

Run: python test_parity.py   (or: pytest test_parity.py)
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from model import load  # noqa: E402


def tensor(array, dtype):
    value = torch.from_numpy(np.array(array))
    return value.view(torch.bfloat16) if dtype == "bfloat16" else value


def compare(run):
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    tolerances = list(manifest["verification"]["tolerances"][run].values())
    inputs = np.load(HERE / "parity" / f"inputs_{run}.npz")
    expected = np.load(HERE / "parity" / f"outputs_{run}.npz")
    with torch.no_grad():
        outputs = load()(
            *(tensor(inputs[f"in_{i}"], told["dtype"]) for i, told in enumerate(manifest["inputs"]))
        )
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for number, (output, told) in enumerate(zip(outputs, manifest["outputs"], strict=True)):
        if f"out_{number}" not in expected.files:
            continue
        reference = tensor(expected[f"out_{number}"], told["dtype"])
        assert output.shape == reference.shape, (told["name"], output.shape, reference.shape)
        assert output.dtype == reference.dtype, (told["name"], output.dtype, reference.dtype)
        if output.numel() == 0:
            continue
        error = (output.double() - reference.double()).abs().nan_to_num().max().item()
        # another processor may round in another order, so twice the recorded tolerance is allowed
        assert error <= 2 * tolerances[number], (told["name"], error, tolerances[number])
        print(f"run {run}, {told['name']}: largest difference {error:.3g}")


def test_parity():
    runs = len(list((HERE / "parity").glob("inputs_*.npz")))
    assert runs > 0
    for run in range(runs):
        compare(run)


if __name__ == "__main__":
    test_parity()
    print("parity holds")
'''
