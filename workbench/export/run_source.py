"""Runs in a process of its own, with torch only: import a bundle's `model.py`, load, and compute.

    python -P run_source.py BUNDLE REQUEST ANSWER FOLDER_OF_TORCH

REQUEST holds the inputs of each run, ANSWER gets the outputs, the tensors of the model as digests,
and the settings of its layers. Imports nothing of the workbench: see `trial.py` for the other side.
"""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

if __name__ == "__main__":
    sys.path.append(sys.argv[-1])

import torch


def main(bundle: Path, request: Path, answer: Path) -> None:
    """Answer one request."""
    asked = torch.load(request, weights_only=True)
    torch.set_num_threads(asked["threads"])
    torch.set_float32_matmul_precision(asked["precision"])
    model = _imported(bundle).load()
    outputs = []
    for seed, inputs in enumerate(asked["runs"]):
        outputs.append(run(model, inputs, seed))
    told = {"state": state_of(model), "settings": settings_of(model), "outputs": outputs}
    del model
    told["example"] = _failure(bundle, asked["example"])
    torch.save(told, answer)


def _failure(bundle: Path, example: str) -> str:
    """Run what the README shows, in the bundle's folder; what went wrong, empty if nothing."""
    sys.path.insert(0, str(bundle))
    os.chdir(bundle)
    try:
        exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
    except Exception as error:  # noqa: BLE001 - told to whoever exports
        return f"{type(error).__name__}: {error}"
    return ""


def _imported(bundle: Path) -> ModuleType:
    """`model.py`; it must find neither us nor Paddle."""
    sys.modules["workbench"] = sys.modules["paddle"] = None  # type: ignore[assignment]
    spec = importlib.util.spec_from_file_location("model", bundle / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    return module


def run(model: Any, inputs: Any, seed: int) -> Any:
    """The outputs for copies of the inputs, as a list, and whether they came as a tuple."""
    torch.manual_seed(seed)
    with torch.no_grad():
        outputs = model(*(tensor.clone() for tensor in inputs))
    whole = isinstance(outputs, (tuple, list))
    return whole, [part.detach() for part in (outputs if whole else [outputs])]


def state_of(model: Any) -> dict[str, tuple[str, str, list[int], bool]]:
    """Digest, dtype, shape and trainability of every stored tensor."""
    found = {}
    for key, tensor in model.state_dict(keep_vars=True).items():
        plain = tensor.detach().cpu().contiguous()
        digest = hashlib.sha256(plain.reshape(-1).view(torch.uint8).numpy()).hexdigest()
        found[key] = (digest, str(tensor.dtype), list(tensor.shape), tensor.requires_grad)
    return found


def settings_of(model: Any) -> dict[str, str]:
    """The layers of torch with their settings, as they print themselves; holders have none."""
    return {
        name: repr(part)
        for name, part in model.named_modules(remove_duplicate=False)
        if type(part).__module__.startswith("torch.nn.modules")
        and type(part) is not torch.nn.Module
        and not list(part.children())
    }


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
