"""Bundles: complete, atomic, and usable without Paddle or the workbench."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import workbench as wb
from tests.conftest import SAMPLES
from workbench.core.errors import InputError
from workbench.export import bundle as bundles
from workbench.export.manifest import sha256


@pytest.mark.parametrize("name", SAMPLES)
def test_bundle_is_complete_and_its_parity_test_passes_alone(
    name: str, data: Path, tmp_path: Path
) -> None:
    with wb.load(data / name) as migration:
        migration.verify(data / name / "samples.npz")
        made = migration.export(tmp_path / "out")
    names = {"model.py", "model.safetensors", "mapping.yaml", "manifest.json", "test_parity.py"}
    assert names <= set(made.files)
    assert made.verified
    manifest = json.loads((made.folder / "manifest.json").read_text())
    for file, digest in manifest["sha256"].items():
        assert sha256(made.folder / file) == digest
    block = "import sys; sys.modules['paddle'] = sys.modules['workbench'] = None; "
    run = "import runpy; runpy.run_path('test_parity.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", block + run],
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "parity holds" in done.stdout, done.stderr


def test_companions_travel_with_the_weights(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "crnn_recognizer") as migration:
        made = migration.export(tmp_path / "out")
    assert {"inference.yml", "dict.txt"} <= set(made.files)


def test_interrupted_export_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundles, "make_manifest", interrupt)
    with wb.load(data / "digits_classifier") as migration, pytest.raises(KeyboardInterrupt):
        migration.export(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_folder_is_never_replaced(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with wb.load(data / "digits_classifier") as migration:
        with pytest.raises(InputError, match="is not a bundle"):
            migration.export(tmp_path)
        with pytest.raises(InputError, match="Unknown format tflite"):
            migration.export(tmp_path / "out", formats=["tflite"])
    assert (tmp_path / "thesis.txt").exists()


def test_an_earlier_bundle_is_replaced(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        migration.export(tmp_path / "out")
        (tmp_path / "out" / "model.py").write_text("broken")
        migration.export(tmp_path / "out")
    assert "class Model" in (tmp_path / "out" / "model.py").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["digits_classifier", "transformer_encoder"])
def test_torch_export_keeps_dynamic_dimensions(name: str, data: Path, tmp_path: Path) -> None:
    with wb.load(data / name) as migration:
        module = migration.convert()
        migration.export(tmp_path / "out", formats=["pt2"])
        program = migration.program
    loaded = torch.export.load(tmp_path / "out" / "model.pt2").module()
    (value,) = program.inputs
    if value.dtype == "float32":
        inputs = torch.randn(3, 3, 64, 96)
    else:
        inputs = torch.randint(1, 20, (3, 9))
    torch.testing.assert_close(loaded(inputs), module(inputs))


def test_torchscript(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        module = migration.convert()
        made = migration.export(tmp_path / "out", formats=["torchscript"])
    loaded = torch.jit.load(tmp_path / "out" / "model.torchscript")
    inputs = torch.randn(2, 3, 40, 56)
    torch.testing.assert_close(loaded(inputs), module(inputs), rtol=1e-4, atol=1e-4)
    assert "compared on" in made.formats["torchscript"]


def test_lstm_of_any_length(data: Path, tmp_path: Path) -> None:
    """Torch alone would keep the example's length."""
    with wb.load(data / "crnn_recognizer") as migration:
        module = migration.convert()
        migration.export(tmp_path / "out", formats=["pt2"])
        (value,) = migration.program.inputs
    loaded = torch.export.load(tmp_path / "out" / "model.pt2").module()
    for width in (96, 352):
        shape = [dim if dim > 0 else 1 for dim in value.shape[:-1]]
        inputs = torch.randn(*shape, width)
        torch.testing.assert_close(loaded(inputs), module(inputs), rtol=1e-4, atol=1e-4)


def test_a_batch_of_one_does_not_fix_the_batch(data: Path, tmp_path: Path) -> None:
    """Torch takes a size of 1 in the example as fixed."""
    with wb.load(data / "digits_classifier") as migration:
        module = migration.convert()
        migration.verify([[torch.randn(1, 3, size, 40).numpy()] for size in (32, 48)])
        migration.export(tmp_path / "out", formats=["pt2"])
    loaded = torch.export.load(tmp_path / "out" / "model.pt2").module()
    for batch in (1, 3):
        inputs = torch.randn(batch, 3, 40, 56)
        torch.testing.assert_close(loaded(inputs), module(inputs))


FINE_TUNE = """
import sys
sys.modules["paddle"] = sys.modules["workbench"] = None
import torch
from safetensors import safe_open
from model import load

with safe_open("model.safetensors", "pt") as file:
    assert file.metadata() == {"format": "pt"}
    assert set(file.keys()) <= set(load().state_dict())
torch.manual_seed(0)
model = load().train()
inputs, labels = torch.randn(8, 3, 32, 32), torch.arange(8) % 10
optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
losses = []
for _ in range(12):
    loss = torch.nn.functional.nll_loss(model(inputs).clamp_min(1e-30).log(), labels)
    optimiser.zero_grad()
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    optimiser.step()
    losses.append(loss.item())
print("losses", losses[0], losses[-1])
assert losses[-1] < 0.8 * losses[0]
half = load().half()
assert half(torch.randn(1, 3, 32, 32).half()).dtype == torch.float16
assert load().double()(torch.randn(1, 3, 32, 32).double()).dtype == torch.float64
print("fine-tuned")
"""


def test_fine_tuning_and_other_precision_from_the_bundle(data: Path, tmp_path: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        made = migration.export(tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-c", FINE_TUNE], cwd=made.folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "fine-tuned" in done.stdout, done.stderr


def test_a_format_that_fails_leaves_the_rest(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differs(*_: object) -> list[torch.Tensor]:
        return [torch.zeros(1)]

    monkeypatch.setattr(torch.jit, "load", lambda _: differs)
    with (
        wb.load(data / "digits_classifier") as migration,
        pytest.raises(bundles.FormatError, match=r"(?s)without torchscript.*has shape") as caught,
    ):
        migration.export(tmp_path / "out", formats=["torchscript", "pt2"])
    made = caught.value.bundle
    assert {"model.py", "model.safetensors", "model.pt2"} <= set(made.files)
    assert "model.torchscript" not in made.files
    assert list(made.formats) == ["pt2"]
