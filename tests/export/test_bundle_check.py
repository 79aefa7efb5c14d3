"""`workbench verify BUNDLE`: files against the manifest, outputs against Paddle's stored ones."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import workbench as wb
from tests.oracle.case import case, f32, i64
from tests.oracle.check import run_paddle
from workbench.app.cli import main
from workbench.core.errors import InputError
from workbench.export.manifest import read_manifest, sha256, write_manifest
from workbench.export.shipped_parity import compare
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime

MODEL = case(
    "", "y, paddle.log(y - 1), m.weight, n + 1", setup="y = m(x)", x=f32("B", 4), n=i64("B"),
    m="nn.Linear(4, 3)",
)  # fmt: skip


def _fetch_again(program: Path) -> None:
    """One value is fetched twice: the first output is the last one, too."""
    told = json.loads(program.read_text())
    ops = told["program"]["regions"][0]["blocks"][0]["ops"]
    fetches = [op for op in ops if op["#"] == "1.fetch"]
    again = json.loads(json.dumps(fetches[0]))
    again["A"] = [
        {"AT": {"#": "0.a_str", "D": "again"}, "N": "name"},
        {"AT": {"#": "0.a_i32", "D": len(fetches)}, "N": "col"},
    ]
    again["O"][0]["%"] = 100_000
    ops.append(again)
    program.write_text(json.dumps(told))


@pytest.fixture(scope="module")
def exported(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("model")
    run_paddle(MODEL, oracle, folder)
    _fetch_again(folder / "inference.json")
    migration = wb.load(folder)
    migration._runtime = worker
    assert migration.verify([list(MODEL.arrays(run).values()) for run in (0, 1)]).passed
    made = migration.export(folder / "out")
    migration.report(made.folder / "report.html")
    return made.folder


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


def _relisted(bundle: Path) -> None:
    """The manifest with the files as they are now, as one would who wants to deceive."""
    manifest = read_manifest(bundle)
    manifest["sha256"] = {name: sha256(bundle / name) for name in manifest["sha256"]}
    write_manifest(bundle, manifest)


def test_a_bundle_that_holds(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "notes.txt").write_text("mine")
    assert main(["verify", str(bundle)]) == 0
    told = capsys.readouterr().out
    assert "verdict   passed" in told
    assert "added     'notes.txt'" in told
    assert told.count("largest difference") == 10  # five outputs of two runs
    assert "report.html" in read_manifest(bundle)["sha256"]


@pytest.mark.parametrize(
    "name", ["model.py", "model.safetensors", "mapping.yaml", "report.json", "parity/inputs_0.npz"]
)
def test_a_file_that_was_changed_is_named(
    name: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (bundle / name).open("ab") as file:
        file.write(b"\n")
    assert main(["verify", str(bundle)]) == 1
    assert f"{name} is not as it was written" in capsys.readouterr().out


def _outputs(bundle: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    path = bundle / "parity" / "outputs_1.npz"
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


FAULTS: dict[str, tuple[Callable[[dict[str, np.ndarray]], object], str]] = {
    "a number": (lambda a: a["out_0"].__setitem__((0, 0), 9), "output 0 .*largest difference"),
    "the second time": (lambda a: a["out_4"].__setitem__((0, 0), 9), "output 4"),
    "NaN for a number": (lambda a: a["out_0"].__setitem__((0, 0), np.nan), "NaN in other places"),
    "a number for NaN": (lambda a: a.update(out_1=np.nan_to_num(a["out_1"])), "output 1 .*NaN"),
    "infinite": (lambda a: a["out_0"].__setitem__((0, 0), np.inf), "inf in other places"),
    "an integer": (lambda a: a["out_3"].__setitem__(0, 77), "output 3"),
    "a shape": (lambda a: a.update(out_0=a["out_0"][:1]), "shape"),
    "a dtype": (lambda a: a.update(out_0=a["out_0"].astype(float)), "dtype"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_an_output_that_differs_is_named(
    name: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told = FAULTS[name]
    _outputs(bundle, change)
    _relisted(bundle)
    assert main(["verify", str(bundle)]) == 1
    assert re.search(f"run 1, .*{told}", capsys.readouterr().out)


def test_a_weight_whose_output_becomes_nan(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(bundle / "model.safetensors")
    state = {key: tensor.clone() for key, tensor in state.items()}
    next(iter(state.values())).fill_(float("nan"))
    save_file(state, bundle / "model.safetensors")
    _relisted(bundle)
    assert main(["verify", str(bundle)]) == 1
    assert "NaN" in capsys.readouterr().out


def _source(bundle: Path, text: str) -> None:
    (bundle / "model.py").write_text((bundle / "model.py").read_text() + text)
    _relisted(bundle)


def test_a_source_that_cannot_be_run(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _source(bundle, "\nimport workbench\n")
    assert main(["verify", str(bundle)]) == 1
    assert "model.py cannot be run" in capsys.readouterr().out


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda b: (b / "manifest.json").unlink(),
    "half a manifest": lambda b: (b / "manifest.json").write_text("{"),
    "a foreign manifest": lambda b: (b / "manifest.json").write_text('{"sha256": {}}'),
    "a file is missing": lambda b: (b / "parity" / "outputs_0.npz").unlink(),
    "no weights": lambda b: (b / "model.safetensors").unlink(),
    "an earlier version's": lambda b: write_manifest(b, read_manifest(b) | {"format": 1}),
    "a file elsewhere": lambda b: write_manifest(
        b, read_manifest(b) | {"sha256": read_manifest(b)["sha256"] | {"../x": "0" * 64}}),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_bundle_is_exit_code_2(
    name: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DAMAGE[name](bundle)
    assert main(["verify", str(bundle)]) == 2
    assert str(bundle) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [({"verification": None}, "was not compared"),
     ({"passed": False}, "did not pass")],
)  # fmt: skip
def test_a_bundle_that_was_not_shown_to_agree(
    change: dict[str, object], told: str, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = read_manifest(bundle)
    manifest |= change if "verification" in change else {}
    if "passed" in change:
        manifest["verification"]["passed"] = False
    write_manifest(bundle, manifest)
    assert main(["verify", str(bundle)]) == 1
    assert told in capsys.readouterr().out


def test_a_model_is_still_verified(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(exported.parent)]) == 0
    assert "layer" in capsys.readouterr().out


def test_edits_in_the_bundle_are_not_lost(
    exported: Path, worker: PaddleRuntime, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(exported, tmp_path / "out"))
    (path,) = (row.path for row in wb.load(exported.parent).mapping.rows if row.is_layer)
    text = f"version: 1\nrows:\n  {path}:\n    note: kept by hand\n"
    (out / "mapping.yaml").write_text(text)

    def loaded() -> wb.Migration:
        made = wb.load(exported.parent)
        made._runtime = worker
        return made

    with pytest.raises(InputError, match=r"(?s)changed since it was exported.*--mapping"):
        loaded().export(out)
    assert (out / "mapping.yaml").read_text() == text
    (out / "mapping.yaml").write_text("rows: [")
    with pytest.raises(InputError, match="cannot be read"):
        loaded().export(out)
    (out / "mapping.yaml").write_text(text)
    migration = loaded()
    migration.mapping = migration.mapping.apply(out / "mapping.yaml")
    migration.export(out)
    assert "kept by hand" in (out / "mapping.yaml").read_text()
    assert "kept by hand" in (out / "model.py").read_text()
    json.loads((out / "manifest.json").read_text())


def test_comparison_is_exact_about_what_is_not_finite() -> None:
    told = {"verdict": "rounding", "tolerance": 1e-3}
    one = torch.tensor([1.0, float("nan"), float("inf")])
    assert compare(one, one.clone(), told, "") == "largest difference 0"
    for place, value in ((0, float("nan")), (1, 0.0), (2, 0.0), (2, float("-inf")), (0, 1.1)):
        other = one.clone()
        other[place] = value
        with pytest.raises(AssertionError):
            compare(other, one, told, "")
    whole = torch.tensor([2**60 + 1])
    with pytest.raises(AssertionError):
        compare(whole, whole - 1, {"verdict": "exact", "tolerance": 0.0}, "")
    assert "not judged" in compare(one, -one, told | {"verdict": "unchecked"}, "")
