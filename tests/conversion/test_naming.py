"""Rows stand where the layers of the Paddle model stood, stored tensors with what reads them."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.small_programs import ProgramMaker, mapped
from workbench.core.values import Value
from workbench.editing.editable import EditableMapping
from workbench.editing.edits import apply_changes
from workbench.targets.pytorch.builder import build
from workbench.targets.pytorch.codegen.source import generate


def scaled(make: ProgramMaker, x: Value, name: str, scope: str) -> Value:
    """A linear layer and a learned scale, which Paddle saves without a scope."""
    y = make.linear(x, f"linear_{name}", 4, f"{scope}Linear/")
    y = make.op("pd_op.multiply", {"x": y, "y": make.parameter(f"{name}.w_0", 4)}, y.shape, "")
    return make.relu(y, f"{scope}ReLU/")


def paths(mapping: EditableMapping) -> list[str]:
    return [row.path for row in mapping.walk()]


def two_blocks(x: Value, make: ProgramMaker) -> Value:
    x = scaled(make, x, "scaled_0", "/Scaled/")
    return scaled(make, x, "scaled_1", "/Scaled_1/")


def test_a_stored_tensor_belongs_to_the_block_that_alone_reads_it() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    mapping = make.mapping(two_blocks(x, make))
    assert {row.path for row in mapping.rows if row.is_parameter} == {
        "scaled.weight", "scaled_1.weight",
    }  # fmt: skip
    source = generate(mapping, "")
    assert "self.weight * x" in source or "x * self.weight" in source
    assert source.count("class Scaled") == 1
    assert "scaled.weight" in build(mapping).state_dict()


def test_a_stored_tensor_that_two_blocks_read_stays_outside() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    x = scaled(make, x, "shared_0", "/Scaled/")
    y = make.op("pd_op.add", {"x": x, "y": make.parameter("shared_0.w_0", 4)}, x.shape)
    assert "shared_0_w_0" in paths(make.mapping(y))


def test_a_name_that_a_person_gave_is_kept() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    x = make.linear(x, "a", 4, "/Block/Linear/")
    x = make.op("pd_op.add", {"x": x, "y": make.parameter("pos_embed", 4)}, x.shape, "/Block/")
    assert "block.pos_embed" in paths(make.mapping(make.relu(x, "/Block/")))


def test_edits_under_the_old_name_of_a_stored_tensor_still_apply() -> None:
    make = ProgramMaker()
    mapping = make.mapping(two_blocks(make.input("x", -1, 4), make))
    made = apply_changes(mapping, {"scaled_0_w_0": {"target": "buffer"}, "gone": {"note": "x"}})
    assert made.unmatched == ("gone",)
    assert made.mapping["scaled.weight"].target == "buffer"


# --- attribute paths --------------------------------------------------------------------------


def test_layers_without_parameters_stand_beside_those_with() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 3, 8, 8)
    names = {}
    for number, scope in enumerate(("/Sequential/Block/", "/Sequential/Block_1/")):
        for place in ("conv1", "conv2"):
            leaf = {"conv1": "", "conv2": "_1"}[place]
            x = make.conv(x, f"{place}_{number}", 3, f"{scope}Conv2D{leaf}/")
            x = make.relu(x, f"{scope}ReLU{leaf}/")
            names[f"{place}_{number}.w_0"] = f"layer1.{number}.{place}.weight"
        x = make.op("pd_op.sigmoid", {"x": x}, x.shape, scope)
    program = replace(make.program(x), structured_names=names)
    assert paths(mapped(program))[:5] == [
        "layer1.0.conv1", "layer1.0.relu", "layer1.0.conv2",
        "layer1.0.relu_1", "layer1.0.sigmoid",
    ]  # fmt: skip
    source = generate(mapped(program), "")
    assert source.count("class Block") == 1
    assert "Scope" not in source


def test_layers_between_numbered_ones_have_their_numbers() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 3, 8, 8)
    x = make.relu(make.conv(x, "a", 3, "/Sequential/Conv2D/"), "/Sequential/ReLU/")
    x = make.relu(make.conv(x, "b", 3, "/Sequential/Conv2D_1/"), "/Sequential/ReLU_1/")
    names = {"a.w_0": "features.0.weight", "b.w_0": "features.2.weight"}
    mapping = mapped(replace(make.program(x), structured_names=names))
    assert paths(mapping) == ["features.0", "features.1", "features.2", "features.3"]


def test_a_block_that_is_called_again_has_a_path_of_its_own() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    for scope in ("/Block/", "/Block_1/"):
        x = make.relu(make.linear(x, "a", 4, f"{scope}Linear/"), f"{scope}ReLU/")
    names = {"a.w_0": "block.fc.weight", "a.b_0": "block.fc.bias"}
    mapping = mapped(replace(make.program(x), structured_names=names))
    assert paths(mapping) == ["block.fc", "block.relu", "block_1.fc", "block_1.relu"]


def test_names_that_would_make_the_source_worse_are_left_out() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    for number in range(2):
        scope = f"/Block_{number + 1}/"
        x = make.relu(make.linear(x, f"a_{number}", 4, f"{scope}Linear/"), f"{scope}ReLU/")
        x = make.relu(make.linear(x, f"b_{number}", 4, f"{scope}Linear_1/"), f"{scope}ReLU_1/")
    names = {f"{kind}_{n}.w_0": f"all_{kind}.{n}.weight" for kind in "ab" for n in range(2)}
    mapping = mapped(replace(make.program(x), structured_names=names))
    assert paths(mapping)[:2] == ["block_1.fc", "block_1.relu"]
    assert torch.equal(
        build(mapping)(torch.ones(1, 4)), build(mapped(make.program(x)))(torch.ones(1, 4))
    )
