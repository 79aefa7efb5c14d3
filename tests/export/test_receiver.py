"""What a stranger gets: a true page, a config, the Hub's way of loading, weights in parts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from tests.oracle.case import Case, case, f32
from tests.oracle.check import run_paddle
from workbench.core.errors import InputError
from workbench.export import bundle as bundles
from workbench.export.bundle import export_bundle
from workbench.export.bundle_check import check_bundle
from workbench.export.manifest import dimensions
from workbench.export.markdown import code, escaped
from workbench.export.trial import TrialError
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime

SMALL = case(
    "", "F.softmax(fc(F.relu(bn(conv(x))).mean([2, 3])))", x=f32("B", 3, 8, 8),
    conv="nn.Conv2D(3, 4, 3)", bn="nn.BatchNorm2D(4)", fc="nn.Linear(4, 5)",
)  # fmt: skip


@pytest.fixture(scope="module")
def migration(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path_factory: pytest.TempPathFactory
) -> wb.Migration:
    folder = tmp_path_factory.mktemp("model <b>*x*") / "net|[a](http:)"
    folder.mkdir()
    run_paddle(SMALL, oracle, folder)
    made = wb.load(folder)
    made._runtime = worker
    made.verify([list(SMALL.arrays(0).values())])
    return made


@pytest.fixture(scope="module")
def bundle(migration: wb.Migration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migration.export(tmp_path_factory.mktemp("bundle") / "out").folder


def _alone(folder: Path, program: str, *paths: str) -> str:
    """Output of a program that finds neither Paddle nor the workbench, run in a folder."""
    block = "import sys; sys.modules['paddle'] = sys.modules['workbench'] = None\n"
    done = subprocess.run(
        [sys.executable, "-B", "-c", block + program],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _example(folder: Path) -> str:
    found = re.search(r"```python\n(.*?)\n```", (folder / "README.md").read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_page_tells_what_the_manifest_knows(bundle: Path) -> None:
    text = (bundle / "README.md").read_text()
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert {"README.md", "config.json", "hub.py"} <= set(manifest["sha256"])
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["library_name"] == "pytorch"
    assert "license" not in front
    assert "| input | `x` | float32 | `[batch, 3, 8, 8]` |" in text
    assert "The verdict: **passed**." in text
    (told,) = manifest["verification"]["outputs"][0]
    assert f"{told['largest_difference']:.3g} | {told['tolerance']:.3g}" in text
    size = (bundle / "model.safetensors").stat().st_size
    assert f"| `model.safetensors` | {size:,} |" in text
    listed = set(re.findall(r"^\| `([^`]+)` \| [\d,]* \|", text, re.MULTILINE))
    assert listed == {*manifest["sha256"], "manifest.json"} - {"README.md"}


def test_names_of_others_stay_text(bundle: Path) -> None:
    text = (bundle / "README.md").read_text()
    assert "# net\\|\\[a\\](http:)\n" in text


@given(st.text(alphabet="ab1 *_`[]()<>&|#\\\n\r\u2028~$!@:/w.-+", max_size=20))
def test_foreign_text_begins_no_markup(text: str) -> None:
    shown = escaped(text)
    assert "\n" not in shown
    assert "\r" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>&|#~$!@]", shown)
    span = code(text)
    ticks = re.match("`+", span)
    assert ticks
    assert span.endswith(ticks[0])
    assert f" {ticks[0]} ".strip() not in span[len(ticks[0]) : -len(ticks[0])].split()
    assert not re.search(r"(?<!\\)\|", span)


def test_the_example_of_the_page_runs_alone(bundle: Path) -> None:
    assert _alone(bundle, _example(bundle)).startswith("torch.Size([")


def test_an_example_that_fails_is_not_shipped(
    migration: wb.Migration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "example", lambda *_: "import model\nmodel.no_such_name")
    with pytest.raises(TrialError, match="no_such_name"):
        migration.export(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_without_paddle_the_page_says_that_nothing_was_compared(
    migration: wb.Migration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "verification", None)
    monkeypatch.setattr(bundles, "_try_to_verify", lambda _: None)
    out = migration.export(tmp_path / "out").folder
    assert "**The model was not compared with Paddle" in (out / "README.md").read_text()
    assert _alone(out, _example(out)).startswith("torch.Size([")


def test_config_is_for_programs(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_text())
    assert config["architectures"] == ["Model"]
    assert config["dtype"] == "float32"
    assert config["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["batch", 3, 8, 8]}]
    assert set(config["converted_from"]["sha256"]) == {"inference.json", "inference.pdiparams"}


def test_dimensions_have_names(data: Path) -> None:
    with wb.load(data / "crnn_recognizer") as migration:
        (value,), (output,) = migration.program.inputs, migration.program.outputs
    assert dimensions(value) == ["batch", 3, 32, "width"]
    assert dimensions(output, "output_") == ["batch", "output_length", 16]


# --- weights ----------------------------------------------------------------------------------


def test_weights_in_parts_load_as_one(migration: wb.Migration, tmp_path: Path) -> None:
    out = export_bundle(migration, tmp_path / "out", shard=100).folder
    index = json.loads((out / "model.safetensors.index.json").read_text())
    parts = set(index["weight_map"].values())
    assert len(parts) > 2
    assert not (out / "model.safetensors").exists()
    assert set(index["weight_map"]) == set(migration.convert().state_dict())
    assert all((out / part).is_file() for part in parts)
    assert check_bundle(out).passed
    assert "model-00001-of-" in (out / "README.md").read_text()
    (out / sorted(parts)[0]).unlink()
    with pytest.raises(InputError, match="is damaged"):
        check_bundle(out)


def test_fewer_parts_leave_no_old_ones(migration: wb.Migration, tmp_path: Path) -> None:
    export_bundle(migration, tmp_path / "out", shard=100)
    export_bundle(migration, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").glob("model*.safetensors*")] == [
        "model.safetensors"
    ]


# --- the Hugging Face Hub ---------------------------------------------------------------------

LOADED = """
import torch
from hub import HubModel
from model import load
model = HubModel.from_pretrained(".")
assert type(model) is HubModel and not model.training
plain = load()
for key, tensor in plain.state_dict().items():
    found = model.state_dict()[key]
    assert found.dtype == tensor.dtype and torch.equal(found, tensor), key
