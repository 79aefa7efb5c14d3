"""Whole networks of `paddle.vision.models`: converted with no hand edit, every layer within
rounding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.sources.paddle.client.process import PaddleProcess

DYNAMIC = [-1, 3, -1, -1]
#: Network, declared input shape, sizes of two runs.
NETWORKS = [
    ("LeNet", [-1, 1, 28, 28], [(2, 1, 28, 28), (3, 1, 28, 28)]),
    ("alexnet", [-1, 3, 224, 224], [(1, 3, 224, 224)]),
    ("vgg11", DYNAMIC, [(1, 3, 64, 96)]),
    ("resnet18", DYNAMIC, [(2, 3, 64, 64), (1, 3, 96, 80)]),
    ("resnet50", DYNAMIC, [(1, 3, 64, 64)]),
    ("resnext50_32x4d", DYNAMIC, [(1, 3, 64, 64)]),
    ("wide_resnet50_2", DYNAMIC, [(1, 3, 64, 64)]),
    ("mobilenet_v1", DYNAMIC, [(2, 3, 64, 64), (1, 3, 96, 80)]),
    ("mobilenet_v2", DYNAMIC, [(2, 3, 64, 64), (1, 3, 96, 80)]),
    ("mobilenet_v3_small", DYNAMIC, [(2, 3, 64, 64), (1, 3, 96, 80)]),
    ("mobilenet_v3_large", DYNAMIC, [(2, 3, 64, 64), (1, 3, 96, 80)]),
    ("densenet121", DYNAMIC, [(1, 3, 64, 64)]),
    ("squeezenet1_1", DYNAMIC, [(2, 3, 64, 64), (1, 3, 96, 80)]),
    ("shufflenet_v2_x0_5", [-1, 3, 64, 64], [(2, 3, 64, 64), (1, 3, 64, 64)]),
    ("googlenet", DYNAMIC, [(1, 3, 224, 224)]),
    ("inception_v3", DYNAMIC, [(1, 3, 128, 128)]),
]


@pytest.mark.parametrize(("name", "shape", "sizes"), NETWORKS, ids=lambda value: str(value)[:20])
def test_network(
    name: str, shape: list[int], sizes: list[tuple[int, ...]], oracle: PaddleProcess, tmp_path: Path
) -> None:
    oracle.ask("export_vision", name=name, shape=shape, folder=str(tmp_path))
    random = np.random.default_rng(3)
    runs = [[random.normal(size=size).astype(np.float32)] for size in sizes]
    with wb.load(tmp_path) as migration:
        assert migration.mapping.unsupported == ()
        found = migration.verify(runs)
        assert found.passed, found.summary
        for output in found.outputs:
            assert output.health == ()
            assert output.check.error is not None
            assert 1e-3 < output.check.error.scale < 1e6, "the test needs healthy values"
        keys = [key for key, _ in migration.convert().named_parameters()]
    assert all(part.isidentifier() for key in keys for part in key.split("."))
