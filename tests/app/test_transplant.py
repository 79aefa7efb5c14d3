"""Weights of the trained samples into modules that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch import Tensor, nn

import workbench as wb
from workbench.app.transplant.command import target_of
from workbench.core.errors import InputError, MappingError
from workbench.sources.paddle.runtime import PaddleRuntime


class Reader(nn.Module):
    """A text recogniser as a person would write it: five convolutions, an LSTM, a head."""

    def __init__(self, eps: float = 1e-5, stride: int = 1) -> None:
        super().__init__()
        sizes = [3, 16, 32, 48, 64, 96]
        pools: list[Any] = [2, 2, (2, 1), (2, 1), (2, 1)]
        layers: list[nn.Module] = []
        for number, pool in enumerate(pools):
            step = stride if number == 1 else 1
            layers += [
                nn.Conv2d(sizes[number], sizes[number + 1], 3, step, 1, bias=False),
                nn.BatchNorm2d(sizes[number + 1], eps),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(pool),
            ]
        self.features = nn.Sequential(*layers)
        self.sequence = nn.LSTM(96, 64, 2, bidirectional=True)  # time first, unlike the source
        self.head = nn.Linear(128, 16)

    def forward(self, picture: Tensor) -> Tensor:
        """Probabilities (batch, time, classes)."""
        x = self.features(picture).squeeze(2).permute(2, 0, 1)
        return self.head(self.sequence(x)[0]).softmax(-1).transpose(0, 1)


@pytest.fixture
def recogniser(data: Path, worker: PaddleRuntime) -> Iterator[wb.Migration]:
    migration = wb.load(data / "crnn_recognizer")
    migration._runtime = worker
    yield migration
    migration._runtime = None


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 32, 64)).astype(np.float32)


def test_a_recogniser_is_filled_and_proven(
    recogniser: wb.Migration, picture: np.ndarray, tmp_path: Path
) -> None:
    target = Reader().eval()
    t = wb.transplant(recogniser, target, inputs={"x": picture})
    assert t.mapping.missing == () and t.mapping.unused == ()  # noqa: PT018
    found = t.verify()
    assert t.passed, found.summary
    assert t.ambiguous == ()
    lstm = next(layer for layer in found.layers if layer.target == "LSTM")
    assert lstm.chain.verdict in ("exact", "rounding")
    ours = t.load()(torch.from_numpy(picture))
    theirs = recogniser.convert()(torch.from_numpy(picture))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    kept = load_file(t.export(tmp_path) / "model.safetensors")
    assert set(kept) == set(target.state_dict())
    page = t.report(tmp_path / "report.html").read_text().replace("<wbr>", "")
    assert "<code>conv2d_0.w_0</code>" in page, "not escaped"
    assert "features.0.weight" in page
    frame = t.mapping.frame().set_index("key")
    assert frame.loc["head.weight", "source"] == "linear_0.w_0"
    assert "transposed" in frame.loc["head.weight", "steps"]
    assert frame.loc["features.1.running_var", "why"] == "it reads the same numbers"


@pytest.mark.parametrize(
    ("faulty", "layer", "cause"),
    [
        (Reader(eps=1e-3), "features.1", "eps is 0.001 here, 1e-05 in the source"),
        (Reader(stride=2), "features.4", "stride is 2 here, 1 in the source"),
    ],
)
def test_a_setting_that_differs_is_named(
    faulty: nn.Module, layer: str, cause: str, recogniser: wb.Migration, picture: np.ndarray
) -> None:
    t = wb.transplant(recogniser, faulty.eval(), inputs={"x": picture})
    found = t.verify()
    assert not t.passed
    assert found.failed
    assert found.diagnosis[0].path == layer
    assert cause in found.diagnosis[0].cause


def test_a_layer_that_the_source_lacks_is_told(
    recogniser: wb.Migration, picture: np.ndarray
) -> None:
    target = Reader()
    target.head = nn.Sequential(nn.Linear(128, 128), nn.Linear(128, 16))
    t = wb.transplant(recogniser, target.eval(), inputs={"x": picture})
    t.verify()
    assert not t.passed
    assert "head.0.weight" in t.mapping.missing


def test_an_edit_is_taken_and_a_wrong_one_is_found(
    recogniser: wb.Migration, picture: np.ndarray, tmp_path: Path
) -> None:
    t = wb.transplant(recogniser, Reader().eval(), inputs={"x": picture})
    right = t.mapping
    t.mapping = right.edit("features.1.weight", "batch_norm2d_0.b_0")
    assert not t.passed, "scale and shift of a batch norm are alike in shape only"
    path = t.mapping.save(tmp_path / "transplant.yaml")
    assert right.apply(path).edits == t.mapping.edits
    t.mapping = t.mapping.edit("features.1.weight", "batch_norm2d_0.w_0")
    assert t.passed
    with pytest.raises(MappingError, match="stores no tensor"):
        t.mapping = t.mapping.edit("head.bias", "gone")
    with pytest.raises(MappingError, match="gives"):
        t.mapping = t.mapping.edit("head.weight", "linear_0.w_0")


class Classifier(nn.Module):
    """A text classifier on torch's own encoder: query, key and value in one matrix."""

    def __init__(self, tokens: int, positions: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(tokens, 64)
        self.positions = nn.Embedding(positions, 64)
        self.norm = nn.LayerNorm(64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3)
        self.pool = nn.Linear(64, 64)
        self.out = nn.Linear(64, 7)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (batch, classes) of token ids (batch, length); 0 is padding."""
        places = torch.arange(ids.shape[1])[None]
        x = self.norm(self.tokens(ids) + self.positions(places))
        x = self.encoder(x, src_key_padding_mask=ids == 0)
        return self.out(torch.tanh(self.pool(x[:, 0])))


def test_attention_of_torch_takes_query_key_and_value(data: Path, worker: PaddleRuntime) -> None:
    migration = wb.load(data / "transformer_encoder")
    migration._runtime = worker
    shapes = {name: one.shape for name, one in migration.program.parameters.items()}
    tables = [shape for name, shape in shapes.items() if "embedding" in name]
    target = Classifier(*(shape[0] for shape in sorted(tables))).eval()
    ids = np.random.default_rng(1).integers(2, 20, (3, 11))
    t = wb.transplant(migration, target, inputs=[ids])
    found = t.verify()
    migration._runtime = None
    assert t.passed, (found.summary, t.mapping.missing, found.diagnosis)
    row = t.mapping["encoder.layers.0.self_attn.in_proj_weight"]
    assert len(row.source) == 3


def test_an_expression_makes_the_target() -> None:
    assert isinstance(target_of("torch.nn.Sequential(torch.nn.Linear(2, 3))"), nn.Sequential)
    with pytest.raises(InputError, match=r"not a torch\.nn\.Module"):
        target_of("3 + 4")
    with pytest.raises(InputError, match="no Python expression"):
        target_of("def x")
    with pytest.raises(InputError, match="gone"):
        target_of("gone.Model()")


def test_a_file_of_weights_alone_is_paired_and_never_passed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    stored = {
        "tokens.weight": random.normal(size=(8, 8)),
        "fc1.weight": random.normal(size=(8, 8)), "fc1.bias": random.normal(size=8),
        "norm.weight": random.normal(size=8), "norm.bias": random.normal(size=8),
        "norm._mean": random.normal(size=8), "norm._variance": random.random(8) + 1,
    }  # fmt: skip
    arrays = {name: array.astype(np.float32) for name, array in stored.items()}
    save_file(arrays, str(tmp_path / "model_state.safetensors"))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.fc1 = nn.Embedding(8, 8), nn.Linear(8, 8)
            self.norm, self.extra = nn.BatchNorm1d(8), nn.Linear(8, 2)

    t = wb.transplant(tmp_path / "model_state.safetensors", Net())
    assert t.mapping.missing == ("extra.weight", "extra.bias")
    found = t.verify()
    assert not t.passed
    assert not found.failed
    assert found.outcome == "not proven"
    filled = t.load()
    np.testing.assert_array_equal(filled.fc1.weight.detach(), arrays["fc1.weight"].T)
    np.testing.assert_array_equal(filled.tokens.weight.detach(), arrays["tokens.weight"])
    np.testing.assert_array_equal(filled.norm.running_var, arrays["norm._variance"])
    with pytest.raises(InputError, match="no network"):
        wb.transplant(tmp_path / "model_state.safetensors", Net(), inputs=[arrays["fc1.bias"]])
