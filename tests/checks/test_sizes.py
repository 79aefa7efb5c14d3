"""Each dynamic dimension has a size of its own, and no verdict rests on one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from tests.oracle.case import Case, case, f32, i64
from tests.oracle.check import run_paddle
from tests.small_programs import ProgramMaker
from workbench.checks.values.inputs import sample_inputs
from workbench.checks.values.resizing import in_another_size
from workbench.checks.values.revealing_inputs import chosen_samples, plain_inputs
from workbench.checks.values.sizes import SIZES, Groups, Sizes, all_apart, apart
from workbench.core.calls import Call
from workbench.core.integers import Dim
from workbench.core.program import Program
from workbench.sources.paddle.client.process import PaddleProcess
from workbench.sources.paddle.runtime import PaddleRuntime


def _pair() -> Program:
    """An encoder's and a decoder's tokens, with masks."""
    make = ProgramMaker()
    table = make.parameter("table", 50, 8)
    for name in ("src_ids", "src_mask", "tgt_ids", "tgt_mask"):
        make.input(name, -1, -1, dtype="int64")
    ids = make.op("pd_op.embedding", {"x": make.inputs[0], "weight": table}, (-1, -1, 8))
    return make.program(ids)


def _lengths(program: Program, groups: Groups) -> list[int]:
    return [array.shape[1] for array in sample_inputs(program, sizes=Sizes(SIZES[0], groups))]


def test_all_apart_where_paddle_takes_that() -> None:
    program = _pair()
    groups = apart(program, lambda ways: [True] * len(ways))
    assert groups == all_apart(program)
    assert len(set(_lengths(program, groups))) == 4


def test_dimensions_that_must_be_equal_stay_so() -> None:
    program, tried = _pair(), list[Groups]()

    def takes(ways: Sequence[Groups]) -> list[bool]:
        tried.extend(ways)
        sizes = [_lengths(program, groups) for groups in ways]
        return [src == src_mask and tgt == tgt_mask for src, src_mask, tgt, tgt_mask in sizes]

    src, src_mask, tgt, tgt_mask = _lengths(program, apart(program, takes))
    assert src == src_mask != tgt == tgt_mask
    assert len(tried) < 20


@pytest.mark.parametrize("same", [True, False])
def test_none_differ_where_all_must_be_equal(same: bool) -> None:
    program = _pair()
    takes = lambda ways: [same and len(set(_lengths(program, one))) == 1 for one in ways]  # noqa: E731
    assert not apart(program, takes)


def test_ids_meet_both_ends_and_batches_and_positions_go_further() -> None:
    program = _pair()
    samples = plain_inputs(program)
    assert all({0, 49} <= set(sample.arrays[0].flat) for sample in samples)
    shapes = [sample.arrays[0].shape for sample in samples]
    assert max(batch for batch, _ in shapes) > 3
    assert max(length for _, length in shapes) > 32
    assert len(shapes) == 3


def test_lengths_differ_within_a_batch() -> None:
    make = ProgramMaker()
    make.input("x", -1, -1, 4)
    make.input("steps", -1, dtype="int64")
    make.input("seq_len", -1, dtype="int32")
    x, steps, _ = make.inputs
    turned = make.op("pd_op.transpose", {"x": x}, (-1, -1, 4), perm=(1, 0, 2))
    cast = make.op("pd_op.cast", {"x": steps}, (-1,), dtype="int32")
    out = make.op("pd_op.rnn", {"x": turned, "sequence_length": cast}, (-1, -1, 4))
    _, by_use, by_name = sample_inputs(make.program(out), 2)
    for lengths in (by_use, by_name):
        assert lengths.max() == 9
        assert len(set(lengths)) > 2
        assert lengths.min() >= 1


def test_given_inputs_are_seen_in_another_size() -> None:
    program = _pair()
    ids = np.arange(12).reshape(2, 6)
    given = [ids, ids, ids[:, :4], ids[:, :4]]
    own, other = chosen_samples(program, given, thorough=False, nan=False)
    assert own.required
    assert not other.required
    assert (own.told, other.told) == ("given", "another size")
    assert [array.shape for array in other.arrays] == [(3, 5), (3, 5), (3, 7), (3, 7)]
    assert (other.arrays[0][:2] == ids[:, :5]).all()
    assert in_another_size(program, [given, other.arrays]) is None


def test_images_of_a_batch_are_padded_differently() -> None:
    make = ProgramMaker()
    image = make.input("image", -1, 3, -1, -1)
    make.input("im_shape", -1, 2)
    _, told = sample_inputs(make.program(make.relu(image)))
    assert told.tolist() == [[224, 224], [168, 168]]


def test_sizes_that_stand_in_an_input_follow() -> None:
    make = ProgramMaker()
    image = make.input("image", -1, 3, -1, -1)
    make.input("im_shape", -1, 2)
    program = make.program(make.relu(image))
    given = [np.ones((1, 3, 640, 320), np.float32), np.array([[640, 320]], np.float32)]
    made, told = in_another_size(program, [given]) or ()
    assert made.shape == (2, 3, 480, 224)
    assert told.tolist() == [[480, 224]] * 2


def _migration(
    one: Case, oracle: PaddleProcess, worker: PaddleRuntime, folder: Path
) -> wb.Migration:
    run_paddle(one, oracle, folder)
    migration = wb.load(folder)
    migration._runtime = worker
    return migration


TWO = case(
    "expand", "x.mean(1, keepdim=True).expand([x.shape[0], y.shape[1], 4]) * 2",
    x=f32("B", "T", 4), y=f32("B", "N", 4),
)  # fmt: skip


def test_the_length_of_another_input_is_not_taken_unseen(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    migration = _migration(TWO, oracle, worker, tmp_path)
    found = migration.verify()
    assert found.passed, found.summary
    x, _ = migration.program.inputs
    _expand_to(migration, Dim(x, 0), Dim(x, 1))
    assert migration.verify().failed


def _expand_to(migration: wb.Migration, *sizes: object) -> None:
    """The mapping with other sizes in the row that expands."""
    row = next(row for row in migration.mapping if "expand" in row.ops[0])
    assert isinstance(row.call, Call)
    call = Call(row.call.target, (row.call.args[0], *sizes, 4))
    migration.mapping = migration.mapping.with_row(row.path, replace(row, call=call))


@pytest.mark.parametrize("baked", ["batch", "length"])
def test_a_baked_size_shows_with_inputs_of_one_size(
    baked: str, oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    migration = _migration(TWO, oracle, worker, tmp_path)
    random = np.random.default_rng(0)
    given = [random.normal(size=(2, size, 4)).astype(np.float32) for size in (5, 6)]
    assert migration.verify(given).passed
    x, y = migration.program.inputs
    sizes = (2, Dim(y, 1)) if baked == "batch" else (Dim(x, 0), 6)
    _expand_to(migration, *sizes)
    assert migration.verify(given).failed


def test_lengths_of_a_recurrent_layer_that_are_ignored_show(
    oracle: PaddleProcess, worker: PaddleRuntime, tmp_path: Path
) -> None:
    one = case(
        "rnn", "lstm(x, None, n)[0]", x=f32("B", "T", 4), n=i64("B", low=1),
        lstm="nn.LSTM(4, 5)",
    )  # fmt: skip
    migration = _migration(one, oracle, worker, tmp_path)
    assert migration.verify().passed
    lengths = [reference.inputs[1] for reference in migration.references]
    assert any(len(set(one.tolist())) > 1 for one in lengths)


TABLE = case(
    "embedding", "e(n)", n=i64("B", "T", low=0, high=4), e="nn.Embedding(60, 4, padding_idx=50)"
)


def _swapped(migration: wb.Migration) -> None:
    """Two rows of the table that no input looks up change places in the module."""
    path = next(row.path for row in migration.mapping if "embedding" in row.ops[0])
    table = migration.convert().get_submodule(path).weight
    table.data[[30, 31]] = table.data[[31, 30]]


def _zeroed(migration: wb.Migration) -> None:
    """The mapping zeroes another row than Paddle does."""
    path = next(row.path for row in migration.mapping if "embedding" in row.ops[0])
    changes = {"weights": {"weight": ["row 30 set to zero"]}}
    migration.mapping = migration.mapping.edit(path, **changes)


@pytest.mark.parametrize("plant", [_swapped, _zeroed])
def test_every_row_of_a_table_is_compared_whatever_is_looked_up(
    plant: Callable[[wb.Migration], None],
    oracle: PaddleProcess,
    worker: PaddleRuntime,
    tmp_path: Path,
) -> None:
    migration = _migration(TABLE, oracle, worker, tmp_path)
    ids = np.arange(6).reshape(2, 3) % 4
    assert migration.verify([ids]).passed
    plant(migration)
    found = migration.verify([ids])
    assert found.failed
    assert found.first_mismatch is not None
    assert "embedding" in found.first_mismatch.path
