"""Coverage: what the inputs did not touch is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.small_programs import ProgramMaker, branching
from workbench.checks.values.gaps import Gap, find_gaps
from workbench.core.mapping import Mapping
from workbench.sources.reference import Reference
from workbench.targets.pytorch.builder import build


def _recorded(mapping: Mapping, folder: Path, *inputs: np.ndarray) -> Reference:
    """What Paddle would have recorded, computed by the converted model."""
    reference = Reference(list(inputs), folder)
    env = {}
    module = build(mapping)
    given = iter(inputs)
    for node in module.graph.nodes:
        if node.op == "output":
            break
        if node.op == "placeholder":
            result = torch.from_numpy(next(given))
        elif node.op == "get_attr":
            result = getattr(module, node.target)
        else:
            args = [env.get(argument, argument) for argument in node.args]
            if node.op == "call_module":
                result = module.get_submodule(node.target)(*args)
            else:
                result = node.target(*args, **node.kwargs)
        env[node] = result
        value = node.meta.get("value")
        if value is not None and isinstance(result, torch.Tensor):
            np.save(folder / f"v{value.id}.npy", result.detach().numpy())
            reference.dtypes[value.id] = value.dtype
    return reference


def test_dead_channels_and_zero_inputs(tmp_path: Path) -> None:
    make = ProgramMaker()
    x = make.relu(make.input("image", -1, 4, 5, 5))
    mapping = make.mapping(make.conv(x, "conv", 3))
    image = np.random.default_rng(0).normal(size=(2, 4, 5, 5)).astype(np.float32)
    image[:, 1] = -np.abs(image[:, 1])
    found = find_gaps(mapping, build(mapping), [_recorded(mapping, tmp_path, image)])
    relu, conv = (row.path for row in mapping.rows)
    assert found == (Gap(relu, "dead_channels", 1, 4), Gap(conv, "zero_inputs", 1, 4))
    other = tmp_path / "other"
    other.mkdir()
    both = [_recorded(mapping, tmp_path, image), _recorded(mapping, other, -image)]
    assert find_gaps(mapping, build(mapping), both) == ()
    assert find_gaps(mapping, build(mapping), []) == ()


def test_table_rows_that_no_id_looked_up(tmp_path: Path) -> None:
    make = ProgramMaker()
    ids = make.input("ids", -1, -1, dtype="int64")
    table = make.parameter("table", 10, 4)
    out = make.op("pd_op.embedding", {"x": ids, "weight": table}, (-1, -1, 4), padding_idx=-1)
    mapping = make.mapping(out)
    given = np.array([[1, 2, 2, 9]])
    found = find_gaps(mapping, build(mapping), [_recorded(mapping, tmp_path, given)])
    assert [(gap.kind, gap.count, gap.total) for gap in found] == [("unseen_rows", 7, 10)]


def test_saturated_outputs(tmp_path: Path) -> None:
    make = ProgramMaker()
    mapping = make.mapping(make.op("pd_op.sigmoid", {"x": make.input("x", -1, 6)}, (-1, 6)))
    given = np.full((50, 6), 200, np.float32) * np.random.default_rng(0).choice([-1, 1], (50, 6))
    reference = _recorded(mapping, tmp_path, given.astype(np.float32))
    (gap,) = find_gaps(mapping, build(mapping), [reference])
    assert (gap.kind, gap.count, gap.total) == ("saturated", 300, 300)


def test_branches_that_were_not_taken(tmp_path: Path) -> None:
    mapping = branching()
    given = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    references = []
    for flag in (True, False):
        folder = tmp_path / str(flag)
        folder.mkdir()
        references.append(_recorded(mapping, folder, given, np.array([flag])))
    for one, missing in zip(references, ("else_branch", "then_branch"), strict=True):
        found = [gap for gap in find_gaps(mapping, build(mapping), [one]) if gap.kind == "branch"]
        assert found == [Gap("choose", "branch", 1, 1, missing)]
    assert not [g for g in find_gaps(mapping, build(mapping), references) if g.kind == "branch"]
