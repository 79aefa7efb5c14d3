"""The source of a bundle is run before it is written: what differs is refused, and nothing left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

import workbench as wb
from tests.oracle.case import case, f16, f32, f64
from tests.oracle.check import run_paddle
from workbench.export import bundle as bundles
from workbench.export import trial
from workbench.export.trial import TrialError, difference
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime

SMALL = case(
    "", "F.softmax(fc(F.relu(bn(conv(x))).mean([2, 3])))", x=f32("B", 3, 8, 8),
    conv="nn.Conv2D(3, 4, 3)", bn="nn.BatchNorm2D(4)", fc="nn.Linear(4, 5)",
)  # fmt: skip


@pytest.fixture(scope="module")
def small(oracle: PaddleProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    run_paddle(SMALL, oracle, folder)
    return folder


@pytest.fixture
def migration(small: Path, worker: PaddleRuntime) -> wb.Migration:
    made = wb.load(small)
    made._runtime = worker
    made.verify([list(SMALL.arrays(0).values())])
    return made


def _manifest(folder: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((folder / "manifest.json").read_text())  # type: ignore[no-any-return]


PLANTED: dict[str, tuple[str, str, str]] = {
    "a syntax error": ("import torch\n", "import torch )\n", "SyntaxError"),
    "Paddle": ("\nimport torch\n", "import torch, paddle\n", "paddle"),
    "the workbench": ("import torch\n", "import torch, workbench\n", "workbench"),
    "a file beside it": ("import torch\n", "import torch, beside\n", "beside"),
    "an output left out": ("return F.softmax(x, dim=-1)", "return F.softmax(x, dim=-1), x",
                           "2 outputs"),
    "another result": ("return F.softmax(x, dim=-1)", "return F.softmax(x, dim=0)", "output 0"),
    "another dtype": ("return F.softmax(x, dim=-1)", "return F.softmax(x, dim=-1).double()",
                      "float64, not torch.float32"),
    "another layer": ("nn.BatchNorm2d(4", "nn.BatchNorm2d(4, eps=0.1", "layer bn.* differs"),
    "a frozen weight": ("    return model.eval()", "    return model.requires_grad_(False).eval()",
                        "tensor .* differs"),
    "training mode": ("model.eval()", "model.train()", "differs"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_source_that_is_not_the_module_is_refused(
    name: str, migration: wb.Migration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, told = PLANTED[name]
    generate = bundles.generate

    def wrong(*arguments: Any) -> str:
        text = generate(*arguments)
        assert old in text, text
        return text.replace(old, new)

    monkeypatch.setattr(bundles, "generate", wrong)
    (tmp_path / "beside.py").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrialError, match=told):
        migration.export(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["beside.py"]


def test_the_old_bundle_stays_when_the_new_one_is_refused(
    migration: wb.Migration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration.export(tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    monkeypatch.setattr(bundles, "_stored_state", lambda _, module: {
        key: value / 2 for key, value in module.state_dict().items() if value.is_floating_point()
    } | {k: v for k, v in module.state_dict().items() if not v.is_floating_point()})  # fmt: skip
    with pytest.raises(TrialError, match=r"tensor .* differs"):
        migration.export(tmp_path / "out")
    after = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert after == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_verified_inputs_and_a_second_size(migration: wb.Migration, tmp_path: Path) -> None:
    migration.export(tmp_path / "out")
    told = _manifest(tmp_path / "out")["model_py"]
    assert told["runs"][0] == [[2, 3, 8, 8]]
    assert len(told["runs"]) == 2
    assert told["compared"].startswith("bit for bit")


@pytest.mark.parametrize("name", ["crnn_recognizer", "transformer_encoder"])
def test_load_is_the_module_bit_for_bit(name: str, data: Path, tmp_path: Path) -> None:
    """Its tensors stand where torch would have put them, not where the file has them."""
    with wb.load(data / name) as migration:
        migration.export(tmp_path / "out")
    with safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
    scope = {"__file__": str(tmp_path / "out" / "model.py"), "__name__": "model"}
    exec((tmp_path / "out" / "model.py").read_text(), scope)
    state = scope["load"]().state_dict()  # type: ignore[operator]
    assert all(tensor.data_ptr() % 64 == 0 for tensor in state.values() if tensor.numel())
    module = wb.load(data / name).convert()
    assert all(t.data_ptr() % 64 == 0 for t in module.state_dict().values() if t.numel())


MODELS = {
    "one batch norm twice": case("", "bn(bn(x) + 1)", x=f32("B", 3, 4, 4), bn="nn.BatchNorm2D(3)"),
    "one layer twice": case("", "m(m(x))", x=f32("B", 4), m="nn.Linear(4, 4)"),
    "random": case("", "F.dropout(x, 0.5, training=True) + paddle.rand([3])", x=f32("B", 3)),
    "memory that nothing sets": case("", "paddle.empty([2, 3]), x * 2", x=f32("B", 3)),
    "NaN": case("", "paddle.log(x)", x=f32("B", 3)),
    "half": case("", "x * 2", x=f16("B", 3)),
    "double": case("", "x / 3", x=f64("B", 3)),
    "one value twice": case("", "x, x * 2, x", x=f32("B", 3)),
    "a parameter": case("", "m.weight, m(x)", x=f32("B", 4), m="nn.Linear(4, 4)"),
    "a branch and a loop": case("", "y", x=f32("B"), setup=(
        "y = x\nwhile y.sum() < 9:\n    y = y * y + 1\nif x.sum() > 0:\n    y = -y")),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_models_that_could_not_be_loaded_or_compared(
    name: str, oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    one = MODELS[name]
    run_paddle(one, oracle, tmp_path)
    migration = wb.load(tmp_path)
    migration._runtime = worker
    migration.verify([list(one.arrays(run).values()) for run in range(one.runs)])
    made = migration.export(tmp_path / "out")
    told = _manifest(made.folder)["model_py"]
    assert bool(told["random"]) == (name in ("random", "memory that nothing sets"))
    assert told["compared"].startswith("weights" if name.startswith("memory") else "bit for bit")


def test_a_module_changed_after_verification_does_not_leave_as_passed(
    migration: wb.Migration, tmp_path: Path
) -> None:
    with torch.no_grad():
        next(migration.convert().parameters()).mul_(1.5)
    made = migration.export(tmp_path / "out")
    assert not made.verified
    told = _manifest(made.folder)["verification"]
    assert not told["passed"]
    assert told["summary"].startswith("failed: first layer that differs")
    assert migration.verification is not None
    assert any("changed after it was verified" in note for note in migration.verification.notes)
    report = migration.report(tmp_path / "report.html")
    assert json.loads(report.with_suffix(".json").read_text())["verdict"]["status"] == "failed"


def test_a_report_is_of_the_module_as_it_is(migration: wb.Migration, tmp_path: Path) -> None:
    with torch.no_grad():
        next(migration.convert().parameters()).mul_(1.5)
    report = migration.report(tmp_path / "report.html")
    assert json.loads(report.with_suffix(".json").read_text())["verdict"]["status"] == "failed"
    with torch.no_grad():
        next(migration.convert().parameters()).div_(1.5)


def test_a_changed_setting_is_no_source(migration: wb.Migration, tmp_path: Path) -> None:
    layer = next(m for m in migration.convert().modules() if isinstance(m, torch.nn.BatchNorm2d))
    layer.eps = 0.5  # type: ignore[assignment]
    with pytest.raises(TrialError, match=r"(?s)BatchNorm2d.*changed after conversion.*mapping"):
        migration.export(tmp_path / "out")


def test_a_source_that_does_not_end(
    migration: wb.Migration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 0.01)
    with pytest.raises(TrialError, match="did not end"):
        migration.export(tmp_path / "out")


def test_a_tensor_is_compared_bit_for_bit() -> None:
    one = torch.tensor([1.0, float("nan"), 0.0])
    assert difference(one, one.clone()) == ""
    assert "first at [2]" in difference(one, torch.tensor([1.0, float("nan"), -0.0]))
    assert "first at [1]" in difference(one, torch.tensor([1.0, 2.0, 0.0]))
    assert "dtype" in difference(one, one.double())
    assert "shape" in difference(one, one[None])
    assert difference(one.to(torch.complex64), one.to(torch.complex64)) == ""
    assert "first at []" in difference(torch.tensor(3), torch.tensor(4))
    assert (
        difference(torch.zeros(0, 2, dtype=torch.bool), torch.zeros(0, 2, dtype=torch.bool)) == ""
    )


HARM = '"""\nimport pathlib; pathlib.Path("ran").touch()\n"""'


def test_a_file_name_and_a_note_do_not_run(
    small: Path, worker: PaddleRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = HARM.replace("/", "_")
    for end in ("json", "pdiparams"):
        (tmp_path / f"{name}.{end}").write_bytes((small / f"inference.{end}").read_bytes())
    migration = wb.load(tmp_path / f"{name}.json")
    migration._runtime = worker
    (path, *_) = (row.path for row in migration.mapping.walk())
    edits = {"version": 1, "rows": {path: {"note": f"{HARM}\r{HARM}\x0c{HARM}\u2028{HARM}"}}}
    (tmp_path / "mapping.yaml").write_text(json.dumps(edits))
    migration.mapping = migration.mapping.apply(tmp_path / "mapping.yaml")
    made = migration.export(tmp_path / "out")
    assert made.verified
    scope = {"__file__": str(made.folder / "model.py"), "__name__": "model"}
    exec((made.folder / "model.py").read_bytes(), scope)
    assert "touch" in (made.folder / "model.py").read_text()
    assert not (tmp_path / "ran").exists()
