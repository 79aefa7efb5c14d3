"""Changes of the module after conversion are seen, and put in the right row."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F  # noqa: N812

import workbench as wb
from tests.conftest import SAMPLES
from tests.small_programs import ProgramMaker, branching
from workbench.checks.layers.verify import check_references
from workbench.checks.results.verification import Verification
from workbench.checks.values.integrity import check_integrity
from workbench.checks.values.tensor_changes import tensor_difference
from workbench.targets.pytorch.builder import build

CONV = "sequential.inverted_residual.conv_bn_layer_1.conv"
BN = "sequential.inverted_residual.conv_bn_layer_1.bn"
RELU = "sequential.inverted_residual.conv_bn_layer_1.relu"
ADD = "sequential.inverted_residual.add"


@pytest.fixture(scope="module")
def verified(data: Path) -> Iterator[wb.Migration]:
    with wb.load(data / "digits_classifier") as migration:
        samples = np.load(data / "digits_classifier" / "samples.npz")["in_0"]
        assert migration.verify([samples[:4]]).passed
        yield migration


def _check(migration: wb.Migration, plant: Callable[[fx.GraphModule], None]) -> Verification:
    module = copy.deepcopy(migration.convert())
    plant(module)
    return Verification(check_references(migration.mapping, module, migration.references[:1]))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_fresh_module_is_as_the_mapping_says(name: str, data: Path) -> None:
    migration = wb.load(data / name)
    found = check_integrity(migration.mapping, migration.convert())
    assert not found.changes


def _set(path: str, name: str, value: object) -> Callable[[fx.GraphModule], None]:
    return lambda module: setattr(module.get_submodule(path), name, value)


def _one_weight(module: fx.GraphModule) -> None:
    module.get_submodule(CONV).weight.data[0, 0, 0, 0] *= 1.01  # type: ignore[union-attr,index,operator]


def _identity(module: fx.GraphModule) -> None:
    module.get_submodule(BN.rpartition(".")[0]).bn = nn.Identity()


def _hook(module: fx.GraphModule) -> None:
    module.get_submodule(CONV).register_forward_hook(lambda *args: args[2] * 1.01)


def _train(module: fx.GraphModule) -> None:
    module.get_submodule(BN).train()


@pytest.mark.parametrize(
    ("row", "plant", "told"),
    [
        (CONV, _one_weight, "1 of 1,"),
        (CONV, _set(CONV, "padding", (0, 0)), "padding is (0, 0)"),
        (CONV, _set(CONV, "bias", nn.Parameter(torch.ones(16))), "has a bias"),
        (CONV, _hook, "forward hook"),
        (BN, _set(BN, "bias", None), "bias is missing"),
        (BN, _set(BN, "eps", 1e-6), "eps is 1e-06"),
        (BN, _identity, "is a Identity now"),
        (BN, _train, "training mode"),
        (RELU, _set(RELU, "forward", torch.tanh), "forward method was replaced"),
    ],
)
def test_changes_of_layers(
    row: str, plant: Callable[[fx.GraphModule], None], told: str, verified: wb.Migration
) -> None:
    if row == CONV and told == "1 of 1,":
        told = "elements differ from the file"
    found = _check(verified, plant)
    assert not found.passed
    assert found.first_mismatch is not None
    assert found.first_mismatch.path == row
    assert told in found.first_mismatch.changed
    assert [layer.path for layer in found.root_causes] == [row]


def _node(module: fx.GraphModule, row: str) -> fx.Node:
    return next(node for node in module.graph.nodes if node.meta.get("row") == row)


def _drop_residual(module: fx.GraphModule) -> None:
    node = _node(module, ADD)
    node.replace_all_uses_with(node.args[0])  # type: ignore[arg-type]
    module.graph.erase_node(node)
    module.recompile()


def _negate(module: fx.GraphModule) -> None:
    node = _node(module, ADD)
    with module.graph.inserting_after(node):
        new = module.graph.call_function(torch.neg, (node,))
    node.replace_all_uses_with(new)
    new.args = (node,)
    module.recompile()


def _replace(module: fx.GraphModule) -> None:
    node = _node(module, ADD)
    with module.graph.inserting_before(node):
        new = module.graph.call_function(torch.sub, node.args)
    node.replace_all_uses_with(new)
    module.graph.erase_node(node)
    module.recompile()


def _retarget(module: fx.GraphModule) -> None:
    _node(module, ADD).target = torch.sub
    module.recompile()


@pytest.mark.parametrize("plant", [_drop_residual, _negate, _replace, _retarget])
def test_changes_of_the_graph(
    plant: Callable[[fx.GraphModule], None], verified: wb.Migration
) -> None:
    found = _check(verified, plant)
    assert found.first_mismatch is not None
    assert found.first_mismatch.path == ADD
    assert [layer.path for layer in found.root_causes] == [ADD]


def test_a_call_put_before_a_layer_is_blamed_on_it(verified: wb.Migration) -> None:
    def plant(module: fx.GraphModule) -> None:
        node = _node(module, ADD)
        with module.graph.inserting_before(node):
            new = module.graph.call_function(F.relu, (node.args[0],))
        node.args = (new, node.args[1])
        module.recompile()

    found = _check(verified, plant)
    assert found.first_mismatch is not None
    # nothing else reads the batch norm before it, so its result is what changed
    assert found.first_mismatch.path in (ADD, ADD.replace("add", "conv_bn_layer_2.bn"))


def test_a_graph_without_its_code_is_told(verified: wb.Migration) -> None:
    def plant(module: fx.GraphModule) -> None:
        module.forward = lambda x: torch.zeros(x.shape[0], 10)  # type: ignore[method-assign]

    found = _check(verified, plant)
    assert not found.passed
    assert "another result than its graph" in found.summary


def test_verifying_leaves_a_module_in_training_mode_as_it_was(verified: wb.Migration) -> None:
    module = copy.deepcopy(verified.convert()).train()
    before = module.get_submodule(BN).running_mean.clone()  # type: ignore[operator,union-attr]
    found = Verification(check_references(verified.mapping, module, verified.references[:1]))
    assert not found.passed
    assert torch.equal(module.get_submodule(BN).running_mean, before)  # type: ignore[arg-type]


def test_a_shared_weight_that_is_no_longer_shared() -> None:
    make = ProgramMaker()
    x = make.input("x", -1, 4)
    mapping = make.mapping(make.linear(make.linear(x, "fc", 4), "fc", 4))
    module = build(mapping)
    assert not check_integrity(mapping, module).changes
    second = module.get_submodule(mapping.rows[1].path)
    second.weight = nn.Parameter(second.weight.detach().clone())  # type: ignore[operator,union-attr]
    found = check_integrity(mapping, module).changes
    assert set(found) == {mapping.rows[1].path}
    assert "no longer shares" in found[mapping.rows[1].path]


def test_layers_inside_blocks() -> None:
    mapping = branching()
    module = build(mapping)
    assert not check_integrity(mapping, module).changes
    inner = next(row for row in mapping.walk() if row.path.endswith("relu"))
    block = module.get_submodule("choose.then_branch")
    assert isinstance(block, fx.GraphModule)
    node = next(node for node in block.graph.nodes if node.meta.get("row") == inner.path)
    node.target, node.op, node.kwargs = torch.tanh, "call_function", {}
    block.recompile()
    assert set(check_integrity(mapping, module).changes) == {inner.path}


def test_differences_of_tensors() -> None:
    tensor = torch.tensor([1.0, float("nan"), 0.0, 2.0])
    assert tensor_difference(tensor, tensor.clone()) == ""
    assert tensor_difference(tensor * (1 + 1e-7), tensor) == ""
    assert "2 of 4 elements" in tensor_difference(-tensor, tensor)
    assert "1 of 2" in tensor_difference(torch.tensor([1, 2]), torch.tensor([1, 3]))


def test_layers_draw_no_first_weights(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    def drawn(_: nn.Module) -> None:
        raise AssertionError("first weights were drawn")

    for kind in (nn.Conv2d, nn.Linear, nn.modules.batchnorm._NormBase):
        monkeypatch.setattr(kind, "reset_parameters", drawn)
    with wb.load(data / "digits_classifier") as migration:
        kinds = {type(layer) for layer in migration.convert().modules()}
    assert {nn.Conv2d, nn.Linear, nn.BatchNorm2d} <= kinds
