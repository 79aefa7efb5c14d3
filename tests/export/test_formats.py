"""Deploy formats are what the module is, at every size; what is not is refused by row."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import workbench as wb
from tests.oracle.case import Case, case, f32
from tests.oracle.portable import write_program
from workbench.export.bundle import FormatError
from workbench.export.formats import detection, onnx
from workbench.export.formats.compared import DiffersError, compare
from workbench.export.formats.deploy import FORMATS, tried
from workbench.export.formats.equal_scores import in_order_of
from workbench.export.formats.forms import set_item
from workbench.export.formats.onnx_forms import FORMS
from workbench.export.formats.sizes import Sizes, sizes_of
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.targets.pytorch import functions as fn

pytestmark = pytest.mark.filterwarnings("ignore")
AUTO = torch.export.Dim.AUTO  # type: ignore[attr-defined]
ATEN = torch.ops.aten


class Wrapped(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        """Call it."""
        return self.function(*inputs)


def image(*sizes: int) -> Tensor:
    torch.manual_seed(sum(sizes))
    return torch.randn(sizes)


# --- forms for ONNX are exact -------------------------------------------------------------------

POOLS = [
    ("avg", F.adaptive_avg_pool2d, ATEN.adaptive_avg_pool2d.default, 2),
    ("max", F.adaptive_max_pool2d, ATEN.adaptive_max_pool2d.default, 2),
    ("avg", F.adaptive_avg_pool1d, ATEN.adaptive_avg_pool1d.default, 1),
    ("max", F.adaptive_max_pool1d, ATEN.adaptive_max_pool1d.default, 1),
]


@pytest.mark.parametrize(("kind", "pool", "operator", "dims"), POOLS)
def test_adaptive_pooling_of_every_size(kind: str, pool: Any, operator: Any, dims: int) -> None:
    for size in range(1, 24):
        x = image(2, 3, *((size, 17) if dims == 2 else (size,)))
        for count in (1, 2, 3, 4, 7, 12):
            counts = [count, 12][:dims]
            found = FORMS[operator](x, counts)
            found = found[0] if kind == "max" else found
            torch.testing.assert_close(found, pool(x, counts), rtol=1e-6, atol=1e-6)


def test_nearest_resizing_of_every_ratio() -> None:
    form = FORMS[ATEN.upsample_nearest2d.vec]
    for size in range(4, 30):
        x = image(1, 2, size, 13)
        for count in (1, 2, 7, 13, 19, 26, 37):
            wanted = F.interpolate(x, size=(count, 19), mode="nearest")
            assert torch.equal(form(x, [count, 19], None), wanted)
        for factor in (0.3, 1.3, 1.7, 2.0, 2.6):
            wanted = F.interpolate(x, scale_factor=factor, mode="nearest")
            assert torch.equal(form(x, None, [factor, factor]), wanted)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
        lambda x: F.interpolate(x, size=(37, 41), mode="nearest"),
        lambda x: (x.amax(), x.amin()),
        lambda x: torch.arange(24) % x.shape[3],
        lambda x: (x, x[:, torch.tensor([1, 0], dtype=torch.int32)]),
    ],
    ids=["pool", "nearest", "largest", "modulo", "same"],
)
def test_onnx_follows_the_sizes(function: Any, tmp_path: Path) -> None:
    trials = tuple((image(*s),) for s in ((1, 3, 17, 11), (3, 3, 8, 23), (2, 3, 5, 50)))
    sizes = Sizes(("x",), (image(2, 3, 20, 24),), (({0: AUTO, 2: AUTO, 3: AUTO},),), trials)
    module, form = Wrapped(function), FORMATS["onnx"]
    told = tried(form, module, sizes, tmp_path / form.file, _against(module, sizes))
    assert "compared on 3 inputs" in told


def _against(module: nn.Module, sizes: Sizes) -> Any:
    return lambda run: compare(run, module, sizes, frozenset())


def boxes(*shape: int) -> Tensor:
    low = torch.rand(*shape, 2) * 60
    return torch.cat([low, low + torch.rand(*shape, 2) * 30 + 1], -1)


@pytest.mark.parametrize("seed", range(12))
def test_nms_of_all_images_at_once(seed: int) -> None:
    """Also where many scores are equal: the order is the readable helper's."""
    torch.manual_seed(seed)
    images, count, classes = ((1, 20, 3), (2, 50, 4), (3, 7, 1), (2, 90, 6))[seed % 4]
    shared: dict[str, Any] = {
        "score_threshold": (0.3, 0.0, 0.9)[seed % 3], "nms_top_k": (-1, 10, 400)[seed % 3],
        "keep_top_k": (-1, 5, 20)[seed // 3 % 3], "background_label": (-1, 0)[seed % 2],
    }  # fmt: skip
    b, s = boxes(images, count), torch.rand(images, classes, count)
    s = (s * 10).round() / 10 if seed % 5 == 0 else s
    _equal(detection.matrix_nms(b, s, **shared), fn.matrix_nms(b, s, **shared))
    shared["nms_threshold"] = 0.4
    _equal(detection.multiclass_nms(b, s, **shared), fn.multiclass_nms(b, s, **shared))
    rows = images * count
    n = torch.tensor([rows // 3, 0, rows - rows // 3], dtype=torch.int32)
    given = boxes(rows, classes), torch.rand(rows, classes), n
    _equal(detection.multiclass_nms(*given, **shared), fn.multiclass_nms(*given, **shared))


def _equal(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["pt2", "torchscript", "onnx"])
def test_nms_of_another_batch(name: str, tmp_path: Path) -> None:
    suppress = detection.grouped_nms if name == "onnx" else None

    def nms(b: Tensor, s: Tensor) -> Any:
        return detection.multiclass_nms(
            b, s, score_threshold=0.3, nms_top_k=50, keep_top_k=20, nms_threshold=0.5,
            suppress=suppress,
        )  # fmt: skip

    torch.manual_seed(0)
    made = [(boxes(i, n), torch.rand(i, 4, n)) for i, n in ((2, 30), (1, 7), (3, 41))]
    made.append((boxes(1, 5), torch.zeros(1, 4, 5)))  # nothing is found
    sizes = Sizes(("b", "s"), made[0], (({0: AUTO, 1: AUTO}, {0: AUTO, 2: AUTO}),), tuple(made))
    module, form = Wrapped(nms), FORMATS[name]
    assert tried(form, module, sizes, tmp_path / form.file, _against(module, sizes))


def test_assignment_by_position() -> None:
    x = image(4, 6)
    for index, values in [
        ((0, 1), 2.0), ((slice(None), -1), x[:, 0]), ((slice(None, None, 2), slice(1, 5, 2)), 3.0),
        (x > 0.5, -1.0), ((slice(None), torch.tensor(-2)), x[:, 1]), (None, image(1, 4, 6)),
        ((torch.tensor([0, 2]),), x[:2]),
    ]:  # fmt: skip
        assert torch.equal(set_item(x, index, values), fn.set_item(x, index, values))


# --- comparing ----------------------------------------------------------------------------------


def _compared(found: list[Tensor], expected: list[Tensor]) -> str:
    sizes = Sizes(("x",), (image(1),), (None,), ((image(1),),))
    return compare(lambda _: found, Wrapped(lambda _: tuple(expected)), sizes, frozenset())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([torch.nan, 1.0], [0.0, 1.0]),
        ([0.0, 1.0], [torch.nan, 1.0]),
        ([torch.inf, 1.0], [-torch.inf, 1.0]),
        ([-1e9, 0.5, 1.0, 1.0], [-1e9, 1.0, 1.0, 1.0]),
    ],
    ids=["nan", "no nan", "sign", "beside a mask"],
)
def test_what_differs_is_seen(found: list[float], expected: list[float]) -> None:
    with pytest.raises(DiffersError):
        _compared([torch.tensor(found)], [torch.tensor(expected)])
    assert _compared([torch.tensor(expected)], [torch.tensor(expected)])


def test_rows_of_equal_scores_may_change_places() -> None:
    table = torch.tensor([[0, 0.9, 1, 2.5], [1, 0.7, 3, 4.5], [1, 0.7, 5, 6.5], [2, 0.1, 7, 8.5]])
    index = torch.tensor([[4], [3], [2], [1]])
    swapped = torch.tensor([0, 2, 1, 3])
    found = in_order_of([table[swapped], index[swapped]], [table, index], 1e-4)
    assert torch.equal(found[0], table)
    assert torch.equal(found[1], index)
    apart = torch.tensor([0, 1, 3, 2])  # scores that are not equal
    assert torch.equal(in_order_of([table[apart]], [table], 1e-4)[0], table[apart])
    other = in_order_of([table[swapped], index], [table, index], 1e-4)
    assert torch.equal(other[0], table[swapped])  # with the index of another row


# --- whole models -------------------------------------------------------------------------------


def test_each_dimension_varies_by_itself_and_all_together(data: Path) -> None:
    with wb.load(data / "digits_classifier") as migration:
        sizes = sizes_of(migration)
    base = sizes.example[0].shape
    found = [tuple(inputs[0].shape) for inputs in sizes.trials]
    for axis in (0, 2, 3):
        alone = [s for s in found if all(s[a] == base[a] for a in range(4) if a != axis)]
        assert any(shape[axis] % 2 and shape[axis] != base[axis] for shape in alone)
    assert any(all(s[axis] != base[axis] for axis in (0, 2, 3)) for s in found)
    assert {1, 3} <= {shape[0] for shape in found}


def test_without_onnx_runtime_nothing_is_written(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec
    monkeypatch.setattr(
        onnx.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else spec(name)
    )
    with wb.load(data / "digits_classifier") as migration:
        with pytest.raises(FormatError, match=r"onnxruntime.*not installed") as caught:
            migration.export(tmp_path / "out", formats=["onnx"])
        assert "[onnx]" in str(caught.value)
    assert not (tmp_path / "out" / "model.onnx").exists()


RANDOM = case("random", "x + paddle.rand([3]), x * 2", x=f32("B", 3))
LENGTHS = case(
    "lstm", "net(fc(x), sequence_length=paddle.full([x.shape[0]], 2, 'int64'))[0]",
    x=f32("B", 4, 3), fc="nn.Linear(3, 3)", net="nn.LSTM(3, 3)",
)  # fmt: skip


def _exported(one: Case, names: list[str], oracle: PaddleProcess, folder: Path) -> Any:
    write_program(one, oracle, folder)
    with wb.load(folder) as migration:
        migration.convert()
        try:
            return migration.export(folder / "out", formats=names)
        except FormatError as error:
            return error


def test_random_models_say_so(oracle: PaddleProcess, tmp_path: Path) -> None:
    made = _exported(RANDOM, ["torchscript", "pt2"], oracle, tmp_path)
    for told in made.formats.values():
        assert "random outputs, so only their shapes" in told


def test_a_refusal_names_operator_and_row(oracle: PaddleProcess, tmp_path: Path) -> None:
    error = _exported(LENGTHS, ["pt2"], oracle, tmp_path)
    told = str(error.failed["pt2"])
    assert re.search(r"row lstm(_\d+)? \(", told)
    assert "pd_op.rnn" in told
    assert "cannot pack sequences" in told
    assert len(told.splitlines()) == 2