with torch.no_grad():
    next(model.parameters()).add_(1)
model.save_pretrained("../saved")
print(len(list(model.parameters())), len(list(plain.parameters())))
"""
AGAIN = """
from hub import HubModel
again = HubModel.from_pretrained(".")
print(float(next(again.parameters()).sum()))
"""


@pytest.mark.parametrize("shard", [100, 5_000_000_000])
def test_the_hub_loads_and_saves(migration: wb.Migration, tmp_path: Path, shard: int) -> None:
    pytest.importorskip("huggingface_hub")
    out = export_bundle(migration, tmp_path / "out", shard=shard).folder
    ours, plain = _alone(out, LOADED).split()[-2:]
    assert ours == plain
    first = next(iter(migration.convert().parameters()))
    total = float(_alone(tmp_path / "saved", AGAIN).split()[-1])
    assert total == pytest.approx(float(first.sum()) + first.numel(), rel=1e-4)
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["dtype"] == "float32"


TIES = """
from hub import HubModel
import model as source
assert source.TIED
for folder in (".", "../saved"):
    model = HubModel.from_pretrained(folder)
    for copy, original in source.TIED.items():
        assert model.get_parameter(copy) is model.get_parameter(original)
    print({str(tensor.dtype) for tensor in model.state_dict().values()})
    model.half().save_pretrained("../saved")
"""


def test_shared_layers_stay_shared_and_halves_stay_halves(
    opened: Callable[[Case], wb.Migration], tmp_path: Path
) -> None:
    pytest.importorskip("huggingface_hub")
    migration = opened(case("", "m(m(x))", x=f32("B", 4), m="nn.Linear(4, 4)"))
    out = migration.export(tmp_path / "out" / "bundle").folder
    assert _alone(out, TIES).split() == ["{'torch.float32'}", "{'torch.float16'}"]


def test_a_missing_tensor_is_told(migration: wb.Migration, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    from safetensors.torch import load_file, save_file

    out = migration.export(tmp_path / "out").folder
    state = load_file(out / "model.safetensors")
    state.pop(next(key for key in state if key.endswith("weight")))
    save_file(state, out / "model.safetensors")
    with pytest.raises(AssertionError, match="Missing key"):
        _alone(out, "from hub import HubModel; HubModel.from_pretrained('.')")
